"""Blocks of batches: cast as data in memory are, and refused where a number cannot be held."""

from __future__ import annotations

import numpy as np
import pytest
from sources import arrays

from lrlab.core.errors import StreamError
from lrlab.data import stream
from lrlab.engine.blocks import blank, block_bytes, fill, gathered
from lrlab.engine.host_data import on_host

MORE = np.full((2, 3), np.iinfo(np.int32).max, np.int64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", ["float16", "float64", ">f4"])
def test_numbers_are_those_of_memory(dtype, given):
    x, y = arrays(given, "uint8")
    source, rows = stream((x, y)), np.array([3, 110, 3])
    block = blank(source, 3, dtype)
    fill(block, gathered(source, rows), "train")
    memory = on_host({"train": (x.astype(x.dtype.newbyteorder("=")), y)}, dtype)["train"]
    for mine, theirs in zip(block, memory, strict=True):
        np.testing.assert_array_equal(mine, theirs[rows])
        assert mine.dtype == theirs.dtype
    assert block_bytes(source, 3, dtype) == sum(leaf.nbytes for leaf in block)


@pytest.mark.parametrize(("value", "message"), [
    (np.array([[0, np.nan]]), "train: a batch holds nan or infinity"),
    (np.array([[0, -np.inf]], np.float16), "holds nan or infinity"),
    (MORE[:1, :2] + 1, "holds the integer 2147483648, beyond int32; give it as a float"),
])  # fmt: skip
def test_numbers_that_a_run_cannot_hold(value, message):
    block = blank(stream(np.zeros((4, 2), value.dtype)), 2, "float32")
    with pytest.raises(StreamError, match=message):
        fill(block, [value], "train")


@pytest.mark.parametrize("value", [
    MORE, np.full((2, 3), 3e38, np.float32), np.full((2, 3), 65504, np.float16),
])  # fmt: skip
def test_large_numbers_that_it_can_hold(value):
    block = blank(stream(value), 2, "float32")
    fill(block, [value], "train")
    np.testing.assert_array_equal(block, value)
