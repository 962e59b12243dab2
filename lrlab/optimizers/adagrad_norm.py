"""AdaGrad-norm: one adaptive step size for all parameters."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import without_extra_args
from lrlab.types import Array, Params, Scalar


class AdagradNormState(NamedTuple):
    """The summed squared gradient norms and the last step size, scalars."""

    sum_sq: Array
    effective_lr: Array


def adagrad_norm(lr: Scalar = 1.0, *, b0: float = 0.01) -> optax.GradientTransformation:
    """AdaGrad-norm: steps over the root of the summed squared gradient norms.

    b^2 <- b^2 + |g|^2, b = `b0` at first; w <- w - lr / b g (Ward et al. 2019, arXiv 1806.01811).
    `lr` is in the parameters' unit, `b0` in the gradient's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adagrad_norm(b0=0.0))
    [-0.0995, -0.995]
    """

    def init(params: Params) -> AdagradNormState:
        zero = jnp.zeros((), float_dtype(params))
        return AdagradNormState(zero + b0**2, zero)

    def update(
        grads: Params, state: AdagradNormState, params: Params | None = None
    ) -> tuple[Params, AdagradNormState]:
        sum_sq = state.sum_sq + optax.tree.norm(grads, squared=True)
        step = lr * jnp.where(sum_sq > 0, 1 / jnp.sqrt(jnp.where(sum_sq > 0, sum_sq, 1)), 0)
        step = step.astype(sum_sq.dtype)
        return jax.tree.map(lambda g: -step * g, grads), AdagradNormState(sum_sq, step)

    return without_extra_args(init, update)
