"""Several learning rates as one scale and the ratios between them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lrlab.search.ratios import ratios_of
from lrlab.search.settings import DEFAULTS

EVALS = list(range(5, 101, 5))


def ratios(ranges: dict[str, tuple[float, float]], budget: float = 24):
    return ratios_of(ranges, budget, 100, EVALS, DEFAULTS)


def test_the_middle_ratio_is_that_of_the_middles() -> None:
    rates = ratios({"a": (1e-4, 1.0), "b": (1e-3, 10.0)})
    point = rates.at(10**rates.center, {})
    assert_allclose([point["a"], point["b"]], [1e-2, 1e-1], rtol=1e-5, atol=0)
    assert 0.0 in rates.offsets["b"] and "a" not in rates.offsets


@pytest.mark.parametrize("offset", [-1.0, 0.0, 1.0])
def test_an_offset_is_the_ratio(offset: float) -> None:
    rates = ratios({"a": (1e-4, 1.0), "b": (1e-4, 1.0)})
    point = rates.at(10**rates.center, {"b": offset})
    assert np.log10(point["b"] / point["a"]) == pytest.approx(offset, abs=1e-4)


def test_a_held_rate_stays() -> None:
    rates = ratios({"a": (1e-4, 1.0), "b": (0.1, 0.1)})
    assert rates.held == ("b",) and rates.offsets == {}
    assert rates.at(1e-3, {})["b"] == pytest.approx(0.1, rel=1e-6)


def test_a_smaller_budget_looks_at_fewer_ratios() -> None:
    ranges = {"a": (1e-5, 10.0), "b": (1e-5, 10.0)}
    counts = [len(ratios(ranges, budget).offsets["b"]) for budget in (2, 8, 30)]
    assert counts == sorted(counts) and counts[0] == 1 and counts[-1] == 5
