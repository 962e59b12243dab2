"""The interval that is most probably right, by the curves that are possible.

An interval is right where no rate in it costs more than `worst` times what it promises, and it
holds at least `held` (in log) of the rates that cost no more than it promises. Each possible curve
says of each interval whether it is; the share of the curves that say so is its probability.
"""

from __future__ import annotations

import numpy as np


def chances(
    regret: np.ndarray,
    width: np.ndarray,
    place: int,
    reach: tuple[int, int],
    limits: tuple[float, float],
    held: float,
    least: float,
) -> np.ndarray:
    """The probability that an interval is right, f64[place - first + 1, last - place + 1]: for each
    first place from `reach[0]` to `place` (rows) and each last from `place` to `reach[1]`.

    Args:
        regret: f64[N, G] of possible curves.
        width: f64[G] what each place of the grid stands for, in decades.
        limits: of `regret`: what a good rate costs at most, and what any rate of the interval may.
        held: part of the good rates that it must hold, from 0 to 1.
        least: decades that a set of good rates is wide at least.
    """
    count, (first, last) = len(regret), reach
    good = regret <= limits[0]
    x = np.cumsum(width) - width / 2
    narrow = (good * width).sum(1) < least
    centers = x[regret[narrow].argmin(1)]
    good[narrow] |= np.abs(x - centers[:, None]) <= least / 2
    held_by = np.concatenate([np.zeros((count, 1)), np.cumsum(good * width, 1)], 1)
    wanted = held * held_by[:, -1]
    bad = regret > limits[1]
    left = np.where(bad[:, : place + 1], np.arange(place + 1), -1).max(1)
    right = np.where(bad[:, place:], np.arange(place, regret.shape[1]), regret.shape[1]).min(1)
    # Right from where enough is held to where the first bad rate comes.
    turns = np.zeros((place - first + 1, regret.shape[1] + 1))
    starts = np.arange(first, place + 1)
    for curve in np.flatnonzero(~bad[:, place]):
        open_ = starts[starts > left[curve]]
        need = held_by[curve, open_] + wanted[curve] - 1e-9
        begin = np.maximum(np.searchsorted(held_by[curve, 1:], need), place)
        fits = begin < right[curve]
        rows = open_[fits] - first
        np.add.at(turns, (rows, begin[fits]), 1)
        np.add.at(turns, (rows, right[curve]), -1)
    return np.cumsum(turns, 1)[:, place : last + 1] / count
