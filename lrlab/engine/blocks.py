"""Batches of a segment as one block of arrays, in the dtypes of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import jax
import numpy as np

from lrlab.core.arrays import PART_BYTES, empty
from lrlab.core.errors import StreamError
from lrlab.data.streams import Stream, example_bytes
from lrlab.engine.host_data import dtype_on_host
from lrlab.types import Array, PyTree


def blank(stream: Stream, rows: int, dtype: str) -> PyTree:
    """Arrays [rows, ...] without values for examples of a stream, as the run holds them."""
    return jax.tree.map(
        lambda leaf: empty((rows, *leaf.shape[1:]), dtype_on_host(leaf, dtype)), stream.first
    )


def block_bytes(stream: Stream, rows: int, dtype: str) -> int:
    """Bytes of so many examples, as the run holds them.

    >>> from lrlab.data import stream
    >>> block_bytes(stream(np.zeros((9, 2), np.float16)), 10, "float32")
    80
    """
    return sum(
        rows * int(np.prod(leaf.shape[1:])) * dtype_on_host(leaf, dtype).itemsize
        for leaf in jax.tree.leaves(stream.first)
    )


def fill(block: PyTree, batches: Iterable[PyTree], place: str) -> None:
    """Puts batches into a block one after the other, cast on the way.

    Raises:
        StreamError: a number that the run cannot hold; names the array.
    """
    wanted, first = jax.tree.leaves(block), 0
    for batch in batches:
        given = jax.tree.leaves(batch)
        for room, array in zip(wanted, given, strict=True):
            _check(array, room, place)
            np.copyto(room[first : first + len(array)], array, casting="unsafe")
        first += len(given[0])


def gathered(stream: Stream, rows: np.ndarray) -> Iterator[PyTree]:
    """Examples of a stream by number, a few MiB at a time: what is read before it is cast stays
    small."""
    assert stream.numbered is not None
    many = max(1, PART_BYTES // max(1, example_bytes(stream.first)))
    for first in range(0, len(rows), many):
        yield stream.numbered.gather(rows[first : first + many])


def _check(array: Array, room: np.ndarray, place: str) -> None:
    if array.dtype.kind == "f":
        # A sum is fast, and finite where all numbers are and it does not overflow.
        if array.size and not np.isfinite(_sum(array)) and not np.isfinite(array).all():
            raise StreamError(
                f"{place}: a batch holds nan or infinity; remove or impute such values first"
            )
    elif array.dtype.itemsize > room.dtype.itemsize and array.size:
        limits = np.iinfo(room.dtype)
        for number in (int(array.max()), int(array.min())):
            if not limits.min <= number <= limits.max:
                raise StreamError(
                    f"{place}: a batch holds the integer {number}, beyond int32; give it as a float"
                )


def _sum(array: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.add.reduce(array, axis=None, dtype=max(array.dtype, np.dtype("float32"))))
