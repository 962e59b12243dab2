"""Intervals of exponents from points whose errors are given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lrlab.search.statistics import power_law


@pytest.mark.parametrize("count", [3, 4, 8])
def test_power_law_with_errors_half_the_truth(count: int) -> None:
    rng, x = np.random.default_rng(0), 2.0 ** np.arange(count)
    sigma = rng.uniform(0.1, 0.4, count)
    inside = 0
    for _ in range(300):
        y = 3 * x**-0.5 * np.exp(2 * sigma * rng.normal(size=count))
        law = power_law(x, y, errors=sigma)
        inside += law.exponent.low <= -0.5 <= law.exponent.high
    assert inside / 300 >= 0.93


def test_errors_of_two_points_are_taken_as_true() -> None:
    law = power_law([1, np.e], [1, np.e], errors=[0.3, 0.4])
    assert law.exponent.high - law.exponent.value == pytest.approx(1.96 * 0.5, rel=1e-3)
    trusted = power_law([1, np.e], [1, np.e], errors=[0.3, 0.4], freedom=4)
    assert trusted.exponent.high - 1 == pytest.approx(stats.t.ppf(0.975, 4) * 0.5)
    with pytest.raises(ValueError, match=r"two different x"):
        power_law([2, 2], [1, 3], errors=[0.1, 0.1])


def test_points_with_small_errors_count_more() -> None:
    law = power_law([1, 2, 4, 8], [1, 2, 4, 80], errors=[0.1, 0.1, 0.1, 10.0])
    assert law.exponent.value == pytest.approx(1.0, abs=0.01)
