"""What lanes leave possible: the curve that is shown passes through them."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.core.records import DIVERGED, OK
from lrlab.search.answer import from_scores
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


def test_it_passes_through_rates_with_five_seeds_whatever_those_with_fewer_say() -> None:
    x, random = np.linspace(-2.4, -1.6, 5), np.random.default_rng(1)
    score = 0.3 + 0.02 * random.normal(size=(5, 8))
    few = np.array([0, 2, 4])
    score[few, 4:] = np.nan  # four seeds, and unlucky ones
    score[few, :4] += 0.02
    part = lanes(x, score)
    posterior = posterior_of([part.lanes(np.isfinite(part.values[-1]))])
    fit = np.interp(x, np.log10(posterior.lr), posterior.mean)
    apart = fit - np.nanmean(score, 1)
    assert abs(apart[[1, 3]].mean()) < 0.02 / np.sqrt(8) / 3
    assert apart[few].mean() < -0.002


def test_far_rates_do_not_lift_it() -> None:
    x = np.array([-4.0, -3.0, -2.9, -2.8, -2.0])
    score = np.full((5, 4), 0.1) + 1e-3 * np.random.default_rng(0).normal(size=(5, 4))
    score[[0, -1]] += 0.7
    posterior = posterior_of([lanes(x, score)])
    assert np.interp(-2.9, np.log10(posterior.lr), posterior.mean) == pytest.approx(0.1, abs=2e-3)


def test_rates_that_lanes_survived_by_luck_are_not_where_training_is_safe() -> None:
    """An MLP with SGD, 5 seeds: one diverged at 0.26 and at 0.4, where the others did best."""
    x = np.log10([0.046, 0.11, 0.14, 0.2, 0.26, 0.4, 0.57])
    none = np.nan
    score = np.array(
        [
            [0.700, 0.709, 0.743, none], [0.705, 0.698, 0.715, none], [0.702, none, 0.730, 0.712],
            [none, 0.683, none, none], [none, none, np.inf, 0.649], [0.682, 0.668, np.inf, 0.664],
            [np.inf, none, none, none],
        ]
    )  # fmt: skip
    part = lanes(x, score)
    broken = np.isinf(part.values[0])
    part = part._replace(
        outcome=np.where(broken, DIVERGED, OK), steps_trained=np.where(broken, 4, 10)
    ).lanes(~np.isnan(part.values[0]))
    posterior = posterior_of([part])
    assert posterior.safe[np.searchsorted(posterior.lr, 0.14)]
    assert not posterior.safe[posterior.lr > 0.25].any()
    answer = from_scores(part, "valid_loss")
    assert answer.lr is not None and answer.interval is not None
    assert answer.lr < 0.2 and answer.interval[0] < answer.lr < answer.interval[1] < 0.26


def test_a_pick_stands_where_something_was_gained() -> None:
    """Of rates that noise makes alike, one at which no lane gained anything is no best guess."""
    x = np.array([-5.0, -4.0, -1.0, -0.8, -0.6, 0.5])
    scores = np.array([[1.0], [1.2], [0.6], [0.95], [0.4], [1.0]])
    posterior = posterior_of([lanes(x, scores)])
    at = [int(np.abs(np.log10(posterior.lr) - place).argmin()) for place in x]
    assert posterior.eligible[at].tolist() == [False, False, True, True, True, False]
    assert -1.1 <= np.log10(from_scores([lanes(x, scores)], "valid_loss").lr) <= -0.5
    alone = posterior_of([lanes(x, np.full((6, 1), 1.0))])
    assert alone.eligible.all()
