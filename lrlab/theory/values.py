"""Scalars and arrays alike: what the closed forms take, give, and refuse."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Number = float | np.ndarray
"""A float where all arguments are scalars, else f64 of their common shape."""


def number(value: ArrayLike) -> Number:
    """A float, or an array of floats: lists would not divide.

    >>> number(2), number([1, 2]).tolist()
    (2.0, [1.0, 2.0])
    """
    array = np.asarray(value, np.float64)
    return float(array) if array.ndim == 0 else array


def positive(name: str, *values: ArrayLike) -> None:
    """Refuses what is not above 0.

    Raises:
        ValueError: with the name and the values.
    """
    if not all(np.all(np.asarray(value) > 0) for value in values):
        raise ValueError(f"{name} must be above 0, not {' and '.join(map(str, values))}")


def valid_momentum(momentum: ArrayLike) -> None:
    """Refuses what is not from 0 to below 1.

    Raises:
        ValueError: with the momentum.
    """
    if not np.all((np.asarray(momentum) >= 0) & (np.asarray(momentum) < 1)):
        raise ValueError(f"momentum must be in [0, 1), not {momentum}")
