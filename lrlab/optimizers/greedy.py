"""Greedy doubling and halving: the bold driver."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import with_extra_args
from lrlab.optimizers.wrappers import base_optimizer
from lrlab.types import Array, Params, PyTree, Scalar


class GreedyState(NamedTuple):
    """Scalars: the factor of the learning rate, the mean loss of the last period, the running mean
    and its number of values (int32), the step size in use; the base optimizer's state.
    """

    scale: Array
    before: Array
    mean: Array
    count: Array
    effective_lr: Array
    inner: PyTree


def greedy(
    lr: Scalar,
    *,
    base: str = "sgd",
    up: float = 2.0,
    down: float = 0.5,
    every: int = 20,
    smallest: float = 1e-4,
    largest: float = 1e4,
) -> optax.GradientTransformation:
    """A larger learning rate while the loss falls, a smaller one when it rises.

    Each `every` updates, with f the mean minibatch loss of the period: s <- s up where f <
    f_before, else s down, within [smallest, largest]; the learning rate is lr s (Vogl et al. 1988,
    Biol. Cybern. 59:257; in networks today: Subramanian et al. 2025, arXiv 2512.14527). `lr` as for
    `base`, `every` in updates, the rest without unit. Needs the loss (`value`).

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(greedy(0.1))
    [-0.1, -1.0]
    """
    inner = base_optimizer(base, lr)

    def init(params: Params) -> GreedyState:
        zero = jnp.zeros((), float_dtype(params))
        none = jnp.zeros((), jnp.int32)
        return GreedyState(zero + 1, zero + jnp.inf, zero, none, zero, inner.init(params))

    def update(
        grads: Params, state: GreedyState, params: Params, *, value: Scalar, **extra: object
    ) -> tuple[Params, GreedyState]:
        count = state.count + 1
        mean = state.mean + (jnp.asarray(value, state.mean.dtype) - state.mean) / count
        now = count >= every
        grown = state.scale * jnp.where(mean < state.before, up, down)
        moved = jnp.clip(jnp.where(jnp.isinf(state.before), state.scale, grown), smallest, largest)
        scale = jnp.where(now, moved, state.scale).astype(state.scale.dtype)
        updates, new = inner.update(grads, state.inner, params, value=value, **extra)
        updates = jax.tree.map(lambda u: (scale * u).astype(u.dtype), updates)
        return updates, GreedyState(
            scale=scale,
            before=jnp.where(now, mean, state.before),
            mean=jnp.where(now, 0, mean),
            count=jnp.where(now, 0, count),
            effective_lr=jnp.asarray(lr * scale, scale.dtype),
            inner=new,
        )

    return with_extra_args(init, update)
