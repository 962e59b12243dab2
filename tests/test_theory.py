"""Theory against published numbers, numerical derivatives, loops and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lrlab import theory

T = 400
K = np.arange(T)
CASES = {
    "constant": (np.ones(T), 0.0181758951, 0.1375448081),
    "cosine": ((1 + np.cos(np.pi * K / T)) / 2, 0.0482418869, 0.1033859057),
    "wsd": (np.where(K < 320, 1.0, (T - K) / 80), 0.0253736614, 0.1093230125),
    "linear": (1 - K / T, 0.0495631307, 0.1006298654),
}


@pytest.mark.parametrize("name", CASES)
def test_published_bounds(name: str) -> None:
    schedule, lr, bound = CASES[name]
    found = theory.optimal_base_lr(schedule)
    assert abs(found.lr - lr) < 1e-9 and abs(found.bound - bound) < 1e-9
    assert theory.last_iterate_bound(schedule, base_lr=found.lr) == pytest.approx(found.bound)


def test_bound_as_written() -> None:
    rng = np.random.default_rng(0)
    eta, g, distance = rng.uniform(0.1, 1, 7), rng.uniform(0.5, 2, 7), 1.7
    tail = [eta[k:].sum() for k in range(7)]
    noise = [(eta[k:] ** 2 * g[k:] ** 2).sum() for k in range(7)]
    want = distance**2 / (2 * tail[0]) + noise[0] / (2 * tail[0])
    want += sum(eta[k] / tail[k + 1] * noise[k] / tail[k] for k in range(6)) / 2
    assert theory.last_iterate_bound(eta, g, distance) == pytest.approx(want, rel=1e-13)


def test_bound_gradient_is_the_derivative() -> None:
    rng = np.random.default_rng(1)
    eta, g = rng.uniform(0.1, 1, 6), rng.uniform(0.5, 2, 6)
    for k in range(6):
        step = 1e-6 * np.eye(6)[k]
        up, down = (theory.last_iterate_bound(eta + s, g, 1.3) for s in (step, -step))
        assert theory.bound_gradient(eta, g, 1.3)[k] == pytest.approx((up - down) / 2e-6, rel=1e-6)


def test_optimized_schedule_beats_linear() -> None:
    start = 1 - np.arange(60) / 60
    assert theory.last_iterate_bound(theory.optimize_schedule(start)) < (
        theory.optimal_base_lr(start).bound
    )


@pytest.mark.parametrize("bad", [[], [1.0, np.nan], [1.0, -1.0, 1.0], [1.0, 0.0], [[1.0]]])
def test_bad_schedules(bad: list) -> None:
    with pytest.raises(ValueError, match="schedule"):
        theory.optimal_base_lr(bad)


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


@pytest.mark.parametrize("family", ["sgd", "momentum", "nesterov"])
def test_stability_flips(family: str) -> None:
    b = 0.0 if family == "sgd" else 0.9
    limit = theory.max_lr(family, 3.0, b)
    below, above = (theory.trajectory(family, 3.0, f * limit, 9000, b) for f in (0.999, 1.001))
    assert abs(below[-100:]).max() < 1 < abs(above[-100:]).max()


def test_frozen_adam() -> None:
    assert theory.max_sharpness("adam", 0.1, 0.9) == pytest.approx(380)
    for factor, stable in ((0.999, True), (1.001, False)):
        h, x, m = factor * theory.max_sharpness("ema", 0.5, 0.9), 1.0, 0.0
        for _ in range(9000):
            m = 0.9 * m + 0.1 * h * x
            x -= 0.5 * m
        assert (abs(x) < 1) == stable


def test_rates() -> None:
    for method in ("sgd", "momentum", "nesterov"):
        lr, b, rate = theory.optimal_constants(method, 1.0, 50.0)
        for h in (1.0, 50.0):
            a, c = (1 - lr * h, 0) if method == "sgd" else (1 + b - lr * h, b)
            if method == "nesterov":
                a, c = (1 + b) * (1 - lr * h), b * (1 - lr * h)
            assert max(abs(np.roots([1, -a, c]))) <= rate + 1e-7


def test_noisy_quadratic_forms_agree() -> None:
    h = 1 / np.arange(1, 30)
    trace = theory.noisy_quadratic_trace(h, np.full(50, 0.3), 4)
    closed = theory.noisy_quadratic_loss(h, 0.3, np.arange(51), 4)
    assert np.allclose(trace, closed, rtol=1e-12)
    steps = theory.noisy_quadratic_steps(h, 0.3, 4, trace[20] + 1e-9)
    assert steps == 20


@pytest.mark.parametrize(("batch", "steps", "lr"), [(4, 1507367, 0.0147), (256, 25880, 0.774)])
def test_published_noisy_quadratic(batch: int, steps: int, lr: float) -> None:
    grid = np.logspace(-5, 0.5, 100)
    near = grid[np.abs(np.log(grid / lr)) < 0.4]
    best = theory.noisy_quadratic_best(1 / np.arange(1, 10001), near, batch, 0.01)
    assert abs(best.steps / steps - 1) < 0.01
    assert abs(np.log(best.lr / lr)) < 1.5 * np.log(grid[1] / grid[0])


@pytest.mark.parametrize("batch", [1, 2])
def test_regression_risk_by_enumeration(batch: int) -> None:
    rng = np.random.default_rng(2)
    x, y, lrs = rng.normal(size=(3, 2)), rng.normal(size=3), [0.3, 0.2, 0.5]
    losses = np.zeros(4)
    draws = list(itertools.product(range(3), repeat=batch))
    for order in itertools.product(draws, repeat=3):
        w = np.array([0.5, -1.0])
        path = [0.5 * np.mean((x @ w - y) ** 2)]
        for lr, rows in zip(lrs, order, strict=True):
            part = list(rows)
            w = w - lr * x[part].T @ (x[part] @ w - y[part]) / batch
            path.append(0.5 * np.mean((x @ w - y) ** 2))
        losses += np.array(path) / len(draws) ** 3
    assert np.allclose(theory.regression_risk(x, y, lrs, batch, [0.5, -1.0]), losses, rtol=1e-10)


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
