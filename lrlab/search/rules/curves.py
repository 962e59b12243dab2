"""What rules share: the pick, and the smoothing and stopping of the tools they come from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Pick(NamedTuple):
    """A suggested learning rate; nan with the reason where a rule sees none."""

    lr: float
    reason: str = ""


def none(reason: str) -> Pick:
    """No suggestion."""
    return Pick(float("nan"), reason)


def finite_prefix(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve up to the first loss that is not finite."""
    bad = ~np.isfinite(loss)
    end = int(np.argmax(bad)) if bad.any() else len(loss)
    return lr[:end], loss[:end]


def smoothed(loss: np.ndarray, beta: float, corrected: bool, stop_at: float | None) -> np.ndarray:
    """Exponential moving average, m = beta m + (1 - beta) loss, with or without bias correction,
    cut after the first value above `stop_at` times the best so far; f64[<= N].

    >>> smoothed(np.array([1.0, 3.0]), 0.5, True, None).round(3).tolist()
    [1.0, 2.333]
    """
    kept: list[float] = []
    average = 0.0 if corrected else float(loss[0]) if len(loss) else 0.0
    best = np.inf
    for i, value in enumerate(loss):
        if corrected or i:
            average = beta * average + (1 - beta) * float(value)
        now = average / (1 - beta ** (i + 1)) if corrected else average
        kept.append(now)
        best = min(best, now)
        if stop_at is not None and i and now > stop_at * best:
            break
    return np.array(kept)
