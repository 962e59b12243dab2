"""fastai's four rules (fastai 2.8, `callback/schedule.py`).

The recorder smooths with a bias-corrected moving average of 0.98 and stops at four times the best.
`lr_find` drops the first tenth of the planned steps and the last five recorded points before any
rule, and what follows a nan.
"""

from __future__ import annotations

import numpy as np

from lrlab.search.rules.curves import Pick, moving_average, none, stopped

TOOL = "fastai"
BETA, STOP = 0.98, 4.0


def recorded(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve as fastai's `lr_find` hands it to a rule: smoothed, stopped, trimmed."""
    correction = 1 - BETA ** (1 + np.arange(len(loss)))
    curve = stopped(moving_average(loss, BETA) / correction, STOP)
    return trimmed(lr[: len(curve)], curve, planned=len(lr))


def trimmed(
    lr: np.ndarray, loss: np.ndarray, planned: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Without the first tenth of the planned steps (default: of all), the last five, and nan."""
    first = (len(lr) if planned is None else planned) // 10
    lr, loss = lr[first:-5], loss[first:-5]
    bad = np.isnan(loss)
    end = int(np.argmax(bad)) if bad.any() else len(loss)
    return lr[:end], loss[:end]


def valley(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """Half of the way along the longest decreasing subsequence of the curve ("valley", by ESRI)."""
    if len(lr) < 3:
        return none("fewer than 3 points are left of the curve")
    start, end, _ = longest_valley(loss)
    section = (end - start) / 3
    return Pick(float(lr[start + int(section) + int(section / 2)]))


def longest_valley(loss: np.ndarray) -> tuple[int, int, int]:
    """(start, end, length) of the longest strictly decreasing subsequence, as fastai counts it:
    `start` is `end` minus the length, not the subsequence's first index.

    >>> longest_valley(np.array([5, 4, 3, 2, 1, 2, 4]))
    (-1, 4, 5)
    """
    lengths = np.ones(len(loss), int)
    end = start = 0
    for i in range(1, len(loss)):
        below = loss[i] < loss[:i]
        if below.any():
            lengths[i] = 1 + lengths[:i][below].max()
        if lengths[i] > lengths[end]:
            end = i
            start = end - int(lengths[end])
    return int(start), int(end), int(lengths[end])


def slide(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """An interval of 15 points slides down from the right until the slopes at its ends agree to
    0.005 ("novel LR finder", by ESRI).
    """
    if len(lr) < 17:
        return none("fewer than 17 points are left of the curve")
    slope = np.gradient(loss)
    right, left = -1, -16
    pick = lr[left]
    while left >= -len(loss) and abs(slope[right] - slope[left]) > 0.005:
        pick = lr[left]
        right, left = right - 1, left - 1
    return Pick(float(pick))


def minimum(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """A tenth of the rate at the lowest loss."""
    if not len(lr):
        return none("nothing is left of the curve")
    return Pick(float(lr[int(np.argmin(loss))]) / 10)


def steep(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The rate at the steepest slope of the loss over log LR."""
    if len(lr) < 2:
        return none("fewer than 2 points are left of the curve")
    slopes = np.diff(loss) / np.diff(np.log(lr))
    return Pick(float(lr[int(np.argmin(slopes))]))
