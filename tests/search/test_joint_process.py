"""Curves of several combinations: through their lanes, and as alike as the lanes say."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.search.gaussian_process import Observations, saturated
from lrlab.search.joint_process import Lanes, Likeness, Places, draw_joint

CAP, SPREAD = 0.2, 0.005
X = np.linspace(-4, 0, 41)


def bowl(x: np.ndarray, best: float) -> np.ndarray:
    return saturated(0.05 * (x - best) ** 2, CAP)


def curves(
    tried: list[list[float]], bests: list[float], *middles: list[float], known=None
) -> np.ndarray:
    """Draws f64[N, K, X] from lanes without noise of one seed, `tried` rates (log10) for each
    combination; `middles`: guesses of the best rates; `known`: the offset of each curve."""
    known = known or [0.0] * len(bests)
    x = np.concatenate([np.array(one, float) for one in tried])
    owner = np.repeat(np.arange(len(tried)), [len(one) for one in tried])
    y = np.concatenate(
        [bowl(np.array(one, float), b) + k for one, b, k in zip(tried, bests, known, strict=True)]
    )
    lanes = Observations(x, np.zeros(len(x), int), y, np.zeros(len(x)))
    steps = np.abs(np.subtract.outer(np.arange(len(bests)), np.arange(len(bests))))
    places = Places(np.tile(X, len(bests)), np.repeat(np.arange(len(bests)), len(X)))
    drawn = draw_joint(
        Lanes(lanes, owner), Likeness(steps.astype(float), np.array(middles)), CAP, SPREAD, places
    )
    return drawn.reshape(len(drawn), len(bests), len(X))


FINE = [-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0]


def test_shape_and_curves_go_through_their_lanes() -> None:
    drawn = curves([FINE, FINE], [-2.0, -1.0], [-2.0, -1.0])
    assert drawn.shape[1:] == (2, 41) and len(drawn) == 320
    for k, best in enumerate((-2.0, -1.0)):
        near = np.abs(X - best) < 0.8
        apart = drawn[:, k, near] - bowl(X[near], best)
        # One seed: its part of the level is unknown, and the same for all.
        apart -= apart.mean(1, keepdims=True)
        np.testing.assert_allclose(apart.mean(0), 0.0, atol=0.006)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_a_combination_with_few_lanes_is_like_those_that_are_alike(shift: float) -> None:
    """Alike at the same rate, or at the same distance from the best rate of each."""
    bests = [-3.0, -3.0 + shift, -3.0 + 2 * shift]
    few = [bests[2] - 0.5, bests[2]]
    alike = curves([FINE, FINE, few], bests, bests)
    alone = curves([[bests[2] + 3], [bests[2] + 3], few], bests, bests)
    there = int(np.abs(X - (bests[2] + 1.0)).argmin())
    spreads = [drawn[:, 2, there].std() for drawn in (alike, alone)]
    assert spreads[0] < spreads[1] / 3
    level = alike[:, 2].mean(0) - alike[:, 0].mean(0).min()
    np.testing.assert_allclose(level[there], bowl(X[there], bests[2]), atol=0.03)


def test_a_difference_between_combinations_is_kept() -> None:
    drawn = curves([FINE, FINE], [-2.0, -2.0], [-2.0, -2.0], known=[0.0, 0.05])
    least = drawn.min(2)
    assert (least[:, 1] - least[:, 0]).mean() == pytest.approx(0.05, abs=0.015)
    assert ((least[:, 1] - least[:, 0]) > 0.01).mean() > 0.95


def test_lanes_choose_among_guesses_of_the_best_rates() -> None:
    """With a wrong guess beside the right one as with the right one alone."""
    bests, few = [-3.0, -2.0, -1.0], [-1.5, -1.0]
    wrong = [-3.0, -2.8, -0.2]
    one = curves([FINE, FINE, few], bests, bests)[:, 2].mean(0)
    both = curves([FINE, FINE, few], bests, wrong, bests)[:, 2].mean(0)
    misled = curves([FINE, FINE, few], bests, wrong)[:, 2].mean(0)
    there = int(np.abs(X - 0.0).argmin())
    level = one.min() + bowl(X[there], bests[2])
    np.testing.assert_allclose([one[there], both[there]], level, atol=0.02)
    assert abs(both[there] - one[there]) < abs(misled[there] - one[there]) / 3
