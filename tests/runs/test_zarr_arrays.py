"""The arrays of a stage, and what a killed write leaves beside them."""

from __future__ import annotations

import numpy as np

from lrlab.runs import zarr_arrays


def rest(folder, name, size=4000):
    """What a process leaves that was killed while it wrote a chunk: a longer file beside it."""
    chunk = folder / name / "c" / "0"
    chunk.parent.mkdir(parents=True, exist_ok=True)
    chunk.with_name("0.__lock").write_bytes(b"j" * size)


def test_what_a_killed_write_left_is_no_part_of_the_next(tmp_path):
    zarr_arrays.begin(tmp_path)
    values = np.arange(100, dtype=np.float32)
    zarr_arrays.create(tmp_path, "loss", (100,), np.float32, ["step"])
    rest(tmp_path, "loss")
    zarr_arrays.write(tmp_path, "loss", values, ["step"])
    np.testing.assert_array_equal(zarr_arrays.read(tmp_path, "loss"), values)
    assert not list(tmp_path.rglob("*.__lock"))


def test_a_layout_that_was_being_written_is_none(tmp_path):
    zarr_arrays.begin(tmp_path)
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "zarr.json.__lock").write_bytes(b"j" * 4000)
    zarr_arrays.write(tmp_path, "loss", np.ones(3), ["step"])
    np.testing.assert_array_equal(zarr_arrays.read(tmp_path, "loss"), np.ones(3))


def test_rows_are_added_to_an_array_whose_last_write_was_killed(tmp_path):
    zarr_arrays.begin(tmp_path)
    zarr_arrays.write(tmp_path, "loss", np.ones(3), ["step"])
    (tmp_path / "loss" / "zarr.json.__lock").write_bytes(b"j" * 4000)
    zarr_arrays.resize(tmp_path, "loss", 5)
    values = zarr_arrays.read(tmp_path, "loss")
    np.testing.assert_array_equal(values, [1, 1, 1, np.nan, np.nan])
