"""Arrays of a run folder that are read where they are looked at: a lane, a step, or all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike

from lrlab.core.errors import RunError
from lrlab.core.text import first_line

LARGE = 128 << 20
"""Bytes of an array from which on it stays in its file: below, reading it takes a tenth of a second
and costs no more than the figures drawn of it."""

PART = 64 << 20
"""Bytes that are read at a time where numbers are picked out of rows."""


class StoredArray(NDArrayOperatorsMixin):
    """An array [K, lanes...] in a run folder. Indexing reads what is asked for and gives a NumPy
    array; NumPy's functions, arithmetic and `np.asarray` read all of it.

    `shape`, `dtype`, `ndim`, `size`, `nbytes` are known without reading. A class because arrays
    are what its users expect; the operators are NumPy's own.

    Raises:
        RunError: a chunk is missing, or its checksum is wrong; at the first look at it.
    """

    def __init__(self, place: Path, shape: tuple[int, ...] | None = None) -> None:
        import tensorstore

        self._place = place
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(place)}}
        try:
            self._array = tensorstore.open(spec, open=True).result()
        except (ValueError, OSError, RuntimeError) as error:
            raise RunError(place, f"damaged or missing ({first_line(error)})") from None
        self.dtype = np.dtype(self._array.dtype.numpy_dtype)
        self._own = tuple(int(size) for size in self._array.shape)
        self.shape = self._own if shape is None else shape
        self.ndim, self.size = len(self.shape), int(np.prod(self.shape, dtype=np.int64))
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"StoredArray(shape={self.shape}, dtype={self.dtype}, in {self._place})"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("what lies in a file cannot be had without a copy")
        return np.asarray(
            self._read(()).reshape(self.shape), self.dtype if dtype is None else dtype
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        held = [np.asarray(one) if isinstance(one, StoredArray) else one for one in inputs]
        return getattr(ufunc, method)(*held, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        if len(parts) > self.ndim or not all(map(_plain, parts)):
            if not parts or not _plain(parts[0]) or any(map(_reshaping, parts)):
                return np.asarray(self)[index]
            return self._picked(parts)
        if self.shape == self._own:
            return self._read(tuple(map(_bounded, parts, self.shape)))
        if len(parts) == 2 and self.ndim == 2 and not isinstance(parts[1], slice):
            lane = np.unravel_index(_bounded(parts[1], self.shape[1]), self._own[1:])
            return self._read((_bounded(parts[0], self.shape[0]), *map(int, lane)))
        return self._picked(parts)

    def take(
        self, indices: ArrayLike, axis: int | None = None, out: None = None, mode: str = "raise"
    ) -> np.ndarray:
        """As `np.take`; along an axis it reads what is asked for."""
        places = np.asarray(indices)
        plain = axis is not None and self.shape == self._own and places.ndim == 1
        if axis is None or not plain or out is not None or mode != "raise" or not places.size:
            return np.take(np.asarray(self), places, axis, out, mode)  # type: ignore[call-overload]
        dim = axis % self.ndim
        if places.min() < -self.shape[dim] or places.max() >= self.shape[dim]:
            raise IndexError(f"an index is out of bounds for an axis of {self.shape[dim]}")
        return self._read((*[slice(None)] * dim, places % self.shape[dim]))

    def reshape(self, *shape: Any) -> np.ndarray:
        """As NumPy's. Where rows stay rows, nothing is read yet."""
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        sizes = [int(size) for size in wanted]
        if sizes.count(-1) == 1:
            known = int(np.prod([size for size in sizes if size != -1], dtype=np.int64))
            sizes[sizes.index(-1)] = self.size // max(1, known)
        if sizes[0] != self.shape[0] or int(np.prod(sizes, dtype=np.int64)) != self.size:
            return np.asarray(self).reshape(*shape)
        return cast(np.ndarray, StoredArray(self._place, tuple(sizes)))

    def _picked(self, parts: tuple[Any, ...]) -> np.ndarray:
        """What is asked for out of rows, which are read a few at a time."""
        first = _bounded(parts[0], self.shape[0])
        rows = np.atleast_1d(np.arange(self.shape[0])[first])
        step = max(1, PART * self.shape[0] // max(1, self.nbytes))
        rest = (slice(None), *parts[1:])
        found = [np.empty((0, *self.shape[1:]), self.dtype)[rest]]
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            found.append(self._read((some,)).reshape(len(some), *self.shape[1:])[rest])
        whole = np.concatenate(found)
        return whole if isinstance(first, slice) else whole[0]

    def _read(self, index: tuple[Any, ...]) -> np.ndarray:
        """Rows, and lanes, of the array as it lies there; lists of numbers go along their axis."""
        lists = [
            np.arange(size)[part] if isinstance(part, slice) and part != slice(None) else part
            for part, size in zip(index, self._own, strict=False)
        ]
        try:
            some = self._array.oindex[tuple(lists)] if lists else self._array
            return np.asarray(some.read().result())
        except (ValueError, OSError, RuntimeError) as error:
            raise RunError(self._place, f"damaged or missing ({first_line(error)})") from None


def _plain(part: object) -> bool:
    """Whether a part of an index is a number or a range."""
    number = isinstance(part, (int, np.integer)) and not isinstance(part, bool)
    return number or isinstance(part, slice)


def _reshaping(part: object) -> bool:
    """Whether a part of an index stands for other axes than its own."""
    return part is None or part is Ellipsis or np.asarray(part).dtype == bool


def _bounded(part: Any, size: int) -> Any:
    """A number from the end as one from the start, as NumPy reads it."""
    if isinstance(part, slice):
        return part
    if not -size <= part < size:
        raise IndexError(f"index {part} is out of bounds for an axis of size {size}")
    return int(part) % size
