"""Optimizers on quadratics, step by step as they are written."""

from __future__ import annotations

import numpy as np


def simulated(family: str, push: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """|x| after `steps` of the optimizer as it is written, LR 1 on curvature `push`, from x = 1.

    Adam and RMSprop with their preconditioner held still are ema and heavy ball.
    """
    x, m = np.ones_like(push), np.zeros_like(push)
    for _ in range(steps):
        x, m = (np.where(abs(x) > 1e9, 1e9, v) for v in (x, m))  # once gone, gone
        share = 1 - b if family in ("ema", "nesterov_ema", "adam") else 1.0
        m = b * m + share * push * x
        ahead = family in ("nesterov", "nesterov_ema")
        x = x - (b * m + share * push * x if ahead else m)
    return abs(x)
