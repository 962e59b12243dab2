"""Reduce on plateau: a smaller learning rate once the loss has stopped falling."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.core.errors import FieldError
from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import recorded, with_extra_args
from lrlab.optimizers.wrappers import base_optimizer
from lrlab.types import Array, Params, Scalar

TIMINGS = ("torch", "optax")
THRESHOLDS = ("rel", "abs", "torch")


class PlateauState(NamedTuple):
    """Scalars: the factor of the learning rate, the best mean loss, values without improvement
    (int32), cooldown left (int32), the running mean and its number of values (int32).
    """

    scale: Array
    best: Array
    bad: Array
    cooldown: Array
    mean: Array
    count: Array


def reduce_on_plateau(
    lr: Scalar,
    *,
    base: str = "momentum",
    factor: float = 0.1,
    patience: int = 10,
    rtol: float = 1e-4,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: float = 0.0,
    timing: str = "torch",
    threshold_mode: str = "rel",
) -> optax.GradientTransformation:
    """Multiplies the learning rate by `factor` when the loss has not improved for `patience`
    values.

    A value v is the mean of `accumulation_size` minibatch losses. It improves on the best where
    v < best - rtol |best| (`threshold_mode` "rel"), where v < best - rtol, in the loss's unit
    ("abs": PyTorch's too), or where v < (1 - rtol) best ("torch": the "rel" of PyTorch and of
    Optax, the same above zero; below zero each value that repeats the best is an improvement).
    `timing` "torch": a cut at the (patience + 1)-th value without improvement, and none of
    the `cooldown` values after a cut count (`ReduceLROnPlateau` of PyTorch 2); "optax": at the
    patience-th (`optax.contrib.reduce_on_plateau`, 0.2.8). No paper: Caffe's and Keras's practice
    (Bottou 2012, "Stochastic gradient descent tricks"). `lr` as for `base`; lengths are in values.
    The step size recorded is lr times the product of the cuts. Needs the loss (`value`).

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(reduce_on_plateau(0.1, base="sgd"))
    [-0.1, -1.0]
    """
    if timing not in TIMINGS:
        raise FieldError(
            "timing", f"reduce_on_plateau: timing must be torch or optax, got {timing!r}"
        )
    if threshold_mode not in THRESHOLDS:
        raise FieldError(
            "threshold_mode",
            f"reduce_on_plateau: threshold_mode must be rel, abs or torch, got {threshold_mode!r}",
        )
    if isinstance(factor, (int, float)) and not 0 <= factor < 1:
        raise FieldError("factor", f"reduce_on_plateau: factor must lie in [0, 1), got {factor!r}")
    scale = scale_on_plateau(
        factor, patience, rtol, cooldown, accumulation_size, min_scale, timing, threshold_mode
    )
    inner = optax.chain(base_optimizer(base, lr), scale)
    return recorded(inner, lambda _, state: lr * state[1].scale)


def scale_on_plateau(
    factor: Scalar,
    patience: Scalar,
    rtol: Scalar,
    cooldown: Scalar,
    accumulation_size: Scalar,
    min_scale: Scalar,
    timing: str,
    threshold_mode: str,
) -> optax.GradientTransformationExtraArgs:
    """Scales updates as `reduce_on_plateau` says; `value` is the loss."""

    def bar(best: Array) -> Array:
        """What a value must be below to be an improvement."""
        if threshold_mode == "abs":
            return best - rtol
        below = (1 - rtol) * best
        return below if threshold_mode == "torch" else jnp.where(best < 0, (1 + rtol) * best, below)

    def init(params: Params) -> PlateauState:
        zero, none = jnp.zeros((), float_dtype(params)), jnp.zeros((), jnp.int32)
        return PlateauState(zero + 1, zero + jnp.inf, none, none, zero, none)

    def update(
        updates: Params, state: PlateauState, params: Params, *, value: Scalar, **extra: object
    ) -> tuple[Params, PlateauState]:
        count = state.count + 1
        mean = state.mean + (jnp.asarray(value, state.mean.dtype) - state.mean) / count
        seen = count >= accumulation_size
        better = mean < bar(state.best)
        bad = jnp.where(better | (state.cooldown > 0), 0, state.bad + 1)
        cut = bad > patience if timing == "torch" else bad >= patience
        scale = jnp.where(cut, jnp.maximum(state.scale * factor, min_scale), state.scale)
        looked = PlateauState(
            scale=scale.astype(state.scale.dtype),
            best=jnp.where(better, mean, state.best),
            bad=jnp.where(cut, 0, bad),
            cooldown=jnp.where(cut, cooldown, jnp.maximum(state.cooldown - 1, 0)).astype(jnp.int32),
            mean=jnp.zeros_like(mean),
            count=jnp.zeros_like(count),
        )
        waiting = state._replace(mean=mean, count=count)
        new = jax.tree.map(lambda a, b: jnp.where(seen, a, b), looked, waiting)
        return jax.tree.map(lambda u: (new.scale * u).astype(u.dtype), updates), new

    return with_extra_args(init, update)
