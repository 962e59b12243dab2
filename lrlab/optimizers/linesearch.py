"""Line searches along the negative gradient, on the batch of the step (`value`, `value_fn`).

`lr` is the longest step tried (Armijo), the first one (stochastic search) or a factor of the step
found (zoom, exact). Steps are in the parameters' unit over the gradient's.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.polyak import StepState, no_step
from lrlab.optimizers.transforms import (
    ValueFn,
    gradient,
    recorded,
    strongly_typed,
    with_extra_args,
)
from lrlab.types import Array, Params, Scalar


def armijo(
    lr: Scalar = 1.0, *, c: float = 1e-4, decrease: float = 0.5, max_steps: int = 40
) -> optax.GradientTransformation:
    """Backtracking from `lr` until the loss has fallen enough.

    The first a in lr, lr decrease, lr decrease^2, ... with f(w - a g) <= f(w) - c a |g|^2; w stays
    where none of `max_steps` does (Armijo 1966, Pacific J. Math. 16:1; Nocedal and Wright 2006,
    algorithm 3.1). Unit of `lr`: the parameters' over the gradient's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(armijo())
    [-0.125, -1.25]
    """
    return _backtracking(lr, c, decrease, max_steps, None)


def stochastic_line_search(
    lr: Scalar = 1.0,
    *,
    c: float = 0.1,
    decrease: float = 0.9,
    growth: float = 2.0,
    max_steps: int = 100,
) -> optax.GradientTransformation:
    """Armijo's condition on the minibatch, starting from the step before.

    The first a in s, s decrease, ... with f(w - a g) <= f(w) - c a |g|^2, s = min(lr, growth
    a_before), on the loss of the batch (Vaswani et al. 2019, arXiv 1905.09997, whose growth is
    2^(batch / examples)). Unit of `lr`: the parameters' over the gradient's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(stochastic_line_search())
    [-0.1668, -1.6677]
    """
    return _backtracking(lr, c, decrease, max_steps, growth)


def zoom_line_search(
    lr: Scalar = 1.0,
    *,
    max_steps: int = 20,
    slope_rtol: float = 1e-4,
    curv_rtol: float = 0.9,
    tol: float = 0.0,
) -> optax.GradientTransformation:
    """A step with enough decrease and enough change of slope (strong Wolfe conditions).

    f(w + a d) <= f(w) + slope_rtol a <g, d> and |<g(w + a d), d>| <= curv_rtol |<g, d>|, d = -lr g
    (Nocedal and Wright 2006, algorithms 3.5 and 3.6, in Optax's form). The step size recorded is
    lr a.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(zoom_line_search(0.1))
    [-0.1, -1.0]
    """
    inner = optax.chain(
        optax.sgd(lr),
        optax.scale_by_zoom_linesearch(
            max_steps, tol=tol, slope_rtol=slope_rtol, curv_rtol=curv_rtol
        ),
    )
    return recorded(strongly_typed(inner), lambda _, state: lr * state[1].learning_rate)


def exact_line_search(lr: Scalar = 1.0) -> optax.GradientTransformation:
    """The step that minimizes the loss's second-order model along the gradient.

    w <- w - lr a g, a = |g|^2 / <g, H g> (Cauchy 1847, C. R. Acad. Sci. 25:536): exact on
    quadratics at lr = 1, which has no unit. The last step is kept where the curvature is not
    positive.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(exact_line_search())
    [-0.1009, -1.009]
    """

    def update(
        grads: Params, state: StepState, params: Params, *, value_fn: ValueFn, **extra: object
    ) -> tuple[Params, StepState]:
        curved = jax.jvp(gradient(value_fn), (params,), (grads,))[1]
        curvature = jnp.real(optax.tree.vdot(grads, curved))
        squared = optax.tree.norm(grads, squared=True)
        newton = lr * squared / jnp.where(curvature > 0, curvature, 1)
        step = jnp.where(curvature > 0, newton, state.effective_lr)
        step = step.astype(state.effective_lr.dtype)
        updates = jax.tree.map(lambda g: (-step * g).astype(g.dtype), grads)
        return updates, StepState(step, optax.safe_increment(state.count))

    return with_extra_args(no_step, update)


def _backtracking(
    lr: Scalar, c: Scalar, decrease: Scalar, max_steps: int, growth: Scalar | None
) -> optax.GradientTransformationExtraArgs:
    def update(
        grads: Params,
        state: StepState,
        params: Params,
        *,
        value: Scalar,
        value_fn: ValueFn,
        **extra: object,
    ) -> tuple[Params, StepState]:
        squared = optax.tree.norm(grads, squared=True)
        dtype = state.effective_lr.dtype

        def enough(step: Array) -> Array:
            moved = jax.tree.map(lambda p, g: p - (step * g).astype(p.dtype), params, grads)
            return value_fn(moved) <= value - c * step * squared

        start = jnp.asarray(lr, dtype)
        if growth is not None:
            kept = jnp.minimum(start, growth * state.effective_lr)
            start = jnp.where((state.count > 0) & (state.effective_lr > 0), kept, start)
        start = start.astype(dtype)

        def unfinished(carry: tuple[Array, Array, Array]) -> Array:
            _, tried, accepted = carry
            return (tried < max_steps) & ~accepted

        def shorter(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            step, tried, _ = carry
            step = (step * decrease).astype(dtype)
            return step, tried + 1, enough(step)

        step, _, accepted = jax.lax.while_loop(unfinished, shorter, (start, 0, enough(start)))
        step = jnp.where(accepted, step, 0)
        updates = jax.tree.map(lambda g: (-step * g).astype(g.dtype), grads)
        return updates, StepState(step, optax.safe_increment(state.count))

    return with_extra_args(no_step, update)
