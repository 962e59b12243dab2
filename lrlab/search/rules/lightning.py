"""Lightning's rule (pytorch-lightning 2.6, `tuner/lr_finder.py`) and what it was before 2.5.3.

Lightning divides its moving average of 0.98 by 1 - 0.98^(k + 1) where k counts from 1, so that the
curve begins at half of the loss; it stops at four times the best, and drops the first ten points,
the last, and what is not finite.
"""

from __future__ import annotations

import numpy as np

from lrlab.search.rules.curves import Pick, moving_average, none, stopped

TOOL = "Lightning"
BETA, STOP = 0.98, 4.0
BEGIN, END = 10, 1
SHORT = "fewer than 2 points are left of the curve"


def recorded(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve as Lightning keeps it: smoothed and stopped."""
    curve = moving_average(loss, BETA) / (1 - BETA ** (2 + np.arange(len(loss))))
    curve = stopped(curve, STOP)
    return lr[: len(curve)], curve


def lightning(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The steepest slope over the rate itself (not its log), since 2.5.3."""
    index = steepest(loss, lr)
    return none(SHORT) if index is None else Pick(float(lr[index]))


def lightning_before_2_5_3(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The steepest slope from point to point, before 2.5.3."""
    index = steepest(loss)
    return none(SHORT) if index is None else Pick(float(lr[index]))


def steepest(loss: np.ndarray, lr: np.ndarray | None = None) -> int | None:
    """The index of the steepest descent between the trimmed ends; None where too little is left."""
    inner = np.arange(len(loss))[BEGIN:-END]
    inner = inner[np.isfinite(loss[inner])]
    if len(inner) < 2:
        return None
    slope = np.gradient(loss[inner]) if lr is None else np.gradient(loss[inner], lr[inner])
    return int(inner[np.argmin(slope)])
