"""Examples and batches of any library become NumPy arrays, or it is said which one cannot."""

from __future__ import annotations

import numpy as np
import pytest
from sources import Tensor

from lrlab.data import DataError
from lrlab.data.examples import as_arrays, count_of, stacked


def test_tensors_lists_and_numbers_are_arrays():
    x, (y, mask) = as_arrays([Tensor(np.ones(2, np.float32)), [3, [True, False]]], "train")
    np.testing.assert_array_equal(x, np.ones(2, np.float32))
    assert y == 3 and y.dtype == np.int64
    np.testing.assert_array_equal(mask, [1, 0])
    assert mask.dtype == np.int8


@pytest.mark.parametrize(("example", "message"), [
    ({"text": "a cat"}, r"train, text: 'a cat' is no number; leave it out, or encode it"),
    ((1.0, None), r"train, 1: None is no number"),
    ({"x": {"y": object()}}, r"train, x/y: "),
])  # fmt: skip
def test_what_holds_no_numbers_is_named_by_its_path(example, message):
    with pytest.raises(DataError, match=message):
        as_arrays(example, "train")


def test_what_numpy_cannot_read_is_said_in_its_own_words():
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("is on the GPU")

    with pytest.raises(
        DataError, match=r"Broken cannot be read by np.asarray \(RuntimeError: is on"
    ):
        as_arrays(Broken(), "train")


@pytest.mark.parametrize(("examples", "message"), [
    ([{"x": 1}, {"y": 1}], "examples differ in their parts: x, and y"),
    ([np.zeros(2), np.zeros(3)], r"shapes \(2,\) and \(3,\); all must have one: cut or pad them"),
])  # fmt: skip
def test_examples_that_make_no_batch(examples, message):
    with pytest.raises(DataError, match=message):
        stacked(examples, "train")


@pytest.mark.parametrize(("batch", "message"), [
    ((), "is empty"),
    ((np.zeros(2), np.float32(1)), "train, 1: is a single number"),
    ({"x": np.zeros(2), "y": np.zeros(3)}, "differ in length: x 2, y 3"),
])  # fmt: skip
def test_what_is_no_batch(batch, message):
    with pytest.raises(DataError, match=message):
        count_of(batch, "train")
