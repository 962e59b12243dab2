"""Streams of the real grain and Hugging Face data sets, where they are installed."""

from __future__ import annotations

import numpy as np
import pytest
from sources import BATCH, Numbered, arrays

from lrlab.data import stream
from lrlab.data.reader import digest_of


def test_a_map_dataset_of_grain_is_read_by_number():
    grain = pytest.importorskip("grain")
    source = stream(grain.MapDataset.source(Numbered()))
    assert source.length == 120 and source.numbered is not None
    np.testing.assert_array_equal(source.numbered.gather(np.array([7, 3]))[0], arrays()[0][[7, 3]])


def test_an_iterator_of_grain_goes_on_from_its_state():
    grain = pytest.importorskip("grain")

    def source(seed, epoch):
        numbered = grain.MapDataset.source(Numbered()).seed(seed + 1000 * epoch)
        return numbered.shuffle().batch(BATCH).to_iter_dataset()

    said: list[str] = []
    whole = stream(source).reader("train", 3)
    for _ in range(10):
        whole.batch()
    other = stream(source).reader("train", 3, saved=whole.state(), say=said.append)
    assert [digest_of(other.batch()) for _ in range(9)] == [
        digest_of(whole.batch()) for _ in range(9)
    ]
    assert not any("again" in line for line in said)


def test_a_data_set_of_hugging_face_is_read_by_list():
    datasets = pytest.importorskip("datasets")
    x, y = arrays()
    source = stream(datasets.Dataset.from_dict({"x": x.tolist(), "y": y.tolist()}))
    assert source.numbered is not None
    batch = source.numbered.gather(np.array([7, 3]))
    np.testing.assert_array_equal(batch["x"], x[[7, 3]])
    np.testing.assert_array_equal(batch["y"], y[[7, 3]])
