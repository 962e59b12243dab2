"""Rules of our own: robust against single losses, and silent where the curve says nothing.

All three look at a running median of the curve in place of its values, and measure the curve
against itself: its fall from where it began, and its own noise around the median. The level at
which the loss stands plays no part, nor does its sign.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.search.differences import ROUNDING_STEPS, coarse
from lrlab.search.rules.curves import Pick, finite_prefix, none

WINDOW = 9
"""Points of the running median: up to four losses in a row that are off do not move it."""

MIN_FALL = 3
"""A curve falls where its fall is so many standard deviations of its noise."""

NORMAL_MAD = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""


def recorded(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve itself: nothing is smoothed, stopped or trimmed before a rule sees it."""
    return lr, loss


class Fall(NamedTuple):
    """A curve that falls by more than its noise: `curve` f64[<= N] smoothed, up to divergence;
    `lowest` where it ends falling, `half` where it has fallen halfway, `start` the level it began
    at, `depth` the fall.
    """

    curve: np.ndarray
    lowest: int
    half: int
    start: float
    depth: float


def safe_descent(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """A third of the rate at the lowest loss, or, where that is smaller, the middle in log between
    it and where the loss has fallen halfway: fast, yet clear of the cliff.
    """
    fall = falling(loss)
    if isinstance(fall, str):
        return none(fall)
    low, half = lr[fall.lowest], lr[fall.half]
    return Pick(float(min(low / 3, np.sqrt(low * half))))


def below_divergence(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """A tenth of the rate at which half of the fall is lost again for good, or training diverges.

    Where a curve keeps what it gained to the end of the ramp there is no such rate.
    """
    fall = falling(loss)
    if isinstance(fall, str):
        return none(fall)
    lost = fall.curve > fall.start - fall.depth / 2
    lost[: fall.lowest + 1] = False
    edge = int(np.flatnonzero(~lost)[-1]) + 1
    if edge == len(lr):
        return none("the curve keeps what it gained: end the ramp at a larger rate")
    return Pick(float(lr[edge]) / 10)


def lowest(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The rate at the lowest loss itself: the rule for a parallel test, where each rate was trained
    on its own (on a ramp the minimum comes late).
    """
    fall = falling(loss)
    return none(fall) if isinstance(fall, str) else Pick(float(lr[fall.lowest]))


def falling(loss: np.ndarray) -> Fall | str:
    """The fall of a curve, or why there is none."""
    planned = len(loss)
    loss = finite_prefix(loss, loss)[0]
    if len(loss) < 2 * WINDOW:
        return f"fewer than {2 * WINDOW} finite losses"
    curve = running_median(loss)
    noise = NORMAL_MAD * float(np.median(np.abs(loss - curve)))
    start = float(np.median(curve[:WINDOW]))
    depth = start - float(curve.min())
    bottom = int(np.argmin(coarse(curve, depth)))
    if bottom < WINDOW:
        return "the loss never falls below its start"
    if depth <= MIN_FALL * max(noise, grain(loss, start)):
        return "the loss does not fall by more than its own noise"
    if len(loss) == planned and bottom >= planned - 1 - WINDOW // 2:
        return "the loss still falls at the end: end the ramp at a larger rate"
    half = int(np.argmax(curve[: bottom + 1] <= start - depth / 2))
    return Fall(curve, bottom, half, start, depth)


def grain(loss: np.ndarray, level: float) -> float:
    """The distance between neighboring numbers at a level, as far as a curve shows it: its smallest
    step, but no more than rounding in single precision is there, and no less than in double.

    >>> single = np.array([3000.0, 3000.0, 3000.0002], np.float32).astype(float)
    >>> round(grain(single, 3000.0), 6), grain(np.array([2.0, 1.0]), 2.0) < 1e-4
    (0.000244, True)
    """
    steps = np.diff(np.unique(loss))
    least = float(steps.min()) if steps.size else 0.0
    one = abs(level) * ROUNDING_STEPS
    return float(np.clip(least, np.finfo(float).eps * one, np.finfo(np.float32).eps * one))


def running_median(loss: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """The median over `window` points around each, ends repeated; f64[N]."""
    half = window // 2
    padded = np.concatenate([np.full(half, loss[0]), loss, np.full(half, loss[-1])])
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)
