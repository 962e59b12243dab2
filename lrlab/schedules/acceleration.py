"""Step sizes that accelerate plain gradient descent on smooth convex functions by their order."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from lrlab.schedules.lengths import whole
from lrlab.types import Scalar


def chebyshev(
    step: Scalar, steps: Scalar, *, condition: Scalar = 100.0, fractal: bool = True
) -> Scalar:
    """node_min / node_t: the optimal steps of gradient descent for curvatures in [L / condition,
    L].

    Steps are 1 / node_t with node_t = (L + m)/2 - (L - m)/2 cos((t - 1/2) pi / T), m = L /
    condition: they shrink the error by 2 s^T / (1 + s^2T), s = (sqrt(c) - 1) / (sqrt(c) + 1) (Young
    1953, J. Math. Phys. 32:243), in the numerically stable fractal order (Agarwal, Goel and Zhang
    2021, arXiv 2103.01338; for a T that is no power of two, that of the next one), or from the
    largest step down. The factor is relative to the largest step 1 / node_min, so that `peak` is
    that step, in 1 / curvature. Not zero at the end.

    >>> float(jnp.max(chebyshev(jnp.arange(8), 8)))
    1.0
    """
    total = whole("chebyshev", steps)
    order = jnp.asarray(fractal_order(total) if fractal else np.arange(total))
    number = order[jnp.clip(jnp.asarray(step).astype(int), 0, total - 1)]
    low = 1 / jnp.asarray(condition, jnp.result_type(float))

    def node(t: Scalar) -> Scalar:
        return (1 + low) / 2 - (1 - low) / 2 * jnp.cos((t + 0.5) * jnp.pi / total)

    return node(0) / node(number)


def fractal_order(steps: int) -> np.ndarray:
    """The order in which to use Chebyshev nodes 0 to steps - 1; int[steps].

    >>> fractal_order(4).tolist()
    [0, 3, 1, 2]
    """
    order = np.array([0])
    while len(order) < steps:
        order = np.stack([order, 2 * len(order) - 1 - order], 1).ravel()
    return order[order < steps]


def largest_step(curvature: float, condition: float, steps: int) -> float:
    """1 / node_min: the `peak` at which `chebyshev` is the published schedule; 1 / curvature.

    >>> round(largest_step(1.0, 100.0, 1), 6)
    1.980198
    """
    low = 1 / condition
    node = (1 + low) / 2 - (1 - low) / 2 * np.cos(0.5 * np.pi / steps)
    return float(1 / (curvature * node))


def silver(step: Scalar, steps: Scalar) -> Scalar:
    """1 + rho^(v - 1): silver step sizes, rho = 1 + sqrt(2).

    v is the number of times that 2 divides step + 1; `peak` = 1 / L, in 1 / curvature; the factors
    are larger than 1 by construction and do not fall to zero (Altschuler and Parrilo 2023, arXiv
    2309.07879).

    >>> [round(float(silver(k, 8)), 4) for k in range(4)]
    [1.4142, 2.0, 1.4142, 3.4142]
    """
    j = jnp.asarray(step).astype(int) + 1
    twos = jnp.log2((j & -j).astype(jnp.result_type(float)))
    return 1 + (1 + jnp.sqrt(2.0)) ** (twos - 1)
