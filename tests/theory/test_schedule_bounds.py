"""The last-iterate bound against published numbers, its own sum, and training."""

from __future__ import annotations

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


def test_bound_of_one_step_and_of_varying_gradients() -> None:
    # One step: D^2/(2 eta) + eta g^2/2, best at D/g.
    best = theory.optimal_base_lr([1.0], [3.0], 2.0)
    assert best.lr == pytest.approx(2 / 3) and best.bound == pytest.approx(6.0)
    # The bound does not change when schedule and base LR trade a factor, or f its unit.
    eta, g = np.array([1.0, 2.0, 0.5, 0.1]), np.array([1.0, 0.5, 2.0, 3.0])
    once = theory.last_iterate_bound(eta, g, 1.5, base_lr=0.3)
    assert theory.last_iterate_bound(0.3 * eta, g, 1.5) == pytest.approx(once)
    assert theory.last_iterate_bound(eta / 4, 2 * g, 1.5, base_lr=0.6) == pytest.approx(2 * once)
    near = [
        theory.last_iterate_bound(eta, g, 1.5, theory.optimal_base_lr(eta, g, 1.5).lr * f)
        for f in (0.99, 1.0, 1.01)
    ]
    assert min(near) == near[1]


def test_bound_holds_in_training() -> None:
    """Subgradient descent on random |x|-like losses, whatever the schedule."""
    rng = np.random.default_rng(8)
    for _ in range(50):
        slopes = rng.normal(size=(6, 3))
        slopes[0] = -slopes[1:].sum(0)
        steps = rng.integers(1, 30)
        eta = rng.uniform(0.01, 1, steps)
        x = rng.normal(size=3)
        distance, norms = np.linalg.norm(x), []
        for k in range(steps):
            g = slopes[np.argmax(slopes @ x)]
            norms.append(np.linalg.norm(g))
            last = (slopes @ x).max()
            x = x - eta[k] * g
        assert last <= theory.last_iterate_bound(eta, norms, distance) + 1e-12
