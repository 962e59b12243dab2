"""Lightning's rule (pytorch-lightning 2.6, tuner.lr_finder) and what it was before 2.5.3.

Both drop the first ten points and the last; Lightning smooths with a bias-corrected EMA of 0.98 and
stops at four times the best.
"""

from __future__ import annotations

import numpy as np

from lrlab.search.rules.curves import Pick, finite_prefix, none, smoothed

BEGIN, END = 10, 1


def recorded(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve as Lightning keeps it."""
    lr, loss = finite_prefix(lr, loss)
    curve = smoothed(loss, 0.98, True, 4.0)
    return lr[: len(curve)], curve


def lightning(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The steepest slope over the rate itself (not its log), since 2.5.3."""
    lr, loss = recorded(lr, loss)
    index = steepest(loss, lr)
    return (
        none("the curve is too short after trimming") if index is None else Pick(float(lr[index]))
    )


def lightning_before_2_5_3(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """The steepest slope from point to point, before 2.5.3."""
    lr, loss = recorded(lr, loss)
    index = steepest(loss)
    return (
        none("the curve is too short after trimming") if index is None else Pick(float(lr[index]))
    )


def steepest(loss: np.ndarray, lr: np.ndarray | None = None) -> int | None:
    """The index of the steepest descent between the trimmed ends; None where too little is left."""
    inner = loss[BEGIN:-END]
    if len(inner) < 2:
        return None
    slope = np.gradient(inner) if lr is None else np.gradient(inner, lr[BEGIN:-END])
    return int(np.argmin(slope)) + BEGIN
