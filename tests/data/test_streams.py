"""Streams: what they say of themselves, their digests, and their parts."""

from __future__ import annotations

import numpy as np
import pytest
from sources import BATCH, Again, Numbered, arrays, batches, endless, mapped

import lrlab
from lrlab.data import DataError, stream
from lrlab.data.streams import stream_of


def test_a_stream_says_what_it_is(tmp_path):
    x, y = arrays()
    numbered, loader = stream((mapped(tmp_path, x, "x"), y)), stream(batches)
    assert (numbered.length, numbered.batch_size) == (120, None)
    assert (loader.length, loader.batch_size) == (None, BATCH)
    assert numbered.source == {
        "stream": "arrays", "length": 120, "arrays": {"0": "float32[6]", "1": "int64[]"},
    }  # fmt: skip
    assert loader.source["stream"] == "(seed, epoch) -> iterator"


def test_digests_tell_sources_apart():
    x, y = arrays()
    other = x.copy()
    other[60] += 1
    assert stream((x, y)).digest == stream((x.copy(), y)).digest != stream((other, y)).digest
    assert stream(batches).digest == stream(batches).digest
    assert stream(batches).digest != stream(lambda seed, epoch: batches(seed + 1, epoch)).digest
    assert stream(Numbered()).digest == stream(Numbered()).digest


def test_columns_have_shapes_and_rows_and_are_never_read_whole():
    x, y = stream(arrays()).columns
    assert (x.shape, x.ndim, x.size, len(y)) == ((120, 6), 2, 720, 120)
    np.testing.assert_array_equal(x[3:5], arrays()[0][3:5])
    np.testing.assert_array_equal(y[np.array([5, 1])], arrays()[1][[5, 1]])
    with pytest.raises(TypeError, match="never as one array"):
        np.asarray(x)
    assert stream_of((x, y)) is x.stream and stream_of(arrays()) is None


@pytest.mark.parametrize("source", [arrays(), Numbered()], ids=["arrays", "collection"])
def test_parts_are_every_example_once(source):
    parts = list(stream(source).parts(50))
    assert [len(y) for _, y in parts] == [50, 50, 20]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in parts]), arrays()[0])


def test_a_pass_of_a_loader_has_its_small_batch_too():
    whole = stream(batches).whole(1 << 20)
    assert len(whole[0]) == 120
    np.testing.assert_array_equal(whole[0][:BATCH], next(batches(0))[0])
    assert stream(batches).whole(100) is None and stream(arrays()).whole(100) is None


def test_the_head_of_a_loader_goes_beyond_its_first_batch():
    x, _ = stream(batches).head(40)
    np.testing.assert_array_equal(x, np.concatenate([b[0] for b in batches(0)])[:40])
    short = stream(
        lambda seed: iter([batch for _, batch in zip(range(2), endless(0), strict=False)])
    )
    assert len(short.head(500)[0]) == 2 * BATCH


def test_a_second_source_comes_along():
    given = stream(batches, valid=Again())
    assert isinstance(given.valid, lrlab.data.Stream) and given.valid.batch_size == BATCH
    assert stream(given) is given and stream(given, valid=arrays()).valid is not None


@pytest.mark.parametrize(("source", "message"), [
    (lambda seed: iter([]), "of seed 0 after 0 batches: the iterator has ended"),
    (lambda: iter([]), "epoch 0 gave no whole batch"),
    (lambda seed: 1 / 0, "the loader raised ZeroDivisionError"),
    ((np.zeros(2), np.zeros(3)), "differ in length"),
    (3, "can neither be read by number"),
    (lambda seed: iter([(np.zeros((2, 2)), "cats")]), "'cats' is no number"),
    ({"train": [1, 2], "test": [3]}, "holds 'train', 'test', which are no arrays"),
])  # fmt: skip
def test_what_is_no_stream_is_bad_input(source, message):
    with pytest.raises(DataError, match=message):
        stream(source)


@pytest.mark.parametrize("bad", [1, 20])
def test_an_example_that_cannot_be_read_is_named_before_training(bad):
    class Broken:
        def __len__(self):
            return 200

        def __getitem__(self, number):
            if int(number) == bad:
                raise OSError("gone")
            return np.float32([number]), np.float32([number])

    message = rf"the stream: reading example {bad} raised OSError: gone"
    with pytest.raises(DataError, match=message):
        stream(Broken()).columns[0][:40]
    with pytest.raises(DataError, match=message):
        _ = stream(Broken()).digest
