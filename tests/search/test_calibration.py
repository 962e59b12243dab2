"""What the statistics say is true as often as they say, in simulations whose truth is known.

Few simulations each, so the limits are wide; `experiments/calibration.py` has the many.
"""

from __future__ import annotations

import importlib

import pytest
from few import few
from places import ROOT


@pytest.fixture
def pairs(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    return importlib.import_module("calibration_pairs")


@pytest.fixture
def studies(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    return importlib.import_module("calibration_laws")


@pytest.mark.parametrize("place", few([0, 3], 1))
def test_exponents_intervals_cover(studies, place: int) -> None:
    coverage, wider = studies.exponent_coverage(studies.SETTINGS[place], 12)
    assert coverage >= 0.8 and wider <= 3


@pytest.mark.parametrize("name", ["normal", "log-normal 0.5 against a constant"])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_paired_intervals_cover(pairs, name: str, seeds: int) -> None:
    assert pairs.interval_coverage(name, seeds, 200) >= 0.90


@pytest.mark.parametrize("entries", few([3, 12], 1))
def test_equal_entries_seldom_beat_each_other(pairs, entries: int) -> None:
    assert pairs.false_winners(entries, 5, 60) <= 0.10


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_probabilities_are_frequencies(pairs, seeds: int) -> None:
    said, right = pairs.probabilities(2, seeds, 0.7, 300)
    assert said.mean() == pytest.approx(right.mean(), abs=0.07)
    sure = said >= 0.8
    assert right[sure].mean() >= 0.75
