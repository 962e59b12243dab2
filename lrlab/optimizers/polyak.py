"""Polyak's step sizes: the loss over the squared gradient norm. Need the loss (`value`)."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import with_extra_args
from lrlab.types import Array, Params, Scalar


class StepState(NamedTuple):
    """The step size of the last update (0 before the first), a scalar, and updates made (int32)."""

    effective_lr: Array
    count: Array


def no_step(params: Params) -> StepState:
    """The state before the first update."""
    return StepState(jnp.zeros((), float_dtype(params)), jnp.zeros((), jnp.int32))


def polyak(
    lr: Scalar = 1.0, *, f_min: float = 0.0, cap: float | None = None
) -> optax.GradientTransformation:
    """Polyak's step size: exactly as long as the gap to the lowest loss asks for.

    w <- w - lr a g, a = min(max(f - f_min, 0) / |g|^2, cap) (Polyak 1969, USSR Comput. Math. Math.
    Phys. 9:14; stochastic: Loizou et al. 2021, arXiv 2002.10542). `lr` has no unit (1 halves the
    iterate of a 1-D quadratic); `cap` is in the parameters' unit over the gradient's; `f_min`, a
    lower bound on the loss, in the loss's: where losses go below it, as negative ones do below 0,
    no step is taken.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(polyak())
    [-0.0545, -0.5446]
    """
    return _polyak(lr, f_min, cap, None)


def sps(
    lr: Scalar = 1.0,
    *,
    f_min: float = 0.0,
    c: float = 0.5,
    cap: float = 1.0,
    growth: float | None = 1.05,
) -> optax.GradientTransformation:
    """Stochastic Polyak step size with a cap that keeps steps smooth.

    w <- w - lr a g, a = min(max(f - f_min, 0) / (c |g|^2), growth a_before), the first time
    min(..., cap); with `growth` = None always min(..., cap) (Loizou et al. 2021, arXiv 2002.10542,
    SPS_max and its smoothing, whose growth is 2^(batch / examples): 1.05 for batches of 7 %). Units
    as for `polyak`.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(sps())
    [-0.1089, -1.0891]
    """
    return _polyak(lr / c, f_min, cap * c, growth)


def _polyak(
    lr: Scalar, f_min: Scalar, cap: Scalar | None, growth: Scalar | None
) -> optax.GradientTransformationExtraArgs:
    def update(
        grads: Params, state: StepState, params: Params, *, value: Scalar, **extra: object
    ) -> tuple[Params, StepState]:
        squared = optax.tree.norm(grads, squared=True)
        gap = jnp.maximum(jnp.asarray(value, squared.dtype) - f_min, 0)
        step = jnp.where(squared > 0, gap / jnp.where(squared > 0, squared, 1), 0)
        if cap is not None:
            most = jnp.asarray(cap, step.dtype)
            if growth is not None:
                grown = growth * state.effective_lr / jnp.where(lr > 0, lr, 1)
                most = jnp.where((state.count == 0) | (state.effective_lr == 0), most, grown)
            step = jnp.minimum(step, most)
        step = (lr * step).astype(state.effective_lr.dtype)
        updates = jax.tree.map(lambda g: (-step * g).astype(g.dtype), grads)
        return updates, StepState(step, optax.safe_increment(state.count))

    return with_extra_args(no_step, update)
