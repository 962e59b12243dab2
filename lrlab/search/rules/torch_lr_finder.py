"""torch-lr-finder's suggestion (0.2.2, `lr_finder.py`): the steepest slope from point to point.

It smooths with 0.05 of the new loss and 0.95 of the curve so far, from the first loss on and
without correction; it stops at five times the best, and drops the first ten and the last five
points. A nan counts as the steepest descent, there as here: numpy's `argmin` puts nan first.
"""

from __future__ import annotations

import numpy as np

from lrlab.search.rules.curves import Pick, moving_average, none, stopped

TOOL = "torch-lr-finder"
BETA, STOP = 0.95, 5.0
BEGIN, END = 10, 5


def recorded(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve as torch-lr-finder keeps it: smoothed and stopped."""
    curve = stopped(moving_average(loss, BETA, float(loss[0]) if len(loss) else 0.0), STOP)
    return lr[: len(curve)], curve


def torch_lr_finder(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The rate of the steepest descent per step."""
    index = steepest(loss)
    if index is None:
        return none("fewer than 2 points are left of the curve")
    return Pick(float(lr[index]))


def steepest(loss: np.ndarray) -> int | None:
    """The index of the steepest descent between the trimmed ends; None where too little is left."""
    inner = loss[BEGIN:-END]
    return int(np.argmin(np.gradient(inner))) + BEGIN if len(inner) > 1 else None
