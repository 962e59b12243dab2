"""Step sizes that accelerate plain gradient descent on smooth convex functions by their order."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np


def chebyshev(step: Any, steps: Any, *, condition: float = 100.0, fractal: bool = True) -> Any:
    """Chebyshev step sizes for curvatures in [1/condition, 1] of the largest: the optimal steps of
    gradient descent on a quadratic (Young 1953; the fractal, numerically stable order of Agarwal,
    Goel and Zhang 2021, arXiv 2103.01338, where `steps` is a power of two).

    Inverse steps: the Chebyshev nodes (M + m)/2 - (M - m)/2 cos((t - 1/2) pi / T); the factor is
    relative to the largest step, so that `peak` = 1 / min(node) gives the published schedule.

    >>> float(jnp.max(chebyshev(jnp.arange(8), 8)))
    1.0
    """
    table = jnp.asarray(chebyshev_table(int(steps), condition, fractal), jnp.result_type(float))
    return table[jnp.clip(jnp.asarray(step).astype(int), 0, int(steps) - 1)]


def chebyshev_table(steps: int, condition: float, fractal: bool) -> np.ndarray:
    """The factors of `chebyshev` in the order of use; f64[steps]."""
    low = 1 / condition
    angle = (np.arange(1, steps + 1) - 0.5) * np.pi / steps
    inverse = (1 + low) / 2 - (1 - low) / 2 * np.cos(angle)
    rates = 1 / inverse
    order = np.arange(steps)
    if fractal and steps & (steps - 1) == 0:
        sigma = np.array([0])
        while len(sigma) < steps:
            sigma = np.stack([sigma, 2 * len(sigma) - 1 - sigma], 1).ravel()
        order = sigma
    return rates[order] / rates.max()


def silver(step: Any, steps: Any) -> Any:
    """Silver step sizes: 1 + rho^(v(k+1) - 1), rho = 1 + sqrt(2), v(j) the number of times that 2
    divides j (Altschuler and Parrilo 2023, arXiv 2309.07879), for a peak of 1/L; larger than the
    peak by construction.

    >>> [round(float(silver(k, 8)), 4) for k in range(4)]
    [1.4142, 2.0, 1.4142, 3.4142]
    """
    j = jnp.asarray(step).astype(int) + 1
    twos = jnp.log2((j & -j).astype(jnp.result_type(float)))
    return 1 + (1 + jnp.sqrt(2.0)) ** (twos - 1)
