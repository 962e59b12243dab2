"""D-Adaptation: step sizes from a lower bound d on the distance to the solution.

`lr` multiplies d (no unit; 1 is the published method, a schedule of it is meant to decay to 0); d
has the parameters' unit. The step size recorded is the one that multiplies the direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import idle_at_zero, recorded, without_extra_args
from lrlab.types import Array, Params, Scalar


def dadapt_adam(
    lr: Scalar = 1.0,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    estim_lr0: float = 1e-6,
    weight_decay: float = 0.0,
    use_bias_correction: bool = True,
) -> optax.GradientTransformation:
    """D-Adaptation for Adam: d instead of a learning rate.

    d <- max(d, r / ((1 - sqrt(b2)) |s|_1)), s the weighted sum of gradients, r that of lr d <g, s /
    (sqrt(v) + eps)>; w <- w - lr d Adam(g), d that before the update (Defazio and Mishchenko 2023,
    arXiv 2301.07733). Optax corrects Adam's bias; the authors' package does so on request alone,
    and its default is `use_bias_correction = False`. `lr` has no unit, d the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(dadapt_adam(estim_lr0=0.1))
    [-0.1, -0.1]
    """
    rate = lr if use_bias_correction else uncorrected(lr, b1, b2)
    inner = optax.contrib.dadapt_adamw(rate, (b1, b2), eps, estim_lr0, weight_decay)
    waiting = idle_at_zero(inner, lr, lambda _, state: state.grad_sum)
    return recorded(waiting, lambda before, _: lr * before.estim_lr)


def uncorrected(lr: Scalar, b1: Scalar, b2: Scalar) -> Callable[[Array], Array]:
    """The learning rate `lr` over Adam's bias correction sqrt(1 - b2^t) / (1 - b1^t), t = `count` +
    1: for methods of Optax that multiply with the correction, and shall not.

    >>> round(float(uncorrected(1.0, 0.9, 0.999)(0) * (1 - 0.999) ** 0.5 / (1 - 0.9)), 6)
    1.0
    """

    def rate(count: Array) -> Array:
        t = count + 1
        return lr * (1 - b1**t) / (1 - b2**t) ** 0.5

    return rate


class DAdaptSGDState(NamedTuple):
    """Scalars d, the norm of the first gradient that is not zero, summed <a g, s>; s and the
    starting point; updates.
    """

    estim_lr: Array
    first_norm: Array
    numerator: Array
    grad_sum: Params
    start: Params
    count: Array


def dadapt_sgd(
    lr: Scalar = 1.0,
    *,
    momentum: float = 0.0,
    estim_lr0: float = 1e-6,
    growth_rate: float | None = None,
) -> optax.GradientTransformation:
    """D-Adaptation for SGD: step sizes d over the first gradient's norm.

    With a = lr d / |g_0|: s <- s + a g; d <- max(d, 2 sum a <g, s_before> / |s|), at most
    growth_rate d; z = w_0 - s; w <- momentum w + (1 - momentum) z (Defazio and Mishchenko 2023,
    arXiv 2301.07733, in the authors' version 3).

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(dadapt_sgd(estim_lr0=0.1))
    [-0.01, -0.0995]
    """

    def init(params: Params) -> DAdaptSGDState:
        zero = jnp.zeros((), float_dtype(params))
        return DAdaptSGDState(
            estim_lr=zero + estim_lr0,
            first_norm=zero,
            numerator=zero,
            grad_sum=optax.tree.zeros_like(params),
            start=jax.tree.map(jnp.array, params),
            count=jnp.zeros((), jnp.int32),
        )

    def update(
        grads: Params, state: DAdaptSGDState, params: Params
    ) -> tuple[Params, DAdaptSGDState]:
        first_norm = jnp.where(state.first_norm == 0, optax.tree.norm(grads), state.first_norm)
        step = state.estim_lr * lr / jnp.where(first_norm > 0, first_norm, 1)
        numerator = state.numerator + step * jnp.real(optax.tree.vdot(grads, state.grad_sum))
        grad_sum = jax.tree.map(lambda s, g: s + (step * g).astype(s.dtype), state.grad_sum, grads)
        norm = optax.tree.norm(grad_sum)
        estimate = 2 * numerator / jnp.where(norm > 0, norm, 1)
        if growth_rate is not None:
            estimate = jnp.minimum(estimate, state.estim_lr * growth_rate)
        estim_lr = jnp.maximum(state.estim_lr, estimate)
        updates = jax.tree.map(
            lambda p, p0, s: (1 - momentum) * (p0 - s - p), params, state.start, grad_sum
        )
        new = DAdaptSGDState(
            estim_lr.astype(state.estim_lr.dtype),
            first_norm,
            numerator.astype(state.numerator.dtype),
            grad_sum,
            state.start,
            optax.safe_increment(state.count),
        )
        return updates, new

    def step_size(before: DAdaptSGDState, after: DAdaptSGDState) -> Array:
        return lr * before.estim_lr / jnp.where(after.first_norm > 0, after.first_norm, 1)

    return recorded(without_extra_args(init, update), step_size)


class DAdaptLionState(NamedTuple):
    """Scalars d and n; the momentum m and the weighted sum s of updates."""

    estim_lr: Array
    numerator: Array
    exp_avg: Params
    update_sum: Params


def dadapt_lion(
    lr: Scalar = 1.0,
    *,
    b1: float = 0.9,
    b2: float = 0.99,
    estim_lr0: float = 1e-6,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """D-Adaptation for Lion, as the authors' package has it.

    With a = lr d, q = sqrt(b2): u = sign(b1 m + (1 - b1) g); w <- (1 - a weight_decay) w - a u; m
    <- b2 m + (1 - b2) a g; n <- q n + (1 - q) a <u, s>, s <- q s + (1 - q) a u; d <- max(d, n / ((1
    - q) |s|_1)) (package `dadaptation` 3.2 of Defazio and Mishchenko 2023, arXiv 2301.07733; Lion:
    Chen et al. 2023, arXiv 2302.06675). `lr` has no unit, d the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(dadapt_lion(estim_lr0=0.1))
    [-0.1, -0.1]
    """
    root = b2**0.5

    def init(params: Params) -> DAdaptLionState:
        zeros = optax.tree.zeros_like(params)
        zero = jnp.zeros((), float_dtype(params))
        return DAdaptLionState(zero + estim_lr0, zero, zeros, zeros)

    def update(
        grads: Params, state: DAdaptLionState, params: Params
    ) -> tuple[Params, DAdaptLionState]:
        step = state.estim_lr * lr
        signs = jax.tree.map(lambda m, g: jnp.sign(b1 * m + (1 - b1) * g), state.exp_avg, grads)
        exp_avg = jax.tree.map(
            lambda m, g: (b2 * m + (1 - b2) * step * g).astype(m.dtype), state.exp_avg, grads
        )
        # Without a gradient the signs are the momentum's: they would let d grow without end.
        learns = optax.tree.norm(grads) > 0
        product = step * jnp.real(optax.tree.vdot(signs, state.update_sum))
        numerator = root * state.numerator + (1 - root) * product
        update_sum = jax.tree.map(
            lambda s, u: (root * s + (1 - root) * step * u).astype(s.dtype), state.update_sum, signs
        )
        size = jnp.asarray(optax.tree.sum(jax.tree.map(lambda s: jnp.sum(jnp.abs(s)), update_sum)))
        estimate = numerator / ((1 - root) * jnp.where(size > 0, size, 1))
        estim_lr = jnp.maximum(state.estim_lr, estimate).astype(state.estim_lr.dtype)
        estim_lr, numerator, update_sum = jax.tree.map(
            lambda new, old: jnp.where(learns, new, old),
            (estim_lr, numerator, update_sum),
            (state.estim_lr, state.numerator, state.update_sum),
        )
        updates = jax.tree.map(lambda u, p: -step * (u + weight_decay * p), signs, params)
        return updates, DAdaptLionState(estim_lr, numerator, exp_avg, update_sum)

    return recorded(without_extra_args(init, update), lambda before, _: lr * before.estim_lr)
