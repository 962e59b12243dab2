"""Gradient descent with noise on the gradient. g is the gradient, w the parameters."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.transforms import without_extra_args
from lrlab.rng import key
from lrlab.types import Array, Params, Scalar


class NoiseState(NamedTuple):
    """Updates made, int32."""

    count: Array


def noisy_sgd(
    lr: Scalar, *, eta: float = 0.01, gamma: float = 0.55, seed: int = 0
) -> optax.GradientTransformation:
    """Gradient descent with annealed Gaussian noise on the gradient.

    w <- w - lr (g + N(0, eta / (1 + t)^gamma)) (Neelakantan et al. 2015, arXiv 1511.06807). `eta`
    is a variance of gradients. Every lane draws the same noise from `seed`. Unit of `lr`: the
    parameters' over the gradient's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(noisy_sgd(0.1, eta=0.0))
    [-0.1, -1.0]
    """

    def init(params: Params) -> NoiseState:
        return NoiseState(jnp.zeros((), jnp.int32))

    def update(
        grads: Params, state: NoiseState, params: Params | None = None
    ) -> tuple[Params, NoiseState]:
        # Keys follow from the count, so that the state holds plain numbers only.
        noise = optax.tree.random_like(
            key(seed, "noise", state.count), grads, sampler=jax.random.normal
        )
        deviation = jnp.sqrt(eta / (1 + state.count) ** gamma)
        updates = jax.tree.map(
            lambda g, n: (-lr * (g + deviation * n)).astype(g.dtype), grads, noise
        )
        return updates, NoiseState(jnp.asarray(optax.safe_increment(state.count)))

    return without_extra_args(init, update)


def dpsgd(
    lr: Scalar,
    *,
    l2_norm_clip: float = 1.0,
    noise_multiplier: float = 1.0,
    momentum: float = 0.0,
    seed: int = 0,
) -> optax.GradientTransformation:
    """SGD with clipped and noisy gradients, the batch being one microbatch.

    w <- w - lr m, m <- momentum m + g min(1, C / |g|) + C N(0, noise_multiplier^2), C =
    `l2_norm_clip` in the gradient's unit (Abadi et al. 2016, arXiv 1607.00133; microbatches:
    McMahan et al. 2018, arXiv 1812.06210). A step sees the batch's mean gradient only: what is
    clipped is that, so that the privacy of DP-SGD holds for whole batches, for examples at a batch
    of 1. Every lane draws the same noise from `seed`.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(dpsgd(0.1, noise_multiplier=0.0))
    [-0.01, -0.0995]
    """

    def init(params: Params) -> NoiseState:
        return NoiseState(jnp.zeros((), jnp.int32))

    def update(
        grads: Params, state: NoiseState, params: Params | None = None
    ) -> tuple[Params, NoiseState]:
        noise = optax.tree.random_like(
            key(seed, "dpsgd", state.count), grads, sampler=jax.random.normal
        )
        scale = 1 / jnp.maximum(optax.tree.norm(grads) / l2_norm_clip, 1)
        deviation = l2_norm_clip * noise_multiplier
        updates = jax.tree.map(
            lambda g, n: (scale * g + deviation * n).astype(g.dtype), grads, noise
        )
        return updates, NoiseState(jnp.asarray(optax.safe_increment(state.count)))

    return optax.chain(
        without_extra_args(init, update),
        optax.trace(decay=momentum),
        optax.scale_by_learning_rate(lr),
    )
