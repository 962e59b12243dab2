"""The place of a minimum with its standard error, on curves whose minimum is known."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.scaling.best_rate import best_rate

LR = np.geomspace(1e-4, 10.0, 16)


def curve(noise: float, best: float = 0.02, seeds: int = 3, root: int = 0) -> np.ndarray:
    random = np.random.default_rng(root)
    regret = 1 - np.exp(-(np.log10(LR / best) ** 2))
    shared = 3 * noise * random.normal(size=seeds)
    return 0.5 + regret[:, None] + shared + noise * random.normal(size=(len(LR), seeds))


def test_errors_grow_with_noise_and_are_right() -> None:
    errors = []
    for noise in (0.003, 0.05):
        found = [best_rate(LR, curve(noise, root=root), 1.5) for root in range(12)]
        away = np.array([one.log - np.log(0.02) for one in found])
        error = np.array([one.error for one in found])
        assert (np.abs(away) < 3 * error).all()
        errors.append(error.mean())
    assert errors[1] > 2 * errors[0]


def test_units_and_levels_do_not_count() -> None:
    scores = curve(0.01)
    found = best_rate(LR, scores, 1.5)
    assert best_rate(LR, 100 * scores - 7000, 150.0 - 7000) == pytest.approx(found, rel=1e-5)
    moved = best_rate(10 * LR, scores, 1.5)
    assert moved.log - found.log == pytest.approx(np.log(10))
    assert moved.error == pytest.approx(found.error)


def test_rates_with_other_seeds_are_compared_within_seeds() -> None:
    """One seed, which is bad, was trained near the best alone."""
    scores = np.hstack([curve(0.001, seeds=2), np.full((16, 1), np.nan)])
    scores[6:9, 2] = scores[6:9, 0] + 0.2
    assert best_rate(LR, scores, 1.5).log == pytest.approx(np.log(0.02), abs=0.15)


def test_rates_that_were_cut_bound_the_best() -> None:
    scores, cut = curve(0.003), np.zeros(16, bool)
    scores[8:], cut[8:] = np.nan, True
    found = best_rate(LR, scores, 1.5, cut)
    assert np.log(LR[5]) < found.log < np.log(LR[9])
    assert found.error > best_rate(LR, curve(0.003), 1.5).error


def test_too_little_says_nothing() -> None:
    assert best_rate(LR[:2], curve(0.01)[:2], 1.5) is None
    assert best_rate(LR, np.full((16, 2), 1.5), 1.5) is None
    assert best_rate(LR, curve(0.01), np.nan) is None
