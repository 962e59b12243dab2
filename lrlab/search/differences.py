"""Which differences between losses count: never by the level at which the losses stand.

A constant added to a loss changes what training gains nowhere, so no threshold here or in the
search is a share of the loss itself. Small is what rounding makes at that level, or a share of what
training gains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

ROUNDING_STEPS = 16
"""Distances between neighboring numbers that rounding may add up to in a mean over examples."""

TIE_SHARE = 1e-4
"""Share of what training gains: scores that differ by less are tied in a decision. Far below what
anyone would see, far above rounding at most levels."""


def rounding(values: np.ndarray) -> float:
    """What rounding may make of differences between such values, in their own unit.

    `ROUNDING_STEPS` times the distance between numbers of their dtype at the largest of them; 0
    without a finite one.

    >>> rounding(np.array([2.0, -8.0])), rounding(np.array([2.0, np.nan], np.float32))
    (2.842170943040401e-14, 3.814697265625e-06)
    """
    array = np.asarray(values)
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
    finite = np.abs(array[np.isfinite(array)], dtype=np.float64)
    return float(ROUNDING_STEPS * np.finfo(dtype).eps * finite.max()) if finite.size else 0.0


def coarse(values: np.ndarray, gain: float) -> np.ndarray:
    """Values as whole multiples of `TIE_SHARE * gain` above the lowest, for choosing among them.

    Which of two that are as good is lower by a hair is chance, and another where a constant is
    added to the loss. What is not finite stays; so does everything where nothing is gained.

    >>> coarse(np.array([3.0, 2.0, 2.00001, np.inf]), 1.0).tolist()
    [10000.0, 0.0, 0.0, inf]
    """
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values)
    if not finite.any() or not (np.isfinite(gain) and gain > 0):
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.round((values - values[finite].min()) / (TIE_SHARE * gain))
    return np.where(finite, steps, values)


def digits(values: ArrayLike, least: int = 3, most: int = 12) -> int:
    """Significant digits that tell such values apart, whatever the level they stand at.

    The better three quarters count (the lower ones; for what is maximized pass the negative): what
    blew up needs no digits.

    >>> digits([0.06, 0.4, 2.3]), digits([3000.06, 3000.4, 3002.3]), digits([3000.0])
    (3, 6, 3)
    """
    array = np.asarray(values, np.float64).ravel()
    array = array[np.isfinite(array)]
    if array.size < 2:
        return least
    low, high = (float(v) for v in np.quantile(array, [0, 0.75]))
    level, apart = max(abs(low), abs(high)), high - low
    if not (apart > 0 and np.isfinite(level)):
        return least
    return int(np.clip(2 + np.ceil(np.log10(level / apart)), least, most))


def lowest_place(values: np.ndarray) -> int:
    """The place of the lowest value; of several that are the same the middle one.

    >>> lowest_place(np.array([3.0, 1.0, 1.0, 1.0, 2.0]))
    2
    """
    same = np.flatnonzero(values == np.nanmin(values))
    return int(same[len(same) // 2])
