"""Barzilai and Borwein's two-point step sizes."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import without_extra_args
from lrlab.types import Array, Params, Scalar


class TwoPointState(NamedTuple):
    """Parameters and gradient of the update before; the last step, a scalar; updates (int32)."""

    params: Params
    grads: Params
    effective_lr: Array
    count: Array


def bb1(lr: Scalar = 0.01) -> optax.GradientTransformation:
    """The long Barzilai-Borwein step.

    With s and y the changes of w and g: a = <s, s> / <s, y>; w <- w - a g (Barzilai and Borwein
    1988, IMA J. Numer. Anal. 8:141; stochastic: Tan et al. 2016, arXiv 1605.04131). The first step
    is `lr`, in the parameters' unit over the gradient's; the last is kept where <s, y> <= 0. On a
    quadratic it is the exact line search's step of the update before.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(bb1(0.1))
    [-0.1, -1.0]
    """
    return _two_point(lr, False)


def bb2(lr: Scalar = 0.01) -> optax.GradientTransformation:
    """The short Barzilai-Borwein step.

    a = <s, y> / <y, y>, else as `bb1` (Barzilai and Borwein 1988, IMA J. Numer. Anal. 8:141;
    stochastic: Tan et al. 2016, arXiv 1605.04131). Unit of `lr`: parameters over gradient.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(bb2(0.1))
    [-0.1, -1.0]
    """
    return _two_point(lr, True)


def _two_point(lr: Scalar, short: bool) -> optax.GradientTransformation:
    def init(params: Params) -> TwoPointState:
        zeros = optax.tree.zeros_like(params)
        zero = jnp.zeros((), float_dtype(params))
        return TwoPointState(zeros, zeros, zero, jnp.zeros((), jnp.int32))

    def update(grads: Params, state: TwoPointState, params: Params) -> tuple[Params, TwoPointState]:
        s, y = optax.tree.sub(params, state.params), optax.tree.sub(grads, state.grads)
        product = jnp.real(optax.tree.vdot(s, y))
        above = product if short else optax.tree.norm(s, squared=True)
        below = jnp.square(optax.tree.norm(y)) if short else product
        ratio = above / jnp.where(below > 0, below, 1)
        step = jnp.where((product > 0) & (below > 0), ratio, state.effective_lr)
        step = jnp.where((state.count == 0) | (step == 0), lr, step).astype(
            state.effective_lr.dtype
        )
        updates = jax.tree.map(lambda g: (-step * g).astype(g.dtype), grads)
        return updates, TwoPointState(params, grads, step, optax.safe_increment(state.count))

    return without_extra_args(init, update)
