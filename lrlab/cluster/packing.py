"""What travels to other processes: functions with what they close over, and arrays beside them."""

from __future__ import annotations

import collections
import functools
import io
import mmap
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from lrlab.core.arrays import is_mapped

Reduced = str | tuple[Any, ...]
"""What `__reduce__` gives."""

REMEMBERED: type = type(functools.lru_cache(maxsize=1)(lambda: None))
"""The type of a function under `functools.lru_cache`, which has no name of its own."""


class Packed(NamedTuple):
    """An object as bytes: a pickle uint8[n], and the arrays of it, uint8 [n] each, which are read
    where they lie."""

    content: np.ndarray
    arrays: Sequence[np.ndarray]


def packed(value: object) -> Packed:
    """An object as Ray's pickler has it, with its arrays apart and without copies.

    Arrays in files travel as the name of the file, functions under `lru_cache` without what they
    remember.

    Raises:
        Exception: whatever the pickler says of an object that cannot travel.
    """
    from ray import cloudpickle

    class Pickler(cloudpickle.CloudPickler):  # pyright: ignore
        dispatch_table: ClassVar[Any] = collections.ChainMap(
            {REMEMBERED: _remembered, np.ndarray: _array, np.memmap: _array},
            cloudpickle.CloudPickler.dispatch_table,  # pyright: ignore
        )

    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    Pickler(file, protocol=5, buffer_callback=buffers.append).dump(value)
    arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
    return Packed(np.frombuffer(file.getvalue(), np.uint8), arrays)


def unpacked(given: Packed) -> Any:
    """The object; its arrays are views of `given.arrays`."""
    return pickle.loads(given.content.data, buffers=[one.data for one in given.arrays])


def _remembered(function: Any) -> Reduced:
    """By name where it has one in its module; else made again around the function below."""
    module, name = function.__module__, function.__qualname__
    if "<locals>" not in name and module != "__main__":
        return name
    return _again, (function.__wrapped__, function.cache_parameters()["maxsize"])


def _again(function: Callable[..., object], maxsize: int | None) -> Callable[..., object]:
    return functools.lru_cache(maxsize=maxsize)(function)


def _array(array: np.ndarray) -> Reduced:
    if (place := _place(array)) is not None:
        return opened, (*place, array.dtype, array.shape, array.strides)
    plain = array if type(array) is np.ndarray else np.asarray(array)
    return plain.__reduce_ex__(5)


def _place(array: np.ndarray) -> tuple[str, int] | None:
    """The file of an array and the byte in it where the array begins; None where it lies in
    memory, or in a file without a name."""
    if not is_mapped(array) or not array.size or min(array.strides, default=0) < 0:
        return None
    root, known = array, None
    while isinstance(root, np.ndarray):
        if isinstance(root, np.memmap) and root.filename is not None:
            known = root
        root = root.base  # type: ignore[assignment]
    if known is None or not isinstance(root, mmap.mmap):
        return None
    first = np.frombuffer(root, np.uint8, 1).ctypes.data
    begin = known.offset - known.offset % mmap.ALLOCATIONGRANULARITY
    return str(Path(str(known.filename)).absolute()), begin + array.ctypes.data - first


def opened(
    path: str, offset: int, dtype: np.dtype, shape: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray:
    """An array in a file, read only."""
    steps = zip(shape, strides, strict=True)
    length = dtype.itemsize + sum((size - 1) * stride for size, stride in steps)
    room = np.memmap(path, np.uint8, "r", offset, (length,))
    return np.ndarray(shape, dtype, room, 0, strides)
