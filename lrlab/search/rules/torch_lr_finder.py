"""torch-lr-finder's suggestion (0.2.2): the steepest slope from point to point.

It smooths with an EMA of 0.05 for the new loss, without correction, stops at five times the best,
and drops the first ten and the last five points.
"""

from __future__ import annotations

import numpy as np

from lrlab.search.rules.curves import Pick, finite_prefix, none, smoothed

BEGIN, END = 10, 5


def torch_lr_finder(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The rate of the steepest descent per step."""
    lr, loss = finite_prefix(lr, loss)
    curve = smoothed(loss, 0.95, False, 5.0)
    index = steepest(curve)
    return (
        none("the curve is too short after trimming") if index is None else Pick(float(lr[index]))
    )


def steepest(loss: np.ndarray) -> int | None:
    """The index of the steepest descent between the trimmed ends; None where too little is left."""
    inner = loss[BEGIN:-END]
    return int(np.argmin(np.gradient(inner))) + BEGIN if len(inner) > 1 else None
