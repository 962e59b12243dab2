"""What rules share: the pick, and the smoothing and stopping of the tools they come from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Pick(NamedTuple):
    """A suggested learning rate; nan with the reason where a rule sees none. `note`: what is to be
    known of the curve that the rule was shown.
    """

    lr: float
    reason: str = ""
    note: str = ""


def none(reason: str) -> Pick:
    """No suggestion."""
    return Pick(float("nan"), reason)


def finite_prefix(lr: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve up to the first loss that is not finite."""
    bad = ~np.isfinite(loss)
    end = int(np.argmax(bad)) if bad.any() else len(loss)
    return lr[:end], loss[:end]


def moving_average(loss: np.ndarray, beta: float, start: float = 0.0) -> np.ndarray:
    """Exponential moving average m_i = beta m_(i-1) + (1 - beta) loss_i from `start`; f64[N].

    >>> moving_average(np.array([1.0, 3.0]), 0.5).tolist()
    [0.5, 1.75]
    """
    from scipy.signal import lfilter

    # One pass of a first-order filter, whose state holds `beta start`.
    return np.asarray(lfilter([1 - beta], [1, -beta], loss, zi=[beta * start])[0])


def stopped(curve: np.ndarray, factor: float) -> np.ndarray:
    """The curve up to and with its first value above `factor` times the best so far.

    >>> stopped(np.array([1.0, 0.5, 2.1, 0.1]), 4.0).tolist()
    [1.0, 0.5, 2.1]
    """
    if not len(curve):
        return curve
    with np.errstate(invalid="ignore"):
        above = curve > factor * np.fmin.accumulate(curve)
    return curve[: int(np.argmax(above)) + 1] if above.any() else curve
