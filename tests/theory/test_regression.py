"""The risk of SGD on regression against enumeration and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lrlab import theory


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


def test_regression_without_replacement_by_enumeration() -> None:
    rng = np.random.default_rng(3)
    x, y, lrs = rng.normal(size=(4, 2)), rng.normal(size=4), [0.3, 0.5]
    draws = list(itertools.combinations(range(4), 2))
    losses = np.zeros(3)
    for order in itertools.product(draws, repeat=2):
        w = np.zeros(2)
        path = [0.5 * np.mean((x @ w - y) ** 2)]
        for lr, rows in zip(lrs, order, strict=True):
            part = list(rows)
            w = w - lr * x[part].T @ (x[part] @ w - y[part]) / 2
            path.append(0.5 * np.mean((x @ w - y) ** 2))
        losses += np.array(path) / len(draws) ** 2
    assert np.allclose(theory.regression_risk(x, y, lrs, 2, replacement=False), losses, rtol=1e-10)
    whole = theory.regression_risk(x, y, lrs, 4, replacement=False)
    w = np.zeros(2)
    for k, lr in enumerate(lrs):
        assert whole[k] == pytest.approx(0.5 * np.mean((x @ w - y) ** 2))
        w = w - lr * x.T @ (x @ w - y) / 4


def test_gaussian_regression_by_simulation() -> None:
    h, lrs, batch, runs = np.array([1.0, 0.3]), [0.4, 0.6, 0.3], 2, 40_000
    rng = np.random.default_rng(4)
    e = np.ones((runs, 2))
    want = theory.gaussian_regression_risk(h, lrs, batch, noise=0.5)
    for k in range(4):
        losses = 0.5 * ((h * e**2).sum(1) + 0.25)
        assert abs(losses.mean() - want[k]) <= 5 * losses.std() / np.sqrt(runs) + 1e-12
        if k < 3:
            x = rng.normal(size=(runs, batch, 2)) * np.sqrt(h)
            wrong = np.einsum("rbd,rd->rb", x, e) + 0.5 * rng.normal(size=(runs, batch))
            e = e - lrs[k] * np.einsum("rbd,rb->rd", x, wrong) / batch
