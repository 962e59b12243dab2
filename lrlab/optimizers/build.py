"""Transformations by name, and optimizers as the engine wants them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optax

from lrlab.core import registry
from lrlab.core.errors import FieldError, within
from lrlab.core.text import JsonObject, Table
from lrlab.optimizers.dynamics import dynamics
from lrlab.optimizers.groups import resolved
from lrlab.optimizers.options import Around, scheduled, with_options
from lrlab.optimizers.registry import (
    REGISTRY,
    default_lr,
    hyperparameters,
    method,
    own_hyperparameters,
)
from lrlab.optimizers.states import effective_lr, evaluation_params
from lrlab.optimizers.transforms import called_alike, real_only
from lrlab.types import Hyper, Optimizer, Scalar


def make(
    name: str,
    lr: Scalar | Callable[[Scalar], Scalar] | None = None,
    *,
    around: Around | None = None,
    **hyper: Any,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer `name` as an `optax.GradientTransformationExtraArgs`.

    All are called alike: `update(grads, state, params, value=loss, grad=grads, value_fn=function)`,
    where `function(params)` is the loss of the same batch; what a method does not need
    (`Method.needs` says who needs what) may be left out.

    Args:
        name: a name of `lrlab.optimizers.names()`, or Optax's name for it (`Method.aliases`).
        lr: the learning rate: a float, a traced scalar, or a function `step -> learning rate` (one
            of `lrlab.schedules` or of Optax). May be left out where `default_lr(name)` is one.
        around: `around(transformation, lr, own hyper-parameters) -> transformation`, put around
            the optimizer itself, inside its options (clipping, decay, averages).
        hyper: hyper-parameters and options, see `hyperparameters(name)`; floats may be traced.

    Raises:
        ValueError: unknown name or hyper-parameter, or no `lr` where one is needed; from its
            `update`, where something that the method needs was not given.

    >>> import jax.numpy as jnp
    >>> optimizer = make("adamw", lr=0.1, weight_decay=0.0)
    >>> updates, _ = optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), jnp.ones(2))
    >>> [round(float(value), 4) for value in updates]
    [-0.1, -0.1]
    """
    values, one = _checked(name, hyper), method(name)
    function = functools.partial(registry.load(REGISTRY, name), **one.fixed)
    own = own_hyperparameters(name)
    if lr is None:
        lr = default_lr(name)
        if lr is None:
            raise FieldError(
                "lr", f"optimizer {name!r} needs a learning rate: make({name!r}, lr=...)"
            )
    if callable(lr):
        built = scheduled(lambda rate: with_options(function, rate, own, values, around), lr)
    else:
        built = with_options(function, lr, own, values, around)
    if one.real_only:
        built = real_only(built, name)
    return called_alike(built, name, one.needs)


def engine_optimizer(name: str, *, around: Around | None = None, **arguments: Any) -> Optimizer:
    """The optimizer as the engine wants it; equal arguments (`around` by identity, see `make`) give
    the same object.

    Its `make(hyper)` builds the transformation from `hyper["lr"]`; entries of `hyper` named like
    hyper-parameters (lane axes) take the place of `arguments`. A multiplier that is a word is the
    entry of `hyper` of that name. Further entries are not looked at.

    Raises:
        FieldError: unknown name or hyper-parameter, at `optimizer`.

    >>> engine_optimizer("adam", b1=0.8) is engine_optimizer("adam", b1=0.8)
    True
    """
    with _at_optimizer():
        _checked(name, arguments)
    return _engine_optimizer(name, tuple(sorted(_frozen(arguments).items())), around)


@functools.lru_cache(maxsize=256)
def _engine_optimizer(
    name: str, arguments: tuple[tuple[str, Any], ...], around: Around | None
) -> Optimizer:
    fixed, every = dict(arguments), hyperparameters(name)

    def make_from(hyper: Hyper) -> optax.GradientTransformationExtraArgs:
        values = fixed | {key: hyper[key] for key in every if key in hyper}
        if values.get("multipliers"):
            values["multipliers"] = resolved(values["multipliers"], hyper)
        with _at_optimizer():
            return make(name, hyper.get("lr"), around=around, **values)

    # The thresholds of stability are for one learning rate.
    moves = None if fixed.get("multipliers") else dynamics(method(name).dynamics, every | fixed)
    return Optimizer(make_from, evaluation_params, effective_lr, moves)


def _checked(name: str, hyper: Table) -> JsonObject:
    """Every hyper-parameter by name, defaults filled in.

    Raises:
        FieldError: unknown name, unknown hyper-parameter, a traced value where the default shapes
            the program, or an option that would be lost.
    """
    defaults, one = hyperparameters(name), method(name)
    for key, value in hyper.items():
        if key not in defaults:
            raise registry.unknown_option(REGISTRY, name, key)
        if isinstance(defaults[key], (bool, int, str, tuple)) and hasattr(value, "aval"):
            raise FieldError(
                key,
                f"optimizer {name!r}: {key!r} shapes the compiled program and cannot be a lane "
                f"axis; compare its values as groups",
            )
    lost = None
    if not one.takes_multipliers and hyper.get("multipliers"):
        lost = "multipliers"
    elif one.own_iterates and hyper.get("decoupled") and hyper.get("weight_decay"):
        lost = None if "weight_decay" in own_hyperparameters(name) else "decoupled"
    if lost:
        raise FieldError(
            lost,
            f"optimizer {name!r} sets the parameters from sums of its own, so that {lost!r} "
            "would be lost: use decoupled = False for weight decay, groups for multipliers",
        )
    if one.one_batch and hyper.get("accumulate", 1) != 1:
        raise FieldError(
            "accumulate",
            f"optimizer {name!r} calls the loss of one batch and cannot accumulate gradients over "
            "several; use a larger batch",
        )
    return {**defaults, **hyper}


@contextlib.contextmanager
def _at_optimizer() -> Iterator[None]:
    """Errors from inside are about an experiment's `optimizer`; multipliers stand beside it."""
    try:
        with within("optimizer"):
            yield
    except FieldError as error:
        if error.path[:2] == ("optimizer", "multipliers"):
            error.put(error.path[1:])
        raise


def _frozen(arguments: Table) -> JsonObject:
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return {k: tuple(v.items()) if isinstance(v, Mapping) else v for k, v in plain.items()}
