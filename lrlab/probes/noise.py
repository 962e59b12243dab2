"""Gradient noise: the two-batch estimator, the noise scale, the critical batch size."""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from lrlab.core.errors import FieldError
from lrlab.probes.lane import (
    at_least,
    count_of,
    first_examples,
    in_parts,
    loss_on,
    ratio,
    training_loss,
)
from lrlab.types import Array, LaneView, PyTree

Value = TypeVar("Value", float, np.ndarray, jax.Array)


def two_batch_estimates(
    small_norm2: Value, big_norm2: Value, small: float, big: float
) -> tuple[Value, Value]:
    """Unbiased |G|^2 and trace of the per-example gradient covariance S, from two batch sizes.

    |G|^2 = (B |g_B|^2 - b |g_b|^2)/(B - b), tr S = (|g_b|^2 - |g_B|^2)/(1/b - 1/B). Their ratio
    tr S / |G|^2 estimates the critical batch size (in examples; itself biased: average both first).
    Arguments are scalars or arrays. Cost: none beyond the two gradients.

    Source: McCandlish et al. 2018 (arXiv 1812.06162), appendix A.1. ValueError unless small < big.

    >>> two_batch_estimates(3.0, 2.0, 1, 2)
    (1.0, 2.0)
    """
    if not 0 < small < big:
        raise ValueError(f"batch sizes must be 0 < small < big, not {small} and {big}")
    squared = (big * big_norm2 - small * small_norm2) / (big - small)
    return squared, (small_norm2 - big_norm2) / (1 / small - 1 / big)


def noise_scale(
    lane: LaneView, *, batches: int = 8, examples: int | None = None
) -> dict[str, Array]:
    """Gradient noise scale tr S / |G|^2, in examples; 1 gradient evaluation.

    Below that batch size doubling the batch is worth about as much as doubling the steps. From the
    gradients of `batches` parts of the first `examples`: `gradient_norm2` = |G|^2 and
    `gradient_variance` = tr S, each without bias, and their ratio `noise_scale` (nan where |G|^2
    comes out at 0 or below: average the two over evaluations and seeds, then divide). Dropout and
    the like count as noise; an objective's noise is that of its key, one key an example.

    Source: McCandlish et al. 2018 (arXiv 1812.06162), simple noise scale.

    >>> from lrlab.probes.toy import bowl
    >>> float(noise_scale(bowl([1.0, 1.0]))["gradient_variance"])
    0.0
    """
    gradients, size = part_gradients(lane, batches, examples)
    squared, trace = _two_sizes(jnp.sum(gradients**2, 1).mean(), gradients, size)
    return {
        "gradient_norm2": squared,
        "gradient_variance": trace,
        "noise_scale": ratio(trace, jnp.maximum(squared, 0)),
    }


def critical_batch_size(
    lane: LaneView, *, batches: int = 8, examples: int | None = None
) -> dict[str, Array]:
    """Noise scale tr(H S) / G.H G that counts curvature, in examples; 17 gradient evaluations.

    Where the loss gained by an update with the best LR is half of what the full gradient gains.
    `curvature_signal` = G.H G and `curvature_noise` = tr(H S), from the gradients of `batches`
    parts of the first `examples`; `critical_batch_size` is their ratio (nan where G.H G is not
    above 0). One Hessian-vector product for each part.

    Source: McCandlish et al. 2018 (arXiv 1812.06162), equation 2.8.

    >>> from lrlab.probes.toy import bowl
    >>> round(float(critical_batch_size(bowl([2.0]))["curvature_signal"]), 4)
    8.0
    """
    gradients, size = part_gradients(lane, batches, examples)
    flat, unravel = ravel_pytree(lane.params)
    loss = training_loss(lane, examples)
    slope = jax.grad(lambda vector: loss(unravel(vector)))
    mapped = jax.lax.map(lambda g: jax.jvp(slope, (flat,), (g,))[1], gradients)
    small = jnp.sum(gradients * mapped, 1).mean()
    big = gradients.mean(0) @ mapped.mean(0)
    signal, noise = two_batch_estimates(small, big, size, size * len(gradients))
    return {
        "curvature_signal": signal,
        "curvature_noise": noise,
        "critical_batch_size": ratio(noise, jnp.maximum(signal, 0)),
    }


def gradient_snr(
    lane: LaneView, *, batches: int = 8, examples: int | None = None
) -> dict[str, Array]:
    """Signal over noise of the gradient, |G|^2 B / tr S at the run's batch size B; 1 gradient
    evaluation.

    `gradient_snr` (B is the whole split where a step takes it all; inf without noise), and
    `gradient_snr_mean`: the mean over parameters of the squared mean of the gradient over its
    variance, per example, from the parts (biased up by 1 / examples; 0 where nothing varies).

    Source: Liu et al. 2020 (arXiv 2001.07384) for the second.

    >>> from lrlab.probes.toy import bowl
    >>> float(gradient_snr(bowl([1.0]))["gradient_snr"])
    inf
    """
    gradients, size = part_gradients(lane, batches, examples)
    squared, trace = _two_sizes(jnp.sum(gradients**2, 1).mean(), gradients, size)
    count = 1 if lane.data is None else count_of(lane.data)
    batch = count if lane.batch_size is None else lane.batch_size
    variance = size * gradients.var(0, ddof=1)
    # A parameter that the loss ignores (a bias before a normalization) has rounding for gradients.
    rounding = (100 * jnp.finfo(gradients.dtype).eps * jnp.max(jnp.abs(gradients))) ** 2
    varies = ~(variance <= size * rounding)
    each = jnp.where(varies, gradients.mean(0) ** 2 / jnp.where(varies, variance, 1), 0)
    noise = trace / batch
    snr = jnp.where(noise > 0, squared / jnp.where(noise > 0, noise, 1), jnp.inf)
    return {"gradient_snr": jnp.where(jnp.isfinite(noise), snr, jnp.nan),
            "gradient_snr_mean": each.mean()}  # fmt: skip


def _two_sizes(small_norm2: Array, gradients: Array, size: int) -> tuple[Array, Array]:
    big_norm2 = jnp.sum(gradients.mean(0) ** 2)
    squared, trace = two_batch_estimates(small_norm2, big_norm2, size, size * len(gradients))
    # Equal gradients have no variance; what rounding leaves of it is not noise.
    tiny = 10 * jnp.finfo(gradients.dtype).eps * big_norm2 * size * len(gradients)
    return squared, jnp.where(jnp.abs(trace) <= tiny, 0, trace)


def part_gradients(lane: LaneView, batches: int, examples: int | None) -> tuple[Array, int]:
    """(gradients [batches, parameters], examples in each) of equal parts of the first `examples`.

    Raises:
        ValueError: fewer than 2 parts, or fewer examples than parts.
    """
    at_least("batches", batches, 2)
    flat, unravel = ravel_pytree(lane.params)
    data, size = first_examples(lane, examples), 1
    if data is not None:
        count = count_of(data)
        if count < batches:
            raise FieldError(
                "batches",
                f"{batches} parts of {count} training examples cannot be; give batches of at most "
                f"{count}, and examples of at least batches",
                also="examples",
            )
        size, data = count // batches, in_parts(data, batches)

    def one(part: tuple[Array, PyTree]) -> Array:
        number, batch = part
        loss = loss_on(lane, batch, jax.random.fold_in(lane.key, number))
        return jax.grad(lambda vector: loss(unravel(vector)))(flat)

    return jax.lax.map(one, (jnp.arange(batches), data)), size
