"""The noisy quadratic model against published numbers, simulation, and itself."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab import theory


def test_noisy_quadratic_forms_agree() -> None:
    h = 1 / np.arange(1, 30)
    trace = theory.noisy_quadratic_trace(h, np.full(50, 0.3), 4)
    closed = theory.noisy_quadratic_loss(h, 0.3, np.arange(51), 4)
    assert np.allclose(trace, closed, rtol=1e-12)
    steps = theory.noisy_quadratic_steps(h, 0.3, 4, trace[20] + 1e-9)
    assert steps == 20


@pytest.mark.parametrize(
    ("batch", "steps", "exact", "lr"),
    [(4, 1507367, 1515845, 0.0147), (256, 25880, 25778, 0.774)],
)
def test_published_noisy_quadratic(batch: int, steps: int, exact: int, lr: float) -> None:
    """Published: with the spectrum in 100 bins; exact: with each of its eigenvalues."""
    grid = np.logspace(-5, 0.5, 100)
    near = grid[np.abs(np.log(grid / lr)) < 0.4]
    best = theory.noisy_quadratic_best(1 / np.arange(1, 10001), near, batch, 0.01)
    assert best.steps == exact
    assert abs(best.steps / steps - 1) < 0.01
    assert abs(np.log(best.lr / lr)) < 1.5 * np.log(grid[1] / grid[0])


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_noisy_quadratic_with_momentum(momentum: float) -> None:
    """Against 20,000 simulated runs, and steps to a target against the trace."""
    h, lr, batch = np.array([1.0, 0.2, 0.03]), 0.2, 4
    rng = np.random.default_rng(9)
    x, m = np.ones((20_000, 3)), np.zeros((20_000, 3))
    trace = theory.noisy_quadratic_trace(h, np.full(60, lr), batch, momentum=momentum)
    for k in range(60):
        losses = 0.5 * (h * x**2).sum(1)
        error = losses.std() / np.sqrt(len(losses))
        assert abs(losses.mean() - trace[k]) <= 5 * error + 1e-12
        m = momentum * m + h * x + rng.normal(size=x.shape) * np.sqrt(h / batch)
        x = x - lr * m
    trace = theory.noisy_quadratic_trace(h, np.full(60, 0.05), 64, momentum=momentum)
    for k in (1, 2, 13, 40):
        target = (trace[k] + trace[k - 1]) / 2
        found = theory.noisy_quadratic_steps(h, 0.05, 64, target, momentum=momentum)
        found = int(found)
        assert found == np.argmax(trace <= target) or momentum == 0.9  # there it swings
        assert trace[found] <= target < trace[found - 1]


def test_noisy_quadratic_scaling_has_a_critical_batch() -> None:
    h = 1 / np.arange(1, 101)
    found = theory.noisy_quadratic_scaling(h, [1, 2, 4, 2**14, 2**15], 0.02)
    assert np.allclose(found.steps[:2] / found.steps[1:3], 2, rtol=0.1)
    assert found.steps[3] < 1.05 * found.steps[4] and found.lr[3] > 0.8 * found.lr[4]
    heavy = theory.noisy_quadratic_scaling(h, [2**15], 0.02, momentum=0.9)
    assert heavy.steps[0] < 0.75 * found.steps[4]  # momentum pays at large batches


def test_noisy_quadratic_takes_arrays() -> None:
    h = np.array([1.0, 0.3])
    batches = np.array([1.0, 8.0])
    found = theory.noisy_quadratic_loss(h, 0.1, np.array([[5], [9]]), batches)
    assert found.shape == (2, 2)
    assert found[1, 0] == pytest.approx(theory.noisy_quadratic_loss(h, 0.1, 9, 1))
