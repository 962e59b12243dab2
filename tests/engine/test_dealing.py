"""Tiles dealt to devices by their speed: how many each gets, and that no number depends on it."""

from __future__ import annotations

import pytest
from eight_devices import run
from few import few

from lrlab.engine.dealing import shares


@pytest.mark.parametrize(
    ("held", "seconds", "most", "wanted"),
    [
        ([4, 4], [3.0, 1.0], 8, [2, 6]),
        ([4, 4], [3.0, 1.0], 5, [3, 5]),
        ([4, 4], [1.0, 1.0], 8, [4, 4]),
        ([2, 6], [1.0, 1.0], 8, [4, 4]),
        ([1, 1], [9.0, 1.0], 8, [0, 2]),
        ([1, 1, 0], [1.0, 1.0, 1.0], 8, [1, 1, 0]),
        ([3, 3], [3.0, 1.0], 2, [3, 3]),
        ([0, 0], [1.0, 1.0], 2, [0, 0]),
    ],
)
def test_shares_end_together(held, seconds, most, wanted):
    assert shares(held, seconds, most, 0.1) == wanted


@pytest.mark.parametrize("names", few([(("plain",),), (("streamed", "head"),)], 1))
def test_a_slow_device_gets_fewer_tiles_and_no_number_changes(names):
    for name, found in run("dealt", *names).items():
        assert found["equal"], name
        slow, *others = found["counts"]
        assert sum(found["counts"]) == 18 and slow < min(others), (name, found["counts"])
