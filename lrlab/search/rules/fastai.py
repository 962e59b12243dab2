"""fastai's four rules (fastai 2.8, callback.schedule), on the raw curve as fastai hands it over.

fastai drops the first tenth and the last five points of its curve before any rule; smoothing (bias
corrected EMA, 0.98) and the stop at four times the best belong to its recorder.
"""

from __future__ import annotations

import numpy as np

from lrlab.search.rules.curves import Pick, finite_prefix, none, smoothed


def recorded(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve as fastai's recorder gives it to a rule: smoothed, stopped, trimmed."""
    lr, loss = finite_prefix(lr, loss)
    curve = smoothed(loss, 0.98, True, 4.0)
    return trimmed(lr[: len(curve)], curve)


def trimmed(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without the first tenth and the last five points."""
    return lr[len(lr) // 10 : -5], loss[len(loss) // 10 : -5]


def valley(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """Two thirds along the longest decreasing subsequence of the curve ("valley")."""
    lr, loss = recorded(lr, loss)
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
        for j in range(i):
            if loss[i] < loss[j] and lengths[i] < lengths[j] + 1:
                lengths[i] = lengths[j] + 1
            if lengths[end] < lengths[i]:
                end = i
                start = end - int(lengths[end])
    return int(start), int(end), int(lengths[end])


def slide(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """An interval of 15 points slides down from the right until the slopes at its ends agree to
    0.005 (Nagaraj 2019, "novel LR finder")."""
    lr, loss = recorded(lr, loss)
    if len(lr) < 17:
        return none("fewer than 17 points are left of the curve")
    slope = np.gradient(loss)
    right, left = -1, -16
    found = lr[left]
    while left >= -len(loss) and abs(slope[right] - slope[left]) > 0.005:
        found = lr[left]
        right, left = right - 1, left - 1
    return Pick(float(found))


def minimum(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """A tenth of the rate at the lowest loss."""
    lr, loss = recorded(lr, loss)
    if not len(lr):
        return none("nothing is left of the curve")
    return Pick(float(lr[int(np.argmin(loss))]) / 10)


def steep(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The rate at the steepest slope of the loss over log LR."""
    lr, loss = recorded(lr, loss)
    if len(lr) < 2:
        return none("fewer than 2 points are left of the curve")
    slopes = np.diff(loss) / np.diff(np.log(lr))
    return Pick(float(lr[int(np.argmin(slopes))]))
