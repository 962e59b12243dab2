"""Arrays as memory has them: where XLA's CPU devices read them, in a file, and part by part."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

ALIGNMENT = 64
"""Bytes: XLA on CPU reads arrays that begin at a multiple of it in place; others it copies."""


PART_BYTES = 4 << 20
"""Bytes of an array that are looked at together: what is computed from them stays small, and still
takes far longer than the call."""


def aligned(array: np.ndarray, dtype: np.dtype | None = None, copy: bool = False) -> np.ndarray:
    """`array` in `dtype` (None: its own), contiguous and beginning at a multiple of `ALIGNMENT`;
    itself where it does so already, unless a `copy` is asked for.

    >>> off = np.zeros(100, np.int8)[1:41].view(np.float32)
    >>> aligned(off).ctypes.data % ALIGNMENT
    0
    """
    dtype = array.dtype if dtype is None else dtype
    if array.dtype == dtype and is_aligned(array) and not copy:
        return array
    new = empty(array.shape, dtype)
    np.copyto(new, array, casting="unsafe")
    return new


def is_aligned(array: np.ndarray) -> bool:
    """Whether an array is contiguous and begins at a multiple of `ALIGNMENT`.

    >>> is_aligned(aligned(np.zeros((3, 5)))), is_aligned(np.zeros((3, 5)).T)
    (True, False)
    """
    return array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array without values that begins at a multiple of `ALIGNMENT`.

    >>> empty((3, 5), np.dtype(np.float32)).ctypes.data % ALIGNMENT
    0
    """
    size = int(np.prod(shape)) * dtype.itemsize
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def is_mapped(array: object) -> bool:
    """Whether an array's numbers lie in a file, of which the system reads what is looked at: a
    `np.memmap`, or a view of one.

    >>> is_mapped(np.zeros(3))
    False
    """
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return isinstance(array, mmap.mmap)


def is_foreign(array: object) -> bool:
    """Whether an array lies in a file in the byte order of other machines.

    >>> is_foreign(np.zeros(3, ">f4"))
    False
    """
    return isinstance(array, np.ndarray) and is_mapped(array) and not array.dtype.isnative


def parts(array: np.ndarray, size: int = PART_BYTES) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows from there) through an array, about `size` bytes at a time, in order.

    >>> [(first, len(rows)) for first, rows in parts(np.zeros((5, 2)), 32)]
    [(0, 2), (2, 2), (4, 1)]
    """
    if array.ndim == 0:
        yield 0, array
        return
    rows = max(1, size // max(1, array.nbytes // max(1, len(array))))
    for first in range(0, len(array), rows):
        yield first, array[first : first + rows]
