"""Where a run's data lie: one aligned copy on the host, which CPU devices read in place."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrlab.core.arrays import ALIGNMENT, aligned
from lrlab.engine.host_data import dtype_on_host, on_devices, on_host


@given(st.integers(0, 70), st.sampled_from(["f4", "f8", "i4", "i8", "u1"]), st.integers(0, 7))
def test_aligned_arrays_hold_the_same_numbers(offset, kind, length):
    base = np.arange(offset + 8 * (length + 1), dtype=np.uint8)
    array = base[offset:][: 8 * length].view(kind) if length else np.zeros((0, 3), kind)
    made = aligned(array, array.dtype)
    assert made.flags.c_contiguous
    assert made.ctypes.data % ALIGNMENT == 0 or not made.size  # nothing lies nowhere
    np.testing.assert_array_equal(made, array)


def test_an_aligned_array_is_not_copied():
    once = aligned(np.arange(100.0), np.dtype("float32"))
    assert aligned(once, np.dtype("float32")) is once
    assert aligned(once[:, None].T, np.dtype("float32")).base is not None
    assert aligned(once[::2], np.dtype("float32")).flags.c_contiguous


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes(dtype):
    data = {"train": (np.ones(3), np.arange(3)), "valid": (np.ones(3, np.float16), [True, False])}
    host = on_host(data, dtype)
    assert [leaf.dtype.name for leaf in host["train"]] == [dtype, "int32"]
    assert host["valid"][0].dtype.name == dtype
    for leaf in jax.tree.leaves(data):
        assert dtype_on_host(leaf, dtype) == on_host({"x": leaf}, dtype)["x"].dtype


def test_cpu_devices_share_one_copy():
    devices = jax.devices("cpu")
    data = {"train": (np.random.default_rng(0).normal(size=(1000, 64)), np.arange(1000))}
    placed = on_devices(data, "float32", devices)
    where = {placed[device]["train"][0].unsafe_buffer_pointer() for device in devices}
    assert len(where) == 1 and len(placed) == len(devices)
    for device in devices:
        np.testing.assert_array_equal(placed[device]["train"][0], data["train"][0].astype("f4"))
        assert placed[device]["train"][0].devices() == {device}
