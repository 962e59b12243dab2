"""What travels arrives: closures, functions that remember, arrays in files by their place."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from lrlab.core.memo import kept_with

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

from lrlab.cluster.packing import packed, unpacked  # noqa: E402


def test_arrays_are_read_where_they_lie() -> None:
    array = np.arange(10_000.0)
    travelling = packed({"x": array, "f": lambda: array})
    assert travelling.content.nbytes < 5_000
    assert sum(one.nbytes for one in travelling.arrays) == array.nbytes
    found = unpacked(travelling)
    assert found["f"]() is found["x"]
    assert any(np.shares_memory(found["x"], one) for one in travelling.arrays)


def test_what_functions_remember_stays_here() -> None:
    large = np.zeros(100_000)

    @functools.lru_cache(maxsize=3)
    def inner(number: int) -> np.ndarray:
        return large + number if number else np.zeros(number)

    @kept_with(lambda function: function)
    def memo(function) -> object:
        return lambda: large + large  # would travel with it

    def plain() -> int:
        return len(inner(0))

    inner(0), memo(plain)
    again, cached = unpacked(packed((plain, inner)))
    assert again() == 0 and cached.cache_parameters()["maxsize"] == 3
    assert packed(plain).content.nbytes < 10_000


@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[3:], lambda a: np.asarray(a)[::2, 1:]])
def test_an_array_in_a_file_travels_as_its_place(view, tmp_path) -> None:
    whole = np.memmap(tmp_path / "a.bin", np.float32, "w+", offset=8, shape=(5000, 40))
    whole[:] = np.arange(whole.size).reshape(whole.shape)
    whole.flush()
    mapped = np.memmap(tmp_path / "a.bin", np.float32, "r", offset=8, shape=(5000, 40))
    travelling = packed(view(mapped))
    assert travelling.content.nbytes + sum(one.nbytes for one in travelling.arrays) < 2_000
    np.testing.assert_array_equal(unpacked(travelling), view(whole))


def test_saved_arrays_too(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(3, 4))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    np.testing.assert_array_equal(unpacked(packed(mapped.T)), np.arange(12.0).reshape(3, 4).T)
