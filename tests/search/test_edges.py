"""A best beyond the end of a range that is not extended any more."""

from __future__ import annotations

import numpy as np
import pytest
from test_find import EVALS, START, STEPS, trainer, valley
from test_posterior import lanes

from lrlab.search import SearchSettings, find, from_scores
from lrlab.search.find_rates import placed

CENTERS = {"above": (-2.0, (1e-6, 1e-4)), "below": (-4.0, (1e-2, 1.0))}


def found(train, lr_range, confidence):
    return find(
        train, lr_range=lr_range, seeds=[0, 1, 2], steps=STEPS, eval_steps=EVALS,
        metric="valid_loss", settings=SearchSettings(confidence=confidence),
    )  # fmt: skip


@pytest.mark.parametrize("side", list(CENTERS))
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_stops_as_soon_as_the_best_is_surely_beyond(side: str, noise: float) -> None:
    center, lr_range = CENTERS[side]
    train = trainer(valley(center), noise)
    soon, whole = (found(train, lr_range, confidence) for confidence in (0.9, None))
    assert soon.verdict == whole.verdict == "edge"
    assert soon.lr == whole.lr
    assert soon.cost <= 20 and whole.cost > 38
    assert soon.confidence <= 0.1


def test_goes_on_where_the_best_may_be_inside() -> None:
    """A valley whose middle is near the end: what looks like an edge at first is none."""
    answer = found(trainer(valley(-3.3), 0.02), (1e-6, 1e-4), 0.9)
    assert answer.verdict == "interior"
    assert (START - valley(-3.3)(np.log10(answer.lr))) / (START - 0.1) > 0.99


def test_where_the_best_may_be_at_the_end_the_pick_is_the_best_guess() -> None:
    """Learning to rank with SGD: the best is near 4, and one lane at the end, 10, lost as much more
    as seeds differ by. It was recommended, as "the best rate tried"."""
    trained = {
        0.133: {0: 30.2}, 0.422: {0: 27.3}, 1.33: {0: 14.6, 5: 22.9},
        1.78: {1: 7.0, 3: 11.0, 4: 22.3}, 3.16: {0: 8.7, 1: 6.0, 3: 7.1, 4: 7.6, 5: 11.0},
        4.22: {1: 7.7, 3: 6.0, 4: 9.1}, 5.62: {5: 3.0}, 7.5: {1: 9.0}, 10.0: {0: 14.0},
    }  # fmt: skip
    score = np.array([[row.get(seed, np.nan) for seed in range(6)] for row in trained.values()])
    every = lanes(np.log10(list(trained)), np.nan_to_num(score / 100))
    answer = from_scores(every.lanes(np.isfinite(score).ravel()), "valid_loss")
    assert answer.verdict == "edge" and 3 < answer.lr < 6
    assert answer.details["edge"] == pytest.approx(10.0)
    assert answer.interval[0] <= answer.lr <= answer.interval[1]
    assert "may lie at 10, the largest rate tried, or beyond" in answer.sentence
    given = placed(answer, (1e-3, 1e3)).sentence
    assert "may be 10 (" in given and "the largest one of these, inside" in given


def test_rates_that_all_do_next_to_nothing_do_not_train_however_seeds_differ() -> None:
    """Every lane gains a thousandth of what seeds differ by before training, larger rates more."""
    luck = np.random.default_rng(0).normal(0, 2.0, 2000)
    luck[0] = 0.0

    def train(lr, seed, rungs=(), decide=None):
        shift = luck[np.asarray(seed, int)]
        scores = trainer(lambda x: START - 0.01 * 10 ** (x + 5.5))(lr, seed, rungs, decide)
        return scores._replace(values=scores.values + shift, initial=scores.initial + shift)

    answer = found(train, (1e-7, 1e-6), None)
    assert answer.verdict == "none" and "rates that are all too small" in answer.sentence
    assert answer.cost < 30
    parts = train(np.array([1e-6, 1e-6, 1e-7]), np.array([0, 1, int(luck.argmin())]))
    assert from_scores([parts], "valid_loss").verdict == "none"
