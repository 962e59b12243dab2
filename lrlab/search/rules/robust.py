"""Rules of our own: they say nothing where the curve says nothing."""

from __future__ import annotations

import numpy as np

from lrlab.search.rules.curves import Pick, finite_prefix, none

WINDOW = 9


def safe_descent(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """A third of the rate at the lowest smoothed loss, in log between it and where the loss has
    fallen halfway: fast, yet clear of the cliff.

    The curve is smoothed by a running median; it must fall by more than three times its own noise.
    """
    lr, loss = finite_prefix(lr, loss)
    if len(lr) < 2 * WINDOW:
        return none(f"fewer than {2 * WINDOW} finite points")
    curve = running_median(loss)
    lowest = int(np.argmin(curve))
    noise = 1.4826 * float(np.median(np.abs(loss - curve)))
    start = float(np.median(curve[:WINDOW]))
    fall = start - float(curve[lowest])
    if fall <= 3 * noise or fall <= 1e-3 * abs(start):
        return none("the loss does not fall by more than its own noise")
    half = int(np.argmax(curve[: lowest + 1] <= start - fall / 2))
    return Pick(float(min(lr[lowest] / 3, np.sqrt(lr[lowest] * lr[half]))))


def below_divergence(lr: np.ndarray, loss: np.ndarray) -> Pick:
    """A tenth of the rate at which the loss first stands above where it began, for good.

    None where the curve never gets there: then the ramp ended too early to say.
    """
    whole = lr
    lr, loss = finite_prefix(lr, loss)
    if len(lr) < WINDOW:
        return none(f"fewer than {WINDOW} finite points")
    curve = running_median(loss)
    start = float(np.median(curve[:WINDOW]))
    above = curve > start * 1.2 if start > 0 else curve > start
    below = np.flatnonzero(~above)
    if len(lr) == len(whole) and not above[-1]:
        return none("the loss never rose above its start: end the ramp at a larger rate")
    edge = int(below[-1]) + 1 if len(below) else 0
    if not len(below) or float(curve.min()) >= start:
        return none("the loss never fell below its start")
    return Pick(float(lr[min(edge, len(lr) - 1)]) / 10)


def running_median(loss: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """The median over `window` points around each, ends repeated; f64[N]."""
    half = window // 2
    padded = np.concatenate([np.full(half, loss[0]), loss, np.full(half, loss[-1])])
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)
