"""Grids of learning rates."""

from __future__ import annotations

import numpy as np


def log_grid(low: float, high: float, num: int) -> np.ndarray:
    """`num` values from `low` to `high`, evenly spaced in log; f64[num], both ends exact.

    Raises:
        ValueError: an end is not finite and positive, or `num` is below 1 (1 needs low == high).

    >>> log_grid(1e-3, 1e-1, 3).tolist()
    [0.001, 0.01, 0.1]
    """
    if not (0 < low < np.inf and 0 < high < np.inf):
        raise ValueError(
            f"log_grid: the ends must be positive and finite, got {low!r} and {high!r}"
        )
    if num < 1 or (num == 1 and low != high):
        raise ValueError(f"log_grid: num must be at least 2 for two different ends, got {num!r}")
    values = np.geomspace(low, high, num)
    values[0], values[-1] = low, high
    return values
