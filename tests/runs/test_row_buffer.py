"""Rows on their way to the disk: nothing lost, nothing twice, in few blocks."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lrlab.runs.row_buffer import Pending, add, pieces


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 7)), max_size=60),
    st.integers(0, 1000),
)
def test_everything_comes_back_once(segments, begin):
    """Three tiles of lanes, trained in any order by segments of any length."""
    tiles = [np.array([0, 4]), np.array([2]), np.array([1, 3, 5])]
    cells = np.array([5, 4, 3, 2, 1, 0])
    rows = [begin] * 3
    expected = np.full((begin + 7 * len(segments) + 1, 6), np.nan)
    pending: Pending = {}
    for number, (tile, count) in enumerate(segments):
        lanes, start = tiles[tile], rows[tile]
        values = 100.0 * number + np.arange(count * len(lanes)).reshape(count, -1)
        add(pending, "train_loss", start, lanes, values, cells)
        expected[start : start + count, cells[lanes]] = values
        values[:] = -1  # the caller's own memory, to be used again
        rows[tile] += count
    found = np.full_like(expected, np.nan)
    for first, where, values in pieces(pending.get("train_loss", {})):
        assert np.isnan(found[first : first + len(values), where]).all()
        found[first : first + len(values), where] = values
    np.testing.assert_array_equal(found, expected)


def test_many_small_blocks_become_few():
    pending: Pending = {}
    for step in range(0, 6 * 5000, 6):
        add(pending, "train_loss", step, np.arange(4), np.zeros((6, 4)), np.arange(4))
    held = pieces(pending["train_loss"])
    assert sum(len(values) for _, _, values in held) == 30_000
    assert len(held) <= math.ceil(math.log2(5000))


def test_blocks_with_a_gap_between_stay_apart():
    pending: Pending = {}
    for start in (0, 10):
        add(pending, "valid_loss", start, np.arange(1), np.zeros((2, 1)), np.arange(1))
    assert [first for first, _, _ in pieces(pending["valid_loss"])] == [0, 10]
