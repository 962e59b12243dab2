"""Trajectories, rates and best constants on quadratics against loops."""

from __future__ import annotations

import numpy as np
import pytest
from quadratics import simulated

from lrlab import theory


@pytest.mark.parametrize(("method", "momentum"), [("sgd", 0), ("momentum", 0.9), ("nesterov", 0.7)])
@pytest.mark.parametrize("lr", [0.01, 0.1, 0.5, 1.2])
def test_trajectories(method: str, momentum: float, lr: float) -> None:
    h = np.array([0.0, 0.01, 1.0, 3.0])
    x, buffer, path = np.ones(4), np.zeros(4), [np.ones(4)]
    for _ in range(40):
        buffer = momentum * buffer + h * x
        x = x - lr * (h * x + momentum * buffer if method == "nesterov" else buffer)
        path.append(x)
    found = theory.trajectory(method, h, lr, 40, momentum)
    assert np.allclose(found, path, rtol=1e-7, atol=1e-9)


def test_double_roots() -> None:
    best = theory.optimal_constants("momentum", 1.0, 100.0)
    x, buffer = np.ones(2), np.zeros(2)
    for _ in range(60):
        buffer = best.momentum * buffer + np.array([1.0, 100.0]) * x
        x = x - best.lr * buffer
    found = theory.trajectory("momentum", [1.0, 100.0], best.lr, 60, best.momentum)[-1]
    assert np.allclose(found, x, rtol=1e-6, atol=1e-12)


def test_rates() -> None:
    for method in ("sgd", "momentum", "nesterov"):
        lr, b, rate = theory.optimal_constants(method, 1.0, 50.0)
        for h in (1.0, 50.0):
            a, c = (1 - lr * h, 0) if method == "sgd" else (1 + b - lr * h, b)
            if method == "nesterov":
                a, c = (1 + b) * (1 - lr * h), b * (1 - lr * h)
            assert max(abs(np.roots([1, -a, c]))) <= rate + 1e-7


@pytest.mark.parametrize("method", ["sgd", "momentum", "nesterov", "ema", "nesterov_ema"])
def test_convergence_rates(method: str) -> None:
    rng = np.random.default_rng(6)
    b = rng.uniform(0.1, 0.9, 30) * (method != "sgd")
    lr, h = rng.uniform(0.05, 0.95, 30), 1.0
    rate = theory.convergence_rate(method, h, lr * theory.max_lr(method, h, b), b)
    size = simulated(method, lr * theory.max_lr(method, h, b), b, 400)
    assert (rate < 1).all()
    slow = rate > 0.9  # the rest is at rounding
    assert np.allclose(np.log(size[slow]) / 400, np.log(rate[slow]), atol=0.02)
    limit = theory.convergence_rate(method, h, theory.max_lr(method, h, b), b)
    assert np.allclose(limit, 1, atol=1e-12)


@pytest.mark.parametrize("method", ["ema", "nesterov_ema"])
def test_optimal_constants_of_averages(method: str) -> None:
    lr, b, rate = theory.optimal_constants(method, 1.0, 30.0)
    assert theory.convergence_rate(method, [1.0, 7.0, 30.0], lr, b).max() == pytest.approx(rate)
    rng = np.random.default_rng(7)
    worst = theory.convergence_rate(
        method,
        np.array([[1.0], [30.0]]),
        lr * rng.uniform(0.3, 2, 2000),
        np.clip(b + rng.normal(size=2000) / 10, 0, 0.99),
    ).max(0)
    assert worst.min() >= rate
