"""Where a search looks beside its best rates: above them in the scout, at the interval's ends."""

from __future__ import annotations

import numpy as np
import pytest
from test_find import EVALS, START, STEPS, search, trainer, valley

from lrlab.core.records import DIVERGED, PRUNED
from lrlab.search.find import ends, promised
from lrlab.search.gaussian_process import saturated
from lrlab.search.posterior import posterior_of
from lrlab.search.rungs import survivors
from lrlab.search.settings import DEFAULTS


def test_one_survivor_explores_the_rates_above():
    scores = trainer(valley(-2.0))(np.geomspace(1e-6, 10, 16), np.zeros(16))
    kept = np.flatnonzero(survivors(scores, 100, 5))
    assert kept.tolist() == [7, 8, 9, 10, 13]  # of 11 to 15 the middle
    scores.outcome[12:] = DIVERGED
    assert np.ptp(np.flatnonzero(survivors(scores, 100, 5))) == 4  # one is left: a neighbor


@pytest.mark.parametrize("kept", [7, 8])
def test_who_explores_continues_at_the_next_rung(kept):
    scores = trainer(valley(-2.0))(np.geomspace(1e-6, 10, 16), np.zeros(16))
    first = survivors(scores, 100, kept)
    assert np.flatnonzero(first).tolist() == [*range(6, 5 + kept), 14]
    scores.outcome[~first] = PRUNED
    assert np.flatnonzero(survivors(scores, 200, 4)).tolist() == [8, 9, 10, 14]


def test_a_second_valley_above_is_found_though_it_learns_late():
    """Larger rates learn nothing until half of the time is gone, and then far more."""

    def train(lr, seed, rungs=(), decide=None):
        x = np.log10(np.asarray(lr, float))
        deep, shallow = valley(-1.2, 1.0), valley(-4.0, 0.7, 2.0)
        late = np.array([deep(one) < shallow(one) for one in x])
        final = lambda x: np.minimum(deep(x), shallow(x))  # noqa: E731
        early = trainer(lambda x: np.where(late, START, final(x)), 0.001)(lr, seed)
        seen = lambda step, now: decide(step, early._replace(outcome=now.outcome))  # noqa: E731
        whole = trainer(final, 0.001)(lr, seed, rungs, seen)
        half = np.asarray(EVALS) <= STEPS / 2
        whole.values[half] = np.where(np.isnan(whole.values[half]), np.nan, early.values[half])
        return whole

    assert search(train, budget_runs=20).lr > 0.01


def test_a_search_that_stops_is_sure_of_its_interval_too():
    answer = search(trainer(valley(-2.0, 1.5), 0.03), budget_runs=40)
    *before, last = answer.details["sureness"]
    assert answer.cost < 39 and last["cost"] == answer.cost
    assert last["confidence"] >= DEFAULTS.confidence
    assert last["interval"] >= DEFAULTS.interval_probability
    assert answer.details["interval_probability"] == pytest.approx(last["interval"], abs=0.1)
    assert before[0]["interval"] is None  # one seed


@pytest.mark.parametrize("root", range(4))
def test_an_answer_is_as_sure_as_the_search_that_stopped(root):
    answer = search(trainer(valley(-2.0, 1.0), 0.05, root=root), budget_runs=40)
    last = answer.details["sureness"][-1]
    assert last["cost"] == answer.cost < 39
    assert answer.confidence == last["confidence"] >= DEFAULTS.confidence
    assert answer.details["interval_probability"] >= last["interval"]


def test_what_seeds_add_to_all_rates_alike_hides_nothing_from_a_search_that_is_sure():
    """Seeds differ by more than rates do, so that an analysis of variance sees no rate; within
    seeds the valley is clear."""

    def train(lr, seed, rungs=(), decide=None):
        scores = trainer(valley(-2.0, 2.0), 0.01)(lr, seed, rungs, decide)
        luck = 4 * np.array([np.random.default_rng(int(one)).normal() for one in seed])
        return scores._replace(values=scores.values + luck, initial=scores.initial + luck)

    answer = search(train, budget_runs=40)
    assert answer.verdict == "interior" and answer.confidence >= DEFAULTS.confidence
    assert answer.lr == pytest.approx(0.01, rel=0.5)


def test_lanes_at_the_ends_stand_where_least_is_known():
    part = trainer(valley(-2.0), 0.01)(np.geomspace(1e-4, 1, 7), np.zeros(7))
    more = trainer(valley(-2.0), 0.01)(np.array([0.005, 0.01, 0.02]), np.ones(3))
    posterior = posterior_of([part, more])
    promise = promised(posterior)
    lr, seed = ends([part, more], posterior, promise, 10.0)
    assert len(lr) == 2 and lr[0] > posterior.lr[promise.pick] > lr[1]
    assert set(seed) <= {0, 1}
    good = (posterior.regret <= saturated(np.array(0.01), posterior.cap)).mean(0)
    at = good[[np.abs(posterior.lr - one).argmin() for one in lr]]
    assert ((at > 0.03) & (at < 0.97)).all()
    assert len(ends([part, more], posterior, promise, 1.0)[0]) == 1
