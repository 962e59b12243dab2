"""The catapult: a two-layer linear net whose curvature falls when the learning rate is large."""

from __future__ import annotations

import numpy as np

PHASES = ("lazy", "catapult", "divergent")


def catapult_phase(lr: float, curvature: float) -> str:
    """The phase of LR x initial curvature: below 2 lazy, below 4 catapult, else divergent.

    Source: Lewkowycz et al. 2020 (arXiv 2003.02218).

    >>> catapult_phase(0.1, 19), catapult_phase(0.1, 21), catapult_phase(0.1, 41)
    ('lazy', 'catapult', 'divergent')
    """
    product = lr * curvature
    return PHASES[0] if product < 2 else PHASES[1] if product < 4 else PHASES[2]


def catapult(
    output: float, curvature: float, lr: float, width: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Exact outputs and curvatures of f = u.v / sqrt(n) under GD on f^2 / 2, two f64[steps + 1].

    f' = f (1 - lr lambda + lr^2 f^2/n), lambda' = lambda + lr f^2/n (lr lambda - 4), lambda =
    (|u|^2 + |v|^2)/n, n the width. After an overflow the values are infinite or nan.

    Source: Lewkowycz et al. 2020 (arXiv 2003.02218), equations 4 and 5.

    >>> f, c = catapult(1.0, 2.0, 0.5, width=10, steps=1)
    >>> round(float(f[1]), 6), round(float(c[1]), 6)
    (0.025, 1.85)
    """
    # Before an overflow the map amplifies rounding up to 1e8 times, so extended precision is used.
    f, c = np.empty((2, steps + 1), np.longdouble)
    f[0], c[0] = output, curvature
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            push = lr * f[t] ** 2 / width
            f[t + 1] = f[t] * (1 - lr * c[t] + lr * push)
            c[t + 1] = c[t] + push * (lr * c[t] - 4)
        return f.astype(np.float64), c.astype(np.float64)
