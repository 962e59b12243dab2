"""The probability that an interval is right, against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.search.gaussian_process import saturated
from lrlab.search.likeliest import chances
from lrlab.search.posterior import Posterior, decades
from lrlab.search.promise import interval_of

X = np.linspace(-3, 0, 61)


def by_definition(regret, place, low, high, limits, held, least):
    """One curve after the other, one interval."""
    width, right = decades(X), 0
    for curve in regret:
        good = curve <= limits[0]
        if (good * width).sum() < least:
            good = good | (np.abs(X - X[curve.argmin()]) <= least / 2)
        inside = np.zeros(len(X), bool)
        inside[low : high + 1] = True
        enough = (width * (good & inside)).sum() >= held * (width * good).sum() - 1e-9
        right += enough and (curve[inside] <= limits[1]).all()
    return right / len(regret)


@pytest.mark.parametrize("root", range(4))
def test_chances_are_those_of_the_definition(root: int) -> None:
    random = np.random.default_rng(root)
    centers, steep = random.normal(-1.5, 0.3, 40), random.uniform(0.02, 3.0, 40)
    regret = steep[:, None] * (X - centers[:, None]) ** 2
    regret = regret + 0.002 * random.random(regret.shape)
    regret -= regret.min(1, keepdims=True)
    limits, place, reach = (0.01, 0.03), 30, (10, 50)
    found = chances(regret, decades(X), place, reach, limits, 0.5, 0.125)
    assert found.shape == (21, 21)
    for low in range(10, 31, 4):
        for high in range(30, 51, 4):
            expected = by_definition(regret, place, low, high, limits, 0.5, 0.125)
            assert found[low - 10, high - 30] == pytest.approx(expected, abs=0.051), (low, high)


def posterior(curves: np.ndarray) -> Posterior:
    every = np.ones(len(X), bool)
    return Posterior(10**X, curves, curves.mean(0), every, every, 0.2, 0.01, 0.01)


def test_the_interval_is_the_good_rates_where_these_are_known() -> None:
    curve = saturated(np.where(np.abs(X + 1.5) < 0.5, 0.0, 1.0), 0.2)
    low, high, right = interval_of(posterior(np.array([curve] * 4)), 30, 0.01)
    assert right == 1.0
    assert X[low] >= -2.01 and X[high] <= -0.99
    assert X[high] - X[low] >= 0.5


def test_a_cliff_that_may_come_early_shortens_its_side_alone() -> None:
    edges = np.linspace(-1.4, 0.0, 20)
    curves = np.where((edges[:, None] < X) | (X < -2.5), 1.0, 0.0)
    low, high, right = interval_of(posterior(saturated(curves, 0.2)), 30, 0.01)
    assert X[high] < -1.0 and X[low] < -1.9
    assert 0.5 < right < 1.0
    first, last, sure = interval_of(posterior(saturated(curves[-1:], 0.2)), 30, 0.01)
    assert X[last] > X[high] and sure == 1.0 and X[first] >= -2.51
