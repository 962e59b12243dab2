"""Gradient noise: the two-batch estimator and the critical batch size."""

from __future__ import annotations

from typing import Any


def two_batch_estimates(
    small_norm2: Any, big_norm2: Any, small: float, big: float
) -> tuple[Any, Any]:
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
