"""Methods around another registered optimizer, chosen by `base` (with its default settings)."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.core.errors import FieldError
from lrlab.optimizers.transforms import ValueFn, gradient, with_extra_args
from lrlab.types import Array, Params, PyTree, Scalar


def base_optimizer(base: str, lr: Scalar) -> optax.GradientTransformationExtraArgs:
    """The registered optimizer `base` at its defaults.

    Raises:
        FieldError: there is no such optimizer.
    """
    from lrlab.optimizers import make

    try:
        return optax.with_extra_args_support(make(base, lr))
    except ValueError as error:
        raise FieldError("base", str(error)) from error


class LookaheadState(NamedTuple):
    """The slow weights, evaluated; `count` int32 updates; the fast optimizer's state."""

    evaluation: Params
    count: Array
    inner: PyTree


def lookahead(
    lr: Scalar, *, base: str = "adam", sync_period: int = 6, slow_step_size: float = 0.5
) -> optax.GradientTransformation:
    """Lookahead: slow weights that follow a fast optimizer.

    Each `sync_period` updates: slow <- slow + slow_step_size (w - slow); w <- slow (Zhang et al.
    2019, arXiv 1907.08610). Evaluation is at the slow weights. `lr` as for `base`.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(lookahead(0.1, sync_period=1))
    [-0.05, -0.05]
    """
    inner = base_optimizer(base, lr)

    def init(params: Params) -> LookaheadState:
        slow = jax.tree.map(jnp.array, params)
        return LookaheadState(slow, jnp.zeros((), jnp.int32), inner.init(params))

    def update(
        grads: Params, state: LookaheadState, params: Params, **extra: object
    ) -> tuple[Params, LookaheadState]:
        updates, new = inner.update(grads, state.inner, params, **extra)
        count = jnp.asarray(optax.safe_increment(state.count))
        now = count % sync_period == 0
        slow = jax.tree.map(
            lambda s, p, u: jnp.where(now, s + slow_step_size * (p + u - s), s).astype(s.dtype),
            state.evaluation,
            params,
            updates,
        )
        updates = jax.tree.map(lambda s, p, u: jnp.where(now, s - p, u), slow, params, updates)
        return updates, LookaheadState(slow, count, new)

    return with_extra_args(init, update)


def sam(lr: Scalar, *, base: str = "momentum", rho: float = 0.05) -> optax.GradientTransformation:
    """Sharpness-aware minimization: the gradient at the worst point nearby.

    w <- base update with the gradient at w + rho g / |g| (Foret et al. 2021, arXiv 2010.01412).
    `rho` is a distance between parameters; two gradients for each update. Needs the loss as a
    function (`value_fn`). `lr` as for `base`.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(sam(0.1, base="sgd", rho=0.0))
    [-0.1, -1.0]
    """
    inner = base_optimizer(base, lr)

    def update(
        grads: Params, state: PyTree, params: Params, *, value_fn: ValueFn, **extra: object
    ) -> tuple[Params, PyTree]:
        norm = optax.tree.norm(grads)
        scale = rho / jnp.where(norm > 0, norm, 1)
        worst = jax.tree.map(lambda p, g: p + (scale * g).astype(p.dtype), params, grads)
        return inner.update(gradient(value_fn)(worst), state, params, value_fn=value_fn, **extra)

    return with_extra_args(inner.init, update)
