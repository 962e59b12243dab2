"""What lanes leave possible: the curve that is shown passes through them."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.core.records import OK
from lrlab.search.posterior import posterior_of
from lrlab.search.scores import Scores


def lanes(x: np.ndarray, score: np.ndarray) -> Scores:
    """Lanes trained for ten updates from a loss of 1; `score` f64[L, S] at log10 rates f64[L]."""
    rates, seeds = score.shape
    count = rates * seeds
    return Scores(
        np.repeat(10.0**x, seeds), np.tile(np.arange(seeds), rates), score.reshape(1, -1),
        np.array([10]), np.ones(count), np.full(count, OK), np.full(count, -1),
        np.full(count, 10), 10,
    )  # fmt: skip


@pytest.mark.parametrize("noise", [0.003, 0.03, 0.1])
def test_the_mean_passes_through_what_many_seeds_score(noise: float) -> None:
    """On average over the rates of a plain, to a third of a standard error; the lowest of them,
    from which regret is measured, lies 1.5 standard errors below it."""
    x = np.linspace(-3, -1, 9)
    score = 0.3 + noise * np.random.default_rng(3).normal(size=(9, 6))
    posterior = posterior_of([lanes(x, score)])
    fit = np.interp(x, np.log10(posterior.lr), posterior.mean)
    error = noise / np.sqrt(6)
    assert score.mean(1).min() < 0.3 - error
    assert abs((fit - score.mean(1)).mean()) < error / 3
    low, high = (np.interp(x, np.log10(posterior.lr), end) for end in posterior.band)
    assert (low < fit).all() and (fit < high).all()


def test_far_rates_do_not_lift_it() -> None:
    x = np.array([-4.0, -3.0, -2.9, -2.8, -2.0])
    score = np.full((5, 4), 0.1) + 1e-3 * np.random.default_rng(0).normal(size=(5, 4))
    score[[0, -1]] += 0.7
    posterior = posterior_of([lanes(x, score)])
    assert np.interp(-2.9, np.log10(posterior.lr), posterior.mean) == pytest.approx(0.1, abs=2e-3)
