"""Arrays that stay in a run folder: every index gives what NumPy gives, and reads no more."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lrlab
from lrlab.core.errors import RunError
from lrlab.runs import recorder, stored, zarr_arrays
from lrlab.runs.reader import read_stage
from lrlab.runs.stored import StoredArray
from lrlab.training import session

SHAPE = (20, 6, 5, 2)
INDICES = [
    3, -1, np.int64(4), slice(None), slice(3, 17, 4), slice(None, None, -1), slice(-3, None),
    (slice(None), 5, 0, 1), (2, 5), (2, slice(1, 3)), (slice(2, 9), slice(None, None, 2), -1),
    (slice(None), np.array([4, 0, 0])), (3, np.array([1, 2])), (slice(1, 4), 0, np.array([1, 1])),
    (Ellipsis, 0), (slice(None), None, 2), np.array([1, 5]), (np.array([1, 5]), 0), slice(4, 4),
    (slice(4, 4), 2), (slice(None), np.array([True, False, True, False, True, True])), (), Ellipsis,
    (5, 1, 2, 1),
]  # fmt: skip


@pytest.fixture
def both(tmp_path):
    zarr_arrays.begin(tmp_path)
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    zarr_arrays.write(tmp_path, "loss", values, ["step", "lr", "wd", "seed"])
    return values, StoredArray(tmp_path / "loss")


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_an_index_gives_what_numpy_gives(both, index, monkeypatch) -> None:
    monkeypatch.setattr(stored, "PART", 500)  # a few rows at a time
    values, lies = both
    assert_array_equal(lies[index], values[index])
    assert np.shape(lies[index]) == np.shape(values[index])


@pytest.mark.parametrize("index", [3, (slice(None), 7), (2, -1), (slice(3, 9), np.array([3, 59])),
                                   slice(None, None, 5)], ids=str)  # fmt: skip
def test_lanes_beside_each_other_too(both, index) -> None:
    values, lies = both
    flat, wanted = lies.reshape(20, -1), values.reshape(20, -1)
    assert flat.shape == wanted.shape and isinstance(flat, StoredArray)
    assert_array_equal(flat[index], wanted[index])
    assert_array_equal(flat.reshape(SHAPE)[1, 2], values[1, 2])


@pytest.mark.parametrize("index", [20, -21, (0, 6), (0, 0, 0, 0, 0), (slice(None), 0, 0, 2)])
def test_what_is_not_there_is_an_index_error(both, index) -> None:
    with pytest.raises(IndexError):
        both[1][index]


def test_numpy_takes_it_for_an_array(both) -> None:
    values, lies = both
    assert (len(lies), lies.shape, lies.ndim, lies.size) == (20, SHAPE, 4, values.size)
    assert lies.dtype == np.float32 and lies.nbytes == values.nbytes
    assert_array_equal(np.asarray(lies), values)
    assert_array_equal(np.asarray(lies, np.float64), values.astype(np.float64))
    assert_array_equal(lies + 1, values + 1)
    assert_array_equal(2 / lies, 2 / values)
    assert_array_equal(np.isfinite(lies), np.isfinite(values))
    assert_allclose(np.mean(lies), values.mean(), rtol=1e-6, atol=1e-9)
    assert_allclose(lies.max(), values.max(), rtol=0, atol=0)
    assert_array_equal(np.take(lies, [4, -1], 1), np.take(values, [4, -1], 1))
    assert_array_equal(list(lies)[2], values[2])
    assert_array_equal(lies.T, values.T)
    assert_array_equal(lies.reshape(-1), values.reshape(-1))
    with pytest.raises(AttributeError):
        lies.nothing  # noqa: B018
    with pytest.raises(IndexError):
        np.take(lies, [6], 1)


def test_a_lane_reads_its_chunks_alone(tmp_path) -> None:
    zarr_arrays.begin(tmp_path)
    values = np.arange(40 * 9000, dtype=np.float32).reshape(40, 4500, 2)
    zarr_arrays.write(tmp_path, "loss", values, ["step", "lr", "seed"])
    lies = StoredArray(tmp_path / "loss")
    for file in (tmp_path / "loss" / "c").glob("*/2/0"):
        file.write_bytes(b"damaged")
    assert_array_equal(lies[:, 100, 1], values[:, 100, 1])
    with pytest.raises(RunError, match="damaged or missing"):
        lies[:, 4400, 1]


def test_rows_are_put_where_they_belong(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(zarr_arrays, "PUT_VALUES", 200)
    zarr_arrays.begin(tmp_path)
    array = zarr_arrays.create(tmp_path, "loss", (50, 7, 3), np.float32, ["step", "lr", "seed"])
    wanted = np.full((50, 21), np.nan, np.float32)
    generator, pieces = np.random.default_rng(1), []
    for first, count, cells in ((0, 50, [4, 7]), (20, 9, [0, 20]), (45, 5, [10]), (3, 1, [])):
        values = generator.normal(size=(count, len(cells))).astype(np.float32)
        pieces.append((first, np.array(cells, int), values))
        wanted[first : first + count, cells] = values
    zarr_arrays.put(array, pieces)
    zarr_arrays.put(array, [])
    assert_array_equal(zarr_arrays.read(tmp_path, "loss").reshape(50, 21), wanted)


USUAL = dict(optimizer="sgd", lr=[0.01, 0.1, 1e38], seeds=2, steps=30, batch_size=8,
             progress=False, plan=lrlab.Plan(2, 1, 5))  # fmt: skip


@pytest.mark.slow
def test_a_run_that_lies_in_its_folder_has_the_same_numbers(tmp_path, monkeypatch) -> None:
    here = lrlab.sweep("iris-linear", **USUAL)
    for module in (stored, zarr_arrays, lrlab.runs.reader):
        monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(recorder, "PENDING", 64)  # rows go into their arrays at every segment
    there = lrlab.sweep("iris-linear", **USUAL, out=tmp_path / "run")
    read = lrlab.load(tmp_path / "run")
    for result in (there, read):
        for name, values in here.history.items():
            assert isinstance(result.history[name], StoredArray)
            assert_array_equal(result.history[name], values)
            assert_array_equal(result.final.get(name, values[-1]), values[-1])
        assert str(result.best()) == str(here.best())
        assert_array_equal(result.scores(), here.scores())
        assert result.to_pandas(per="step").equals(here.to_pandas(per="step"))
        assert result.dataset()["train_loss"].shape == (30, 3, 2)
        result.plot()
    assert read_stage(tmp_path / "run").history["train_loss"].__class__ is np.ndarray


def test_very_many_lanes_are_trained_some_at_a_time(tmp_path, monkeypatch) -> None:
    few = session.LIMITS._replace(many_lanes=3, many_bytes=1)
    monkeypatch.setattr(session, "LIMITS", few)
    here = lrlab.sweep("iris-linear", **USUAL)
    there = lrlab.sweep("iris-linear", **USUAL, out=tmp_path / "run")
    for name, values in here.history.items():
        assert_array_equal(there.history[name], values)
    commit = json.loads((tmp_path / "run" / "commit.json").read_text())
    assert commit["info"]["capacity"] == 2  # a wave: the states of all were never held together
    with pytest.raises(ValueError, match=r"keep"):
        there.params(lr=0.1, seed=0)
