"""How probably a further seed diverges beside rates at which some did."""

from __future__ import annotations

import numpy as np
import pytest
from test_find import trainer, valley

from lrlab.core.records import DIVERGED, OK
from lrlab.search import table
from lrlab.search.cliff import diverging, with_divergence
from lrlab.search.joint import joint_of, side_by_side
from lrlab.search.posterior import posterior_of
from lrlab.search.seed_effects import exploded
from lrlab.search.settings import CliffPriors

RATES = np.geomspace(1e-3, 10, 17)
GRID = np.log10(RATES)
PRIORS = CliffPriors()


def part(lost, seeds=4):
    """Lanes of a valley at 0.1; those of rate k that diverge are the first `lost(k)` seeds."""
    lr, seed = np.repeat(RATES, seeds), np.tile(np.arange(seeds), len(RATES))
    scores = trainer(valley(-1.0, 1.0), 0.01)(lr, seed)
    broken = seed < np.repeat([lost(place) for place in range(len(RATES))], seeds)
    return scores._replace(
        values=np.where(broken, np.nan, scores.values),
        outcome=np.where(broken, DIVERGED, scores.outcome),
        diverged_at=np.where(broken, 3, scores.diverged_at),
    )


def shares(lost, seeds=4, count=400):
    random = np.random.default_rng(0)
    return diverging(table([part(lost, seeds)]), GRID, count, random, PRIORS)


def test_where_no_lane_diverged_there_is_no_cliff():
    assert shares(lambda place: 0) is None
    curves = np.array([[0.01, 0.1]])
    assert with_divergence(curves, None, 0.2) is curves


def test_a_cliff_is_where_lanes_begin_to_diverge():
    """All survive up to rate 11, all diverge from rate 12 on."""
    share = shares(lambda place: 4 if place >= 12 else 0)
    assert share.shape == (400, len(RATES))
    assert share[:, :9].max() < 0.05 and share[:, 14:].min() > 0.9
    assert 0.01 < share[:, 11].mean() < 0.3 and 0.7 < share[:, 12].mean() < 0.99
    assert (np.diff(share, axis=1) >= 0).all()


def test_more_seeds_that_survive_make_it_less_probable_that_others_do_not():
    few = shares(lambda place: 2 if place >= 12 else 0, 2)[:, 11].mean()
    many = shares(lambda place: 12 if place >= 12 else 0, 12)[:, 11].mean()
    assert many < few / 2


def test_where_one_of_four_diverges_about_one_of_four_does():
    share = shares(lambda place: 4 if place >= 13 else int(place == 12)).mean(0)
    assert share[12] == pytest.approx(0.3, abs=0.15)
    assert share[11] > shares(lambda place: 4 if place >= 13 else 0).mean(0)[11]


def test_a_lane_that_diverges_far_below_is_an_accident():
    share = shares(lambda place: 4 if place >= 12 else int(place == 2))
    assert share[:, 8].mean() < 0.05


def finite(lost, seeds=4, level=50.0):
    """As `part`, but lanes that diverge end at a loss of `level`, far above the start's."""
    scores = part(lost, seeds)
    broken = scores.outcome == DIVERGED
    return scores._replace(
        values=np.where(broken, level, scores.values), outcome=np.where(broken, OK, scores.outcome)
    )


def test_lanes_that_end_above_their_start_count_as_diverged():
    lost = lambda place: 4 if place >= 13 else int(place == 12)  # noqa: E731
    np.testing.assert_array_equal(
        exploded(table([finite(lost)])), exploded(table([part(lost)])), strict=True
    )
    random = np.random.default_rng(0)
    share = diverging(table([finite(lost)]), GRID, 400, random, PRIORS)
    np.testing.assert_allclose(share, shares(lost), atol=1e-12)


def test_rates_too_small_to_gain_anything_did_not_explode():
    slow = finite(lambda place: 4 if place < 5 else 0)
    assert not exploded(table([slow])).any()


def test_a_rate_that_one_lane_survived_below_an_explosion_is_not_sure():
    """A plain up to a cliff at which lanes end far above their start: the last rate before it, on
    which one lane tells, costs more than the middle of the plain."""
    scores = finite(lambda place: 4 if place >= 12 else 0)
    alone = (np.repeat(np.arange(len(RATES)), 4) == 11) & (scores.seed > 0)
    plain = np.isin(np.repeat(np.arange(len(RATES)), 4), range(6, 12))
    scores = scores._replace(values=np.where(plain, 0.1, scores.values))
    found = posterior_of([scores.lanes(~alone)])
    costs = np.interp(GRID, np.log10(found.lr), found.expected_regret)
    assert costs[11] > 0.02 and costs[8] < 0.01


def test_what_diverges_loses_the_gain():
    cap = 0.2
    curves = np.full((3, 2), 0.01)
    share = np.array([[0.0, 0.5], [1e-9, 1.0], [0.0, 0.01]])
    cost = with_divergence(curves, share, cap)
    np.testing.assert_allclose(cost[:, 0], 0.01, atol=1e-12)
    assert cost[2, 1] == pytest.approx(0.02, abs=0.002)
    assert cost[2, 1] < cost[0, 1] < cost[1, 1] <= cap


def test_a_rate_beside_a_cliff_is_less_sure_than_one_far_from_it():
    """The valley's best at 0.1, and the cliff right beyond it, or a decade away."""
    near, far = (
        posterior_of([part(lambda place, first=first: 4 if place >= first else 0)])
        for first in (9, 13)
    )
    place = int(np.abs(np.log(near.lr / 0.1)).argmin())
    assert near.probability(place, 0.01) < far.probability(place, 0.01)


def joint(lost):
    """Two combinations, one of which has a cliff."""
    parts = [part(lost), part(lambda place: 0)]
    calls = [side_by_side(one, np.full(len(one.lr), k)) for k, one in enumerate(parts)]
    steps = np.array([[0.0, 1.0], [1.0, 0.0]])
    return joint_of(calls, [[one] for one in parts], trained=[0, 1], steps=steps)


def test_a_cliff_of_one_combination_is_its_own():
    """Of several combinations the one whose lanes diverge costs what they lose, right where they
    do: the curve of those that survive is not bent beside it, and the other has no cliff."""
    found = [joint(lost) for lost in (lambda place: max(0, place - 7), lambda place: 0)]

    def at_rates(combination, name):
        return [
            np.interp(GRID, np.log10(one.lr), getattr(one, name))
            for one in (joint.posteriors[combination] for joint in found)
        ]

    cliff, plain = at_rates(0, "expected_regret")
    assert cliff[8] > 10 * plain[8]  # one of four seeds diverges at the best rate
    assert cliff[9] > 2 * plain[9]  # two of four
    assert cliff[6] < plain[6]
    alive = at_rates(0, "mean")
    np.testing.assert_allclose(alive[0][5:10], alive[1][5:10], atol=0.05)
    cliff, plain = at_rates(1, "expected_regret")
    np.testing.assert_allclose(cliff[:11], plain[:11], atol=0.02)
