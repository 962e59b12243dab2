"""Arrays that XLA's CPU devices can read where they lie."""

from __future__ import annotations

import numpy as np

ALIGNMENT = 64
"""Bytes: XLA on CPU reads arrays that begin at a multiple of it in place; others it copies."""


def aligned(array: np.ndarray, dtype: np.dtype | None = None, copy: bool = False) -> np.ndarray:
    """`array` in `dtype` (None: its own), contiguous and beginning at a multiple of `ALIGNMENT`;
    itself where it does so already, unless a `copy` is asked for.

    >>> off = np.zeros(100, np.int8)[1:41].view(np.float32)
    >>> aligned(off).ctypes.data % ALIGNMENT
    0
    """
    dtype = array.dtype if dtype is None else dtype
    fits = array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0
    if array.dtype == dtype and fits and not copy:
        return array
    room = np.empty(array.size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    new = room[start : start + array.size * dtype.itemsize].view(dtype).reshape(array.shape)
    np.copyto(new, array, casting="unsafe")
    return new
