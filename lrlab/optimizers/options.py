"""What every optimizer can be asked for: weight decay, clipping, accumulation, averages.

In the order of use, for a gradient g, parameters w and the learning rate lr:

- `accumulate` = k (updates, a whole number): g is the mean over k batches; the parameters move at
  every k-th, with its learning rate.
- `clip_norm` = c (unit of the gradient's norm): g <- g min(1, c / |g|).
- `weight_decay` = d with `decoupled = False`: g <- g + d w (an L2 penalty d |w|^2 / 2).
- the optimizer, and with `decoupled = True` in addition w <- w - lr d w (Loshchilov and Hutter
  2019, arXiv 1711.05101, with lr the learning rate of the step). Optimizers that have a decay of
  their own (AdamW, Lion, ...) apply it themselves.
- `multipliers` = {pattern: m}: the update is m times itself, so that lr <- m lr, decoupled decay
  included, for the parameters whose path the pattern matches (as in `lrlab.optimizers.groups`); all
  others keep lr. Step sizes that a method finds by itself (`dog`, `bb1`, `lbfgs`, ...) are found
  without the factors.
- `ema` = b in [0, 1): evaluation at a, a <- b a + (1 - b) w after each update, a = w_0 at first.
- `average_from` = s (updates): evaluation at the mean of w_s, w_s+1, ... (Polyak and Ruppert;
  Polyak and Juditsky 1992, SIAM J. Control Optim. 30:838); the newest iterate until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax.numpy as jnp
import optax

from lrlab.core.errors import FieldError
from lrlab.core.text import Table
from lrlab.optimizers.groups import multiplied, without_average
from lrlab.optimizers.transforms import averaged, with_extra_args
from lrlab.types import Array, Params, PyTree, Scalar

Around = Callable[[optax.GradientTransformation, Scalar, Table], optax.GradientTransformation]
"""What is put around an optimizer, inside its options: `(transformation, lr, its hyper-parameters)
-> transformation`."""


def with_options(
    function: Callable[..., optax.GradientTransformation],
    lr: Scalar,
    names: Iterable[str],
    values: Table,
    around: Around | None = None,
) -> optax.GradientTransformation:
    """`function(lr, **its own hyper-parameters)` with the options around it.

    With no option set this is exactly what `function` gives, so that the bits are Optax's.

    Args:
        names: the hyper-parameters that `function` takes by keyword.
        values: those, and all options (`lrlab.optimizers.OPTIONS`).
        around: see `make`.
    """
    own = {name: values[name] for name in names}
    decay, decoupled = values["weight_decay"], values["decoupled"]
    before, after = [], []
    if _set(values["clip_norm"]):
        _positive("clip_norm", values["clip_norm"])
        before.append(optax.clip_by_global_norm(values["clip_norm"]))
    if "weight_decay" in own and not decoupled:
        own["weight_decay"] = 0.0
    if _set(decay) and not decoupled:
        before.append(optax.add_decayed_weights(decay))
    elif _set(decay) and "weight_decay" not in own:
        after.append(optax.add_decayed_weights(-lr * decay))
    if values["multipliers"]:
        after.append(multiplied(values["multipliers"]))
    transformation = function(lr, **own)
    if values["multipliers"]:
        transformation = without_average(transformation)
    if around is not None:
        transformation = around(transformation, lr, own)
    if before or after:
        transformation = optax.chain(*before, transformation, *after)
    if _set(values["ema"]) and values["average_from"] is not None:
        raise FieldError(
            "ema", "ema and average_from are two averages; choose one of them", also="average_from"
        )
    if _set(values["ema"]):
        ema = values["ema"]
        if isinstance(ema, (int, float)) and not 0 <= ema < 1:
            raise FieldError("ema", f"ema must lie in [0, 1), got {ema!r}")
        transformation = averaged(transformation, lambda count: 1 - ema)
    if values["average_from"] is not None:
        first = values["average_from"]
        transformation = averaged(transformation, lambda count: _mean_weight(count, first))
    return accumulated(transformation, values["accumulate"])


def accumulated(
    transformation: optax.GradientTransformation, every: int
) -> optax.GradientTransformation:
    """One update from the mean gradient of `every` batches (`optax.MultiSteps`).

    Raises:
        ValueError: `every` is not a whole number of at least 1.
    """
    if isinstance(every, bool) or int(every) != every or every < 1:
        raise FieldError(
            "accumulate", f"accumulate must be a whole number of at least 1, got {every!r}"
        )
    if every == 1:
        return transformation
    return optax.MultiSteps(transformation, int(every)).gradient_transformation()


class ScheduledState(NamedTuple):
    """The number of updates, int32, and the optimizer's state."""

    count: Array
    inner: PyTree


def scheduled(
    build_with: Callable[[Scalar], optax.GradientTransformation],
    schedule: Callable[[Scalar], Scalar],
) -> optax.GradientTransformationExtraArgs:
    """The optimizer `build_with(rate)`, built again at each update from rate = `schedule(step)`."""

    def init(params: Params) -> ScheduledState:
        count = jnp.zeros((), jnp.int32)
        return ScheduledState(count, build_with(schedule(count)).init(params))

    def update(
        grads: Params, state: ScheduledState, params: Params | None = None, **extra: object
    ) -> tuple[Params, ScheduledState]:
        now = optax.with_extra_args_support(build_with(schedule(state.count)))
        updates, inner = now.update(grads, state.inner, params, **extra)
        return updates, ScheduledState(optax.safe_increment(state.count), inner)

    return with_extra_args(init, update)


def _mean_weight(count: Array, first: Scalar) -> Array:
    """The weight of the newest iterate in the mean of those from `first` on."""
    return 1 / jnp.maximum(count + 2 - first, 1).astype(jnp.result_type(float))


def _set(value: object) -> bool:
    return not (value is None or (isinstance(value, (int, float)) and value == 0))


def _positive(name: str, value: object) -> None:
    if isinstance(value, (int, float)) and not value > 0:
        raise FieldError(name, f"{name} must be positive, got {value!r}")
