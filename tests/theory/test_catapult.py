"""The catapult's recurrence against gradient descent."""

from __future__ import annotations

import numpy as np

from lrlab import theory


def test_catapult_is_gradient_descent() -> None:
    rng = np.random.default_rng(3)
    n, lr = 64, 1.3
    u, v = rng.normal(size=n), rng.normal(size=n)
    f, curvature = [], []
    for _ in range(21):
        f.append(u @ v / np.sqrt(n))
        curvature.append((u @ u + v @ v) / n)
        u, v = u - lr * f[-1] * v / np.sqrt(n), v - lr * f[-1] * u / np.sqrt(n)
    found = theory.catapult(f[0], curvature[0], lr, n, 20)
    assert np.allclose(found[0], f, atol=1e-10) and np.allclose(found[1], curvature, rtol=1e-10)
