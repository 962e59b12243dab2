"""Schedules from the bound on the last iterate of subgradient descent, and the bound itself."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from lrlab.core.errors import FieldError
from lrlab.schedules.lengths import whole
from lrlab.types import Scalar

POINTS = 48
"""How many values the optimized schedule has before it is stretched over the steps."""


def refined(
    step: Scalar,
    steps: Scalar,
    *,
    norms: Sequence[float] = (),
    power: float = 2.0,
    smooth: float = 0.1,
) -> Scalar:
    """w_t sum_{p > t} w_p over its largest value: the schedule refined from measured gradient
    norms.

    w = median(norms)^-power, the median over a window of `smooth` times the length; `norms` are the
    gradient norms of a run (any number of values, stretched over the steps), L2 norms with power 2
    for SGD, L1 norms with power 1 for Adam (Defazio et al. 2023, arXiv 2310.07831, algorithm 1).
    Zero at the last update. Without norms: linear decay. No unit.

    >>> [round(float(refined(k, 5)), 6) for k in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if hasattr(power, "aval") or hasattr(smooth, "aval"):
        raise FieldError(
            "power",
            "schedule 'refined': power and smooth cannot be lane axes; use groups",
            also="smooth",
        )
    return _look_up(refined_table(whole("refined", steps), tuple(norms), power, smooth), step)


@functools.lru_cache(maxsize=32)
def refined_table(
    steps: int, norms: tuple[float, ...], power: float = 2.0, smooth: float = 0.1
) -> np.ndarray:
    """The factors of `refined`; f64[steps].

    Raises:
        ValueError: a norm that is not positive and finite.
    """
    from scipy.ndimage import median_filter

    measured = np.asarray(norms if len(norms) else (1.0,), float)
    if not (np.isfinite(measured).all() and (measured > 0).all()):
        raise FieldError("norms", "schedule 'refined': norms must be positive and finite")
    window = max(1, round(smooth * len(measured)))
    weights = median_filter(measured, window, mode="nearest") ** -power
    weights = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(weights)), weights)
    tail = np.concatenate([np.cumsum(weights[::-1])[::-1][1:], [0.0]])
    table = weights * tail
    return table / table.max() if steps > 1 else np.ones(1)


def last_iterate(step: Scalar, steps: Scalar, *, norms: Sequence[float] = ()) -> Scalar:
    """r / max(r) for the rates r that minimize `last_iterate_bound`.

    The bound (Defazio et al. 2023, arXiv 2310.07831) for gradient `norms` (any number of values,
    stretched over the steps; equal ones by default), minimized at 48 points, stretched over the
    steps. For equal norms that is linear decay but for a larger last value; linear decay attains
    the best possible worst case (Zamani and Glineur 2023, arXiv 2307.11134). No unit; not zero at
    the end.

    >>> [round(float(last_iterate(k, 48)), 2) for k in (0, 24, 46, 47)]
    [1.0, 0.51, 0.09, 0.21]
    """
    import jax.numpy as jnp

    table = jnp.asarray(optimal_table(tuple(norms)), jnp.result_type(float))
    places = jnp.linspace(0, 1, len(table))
    return jnp.interp(step / jnp.maximum(steps - 1, 1), places, table)


@functools.lru_cache(maxsize=32)
def optimal_table(norms: tuple[float, ...], points: int = POINTS) -> np.ndarray:
    """The schedule that minimizes the bound for gradient norms; f64[points], largest value 1."""
    from scipy.optimize import minimize

    measured = np.asarray(norms if len(norms) else (1.0,), float)
    if not (np.isfinite(measured).all() and (measured > 0).all()):
        raise FieldError("norms", "schedule 'last_iterate': norms must be positive and finite")
    spread = np.interp(np.linspace(0, 1, points), np.linspace(0, 1, len(measured)), measured)
    spread = spread / spread.mean()
    first = np.log(1 - np.arange(points) / points) - np.log(points) / 2
    optimum = minimize(
        lambda logs: np.log(last_iterate_bound(np.exp(logs), spread)), first, method="L-BFGS-B"
    )
    rates = np.exp(optimum.x)
    return rates / rates.max()


def last_iterate_bound(rates: Scalar, norms: Scalar = 1.0, distance: float = 1.0) -> float:
    """An upper bound on f(w_T) - f* of subgradient descent on a convex f, in the loss's unit.

    (D^2 + sum r^2 G^2) / (2 sum r) + 1/2 sum_{k < T} r_k / sum_{t > k} r_t * sum_{t >= k} r_t^2
    G_t^2 / sum_{t >= k} r_t (Defazio et al. 2023, arXiv 2310.07831, theorem 10; Schaipp et al.
    2025, arXiv 2501.18965).

    Args:
        rates: f[T], positive; norms: gradient norms, f[T] or one; distance: D = |w_0 - w*|.

    >>> rates = np.ones(1)
    >>> last_iterate_bound(rates)
    1.0
    """
    r = np.asarray(rates, float)
    squares = r**2 * np.broadcast_to(np.asarray(norms, float), r.shape) ** 2
    tails, square_tails = np.cumsum(r[::-1])[::-1], np.cumsum(squares[::-1])[::-1]
    later = np.sum(r[:-1] / tails[1:] * square_tails[:-1] / tails[:-1])
    return float((distance**2 + square_tails[0]) / (2 * tails[0]) + later / 2)


def _look_up(table: np.ndarray, step: Scalar) -> Scalar:
    import jax.numpy as jnp

    values = jnp.asarray(table, jnp.result_type(float))
    return values[jnp.clip(jnp.asarray(step).astype(int), 0, len(table) - 1)]
