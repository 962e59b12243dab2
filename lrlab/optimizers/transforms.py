"""What is put around transformations: arguments by name, records, averages, refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from lrlab.core.errors import FieldError
from lrlab.optimizers.states import Averaged, Recorded, float_dtype
from lrlab.types import Array, Params, PyTree, Scalar

ValueFn = Callable[[Params], Array]
"""The loss of the step's batch as a function of the parameters."""


def called_alike(
    transformation: optax.GradientTransformation, name: str, needs: Sequence[str] = ()
) -> optax.GradientTransformationExtraArgs:
    """`transformation`, whose update takes `value`, `grad` and `value_fn`, and says which of those
    that optimizer `name` `needs` were not given.

    >>> import jax.numpy as jnp
    >>> sgd = called_alike(optax.sgd(0.5), "sgd")
    >>> float(sgd.update(jnp.float32(1), sgd.init(jnp.float32(0)), jnp.float32(0), value=3.0)[0])
    -0.5
    """
    inner = optax.with_extra_args_support(transformation)
    meanings = {
        "value": "the loss",
        "grad": "its gradient at params",
        "value_fn": "a function params -> loss of the same batch",
    }

    def update(
        grads: Params, state: PyTree, params: Params | None = None, **extra: object
    ) -> tuple[Params, PyTree]:
        missing = [key for key in needs if extra.get(key) is None]
        if missing:
            raise ValueError(
                f"optimizer {name!r} needs {' and '.join(missing)}: call update(grads, state, "
                f"params, {', '.join(f'{key}=...' for key in needs)}), where "
                + ", ".join(f"{key} is {meanings[key]}" for key in needs)
            )
        return inner.update(grads, state, params, **extra)

    return with_extra_args(inner.init, update)


def recorded(
    transformation: optax.GradientTransformation,
    read: Callable[[PyTree, PyTree], Array] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """`transformation`, recording the step size it used: `read(state before, state after)`, by
    default the norm of the update over the norm of the gradient that came in (0 before the first
    update).

    What the update used is what is recorded: a method that estimates its step size after it has
    moved (D-Adaptation) used the estimate in the state before.
    """
    inner = optax.with_extra_args_support(transformation)

    def init(params: Params) -> Recorded:
        return Recorded(inner.init(params), jnp.zeros((), float_dtype(params)))

    def update(
        grads: Params, state: Recorded, params: Params | None = None, **extra: object
    ) -> tuple[Params, Recorded]:
        updates, new = inner.update(grads, state.inner, params, **extra)
        if read is None:
            norm = optax.tree.norm(grads)
            size = jnp.where(norm > 0, optax.tree.norm(updates) / jnp.where(norm > 0, norm, 1), 0)
        else:
            size = read(state.inner, new)
        return updates, Recorded(new, jnp.asarray(size, state.effective_lr.dtype))

    return with_extra_args(init, update)


def averaged(
    transformation: optax.GradientTransformation, weight: Callable[[Array], Array]
) -> optax.GradientTransformationExtraArgs:
    """`transformation`, keeping an average a of the iterates w: a <- a + c (w - a) after every
    update, c = `weight(updates before this one)`, a = w at the start."""
    inner = optax.with_extra_args_support(transformation)

    def init(params: Params) -> Averaged:
        copy = jax.tree.map(jnp.array, params)
        return Averaged(inner.init(params), copy, jnp.zeros((), jnp.int32))

    def update(
        grads: Params, state: Averaged, params: Params | None = None, **extra: object
    ) -> tuple[Params, Averaged]:
        updates, new = inner.update(grads, state.inner, params, **extra)
        c = weight(state.count)
        average = jax.tree.map(
            lambda a, p, u: (a + c * (p + u - a)).astype(a.dtype), state.evaluation, params, updates
        )
        return updates, Averaged(new, average, optax.safe_increment(state.count))

    return with_extra_args(init, update)


def with_extra_args(
    init: Callable[..., PyTree], update: Callable[..., tuple[Params, PyTree]]
) -> optax.GradientTransformationExtraArgs:
    """A transformation whose update takes the loss and the like by name."""
    return optax.GradientTransformationExtraArgs(init, update)


def without_extra_args(
    init: Callable[..., PyTree], update: Callable[..., tuple[Params, PyTree]]
) -> optax.GradientTransformation:
    """A transformation that needs gradients and parameters only."""
    return optax.GradientTransformation(init, update)


def idle_at_zero(
    transformation: optax.GradientTransformation,
    lr: Scalar,
    needed: Callable[[Params, PyTree], Params] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """`transformation`, whose state waits while the learning rate is zero, or while all numbers of
    `needed(gradients, new state)` are.

    For methods that divide by sums of lr g: a warmup that starts at zero, or gradients that are all
    zero until some step, would make them nan, or leave them standing for ever.
    """
    inner = optax.with_extra_args_support(transformation)

    def update(
        grads: Params, state: PyTree, params: Params | None = None, **extra: object
    ) -> tuple[Params, PyTree]:
        updates, new = inner.update(grads, state, params, **extra)
        idle = jnp.asarray(lr) == 0
        if needed is not None:
            leaves = jax.tree.leaves(needed(grads, new))
            idle |= ~jnp.any(jnp.stack([jnp.any(leaf != 0) for leaf in leaves]))
        updates = jax.tree.map(lambda u: jnp.where(idle, 0, u).astype(u.dtype), updates)
        return updates, jax.tree.map(lambda a, b: jnp.where(idle, a, b), state, new)

    return with_extra_args(inner.init, update)


def strongly_typed(
    transformation: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """`transformation` whose first state has no weak types, which would compile a program twice."""
    inner = optax.with_extra_args_support(transformation)

    def init(params: Params) -> PyTree:
        return jax.tree.map(
            lambda leaf: jax.lax.convert_element_type(leaf, jnp.asarray(leaf).dtype),
            inner.init(params),
        )

    return with_extra_args(init, inner.update)


def real_only(
    transformation: optax.GradientTransformation, name: str
) -> optax.GradientTransformationExtraArgs:
    """`transformation`, whose `init` refuses complex parameters: FieldError with the name."""
    inner = optax.with_extra_args_support(transformation)

    def init(params: Params) -> PyTree:
        if any(jnp.iscomplexobj(leaf) for leaf in jax.tree.leaves(params)):
            raise FieldError(
                "optimizer.name",
                f"optimizer {name!r} is for real parameters, and some of these are complex: write "
                "them as two real arrays, or use another (sgd, momentum, adam, rmsprop, ...)",
            )
        return inner.init(params)

    return with_extra_args(init, inner.update)


def gradient(value_fn: ValueFn) -> Callable[[Params], Params]:
    """The direction of steepest ascent of `value_fn`: JAX's gradient, conjugated where complex."""
    return lambda params: optax.tree.conj(jax.grad(value_fn)(params))
