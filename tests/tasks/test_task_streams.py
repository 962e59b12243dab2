"""A task's data: streams and files as columns, small ones in memory."""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import pytest
from sources import Again, Numbered, arrays, batches, mapped, task

import lrlab
from lrlab.core.arrays import is_mapped
from lrlab.core.errors import FieldError
from lrlab.data import stream
from lrlab.data.streams import Column
from lrlab.tasks import streams


def test_a_small_file_is_read_and_a_large_one_stays(tmp_path, monkeypatch):
    x, y = arrays()
    pair = mapped(tmp_path, x, "x"), y
    small = task(pair, pair).data["train"]
    assert not any(isinstance(leaf, Column) or is_mapped(leaf) for leaf in small)
    monkeypatch.setattr(streams, "HELD_BYTES", 0)
    large = task(pair, pair).data
    assert all(isinstance(leaf, Column) for split in large.values() for leaf in split)
    np.testing.assert_array_equal(large["valid"][0][:7], x[:7])


def test_what_the_caller_writes_later_reaches_no_run():
    x, y = arrays()
    this = task((x, y))
    x[:] = 7.0
    np.testing.assert_array_equal(this.data["train"][0], arrays()[0])


def test_validation_data_come_along_with_the_stream():
    this = lrlab.Task.supervised(
        model=nn.Dense(3),
        loss="softmax_cross_entropy",
        train=stream(batches, valid=Again()),
    )
    assert len(this.data["valid"][1]) == 120
    assert repr(this).startswith("Task('supervised': batches of 16 for train, 120 valid; loss")
    assert this.source["data"]["streams"] == {"train": this.data["train"][0].stream.source}
    with pytest.raises(FieldError, match="validation data were given twice"):
        task(stream(batches, valid=Again()))


COLUMN = arrays()[0], arrays()[1][:, None]


def broken():
    yield next(batches(0))
    yield next(batches(0))
    raise OSError("gone")


@pytest.mark.parametrize(("train", "valid", "message"), [
    (stream(batches), stream(lambda: broken()), "a pass of the loader, after 2 batches: it raised"),
    (stream(arrays()[0]), None, "must be a pair"),
    ([*zip(*arrays(), strict=True)].__iter__, None, r"as lrlab\.data\.stream\("),
    (Numbered(), None, r"got Numbered; give a data set or a loader as lrlab\.data\.stream\("),
    (stream((arrays()[0], arrays()[1] + 5)), None, r"label \d at row \d+ .* out of range 0 to 2"),
    (stream((arrays()[0], arrays()[0][:, 0])), None, "labels must be integers, got dtype float32"),
    (stream((arrays()[0][:, :4], arrays()[1])), None, "shapes"),
    (stream(COLUMN), COLUMN, r"labels of a stream must be \[N\], got \[120, 1\]"),
])  # fmt: skip
def test_wrong_data_are_bad_input(train, valid, message):
    with pytest.raises(FieldError, match=message):
        task(train, valid)


def test_a_metric_of_all_examples_needs_them_in_memory(tmp_path, monkeypatch):
    def spread(outputs, targets):
        return outputs.max() - outputs.min()

    options = dict(
        model=nn.Dense(3), loss="softmax_cross_entropy", metrics={"spread": (spread, "min")}
    )
    kept = lrlab.Task.supervised(train=arrays(), valid=stream(arrays()), **options)
    assert kept.metrics["spread"] == "min"
    monkeypatch.setattr(streams, "HELD_BYTES", 0)
    file = mapped(tmp_path, arrays()[0], "x"), arrays()[1]
    read = lrlab.Task.supervised(train=file, valid=file, **options).data
    assert isinstance(read["train"][0], Column) and isinstance(read["valid"][0], np.ndarray)
    with pytest.raises(FieldError, match="valid: one of the metrics needs all examples at once"):
        lrlab.Task.supervised(train=arrays(), valid=stream(arrays()), **options)
