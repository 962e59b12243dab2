"""Sources whose examples are read by number: arrays, memory-mapped or not, and collections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, cast

import numpy as np

from lrlab.core.arrays import is_mapped
from lrlab.data.dataset import DataError
from lrlab.data.examples import as_arrays, count_of, stacked
from lrlab.data.trees import Tree, filled, leaves
from lrlab.data.values import native

MOST = 2**31 - 1
"""Examples that can be counted: their numbers are int32."""

Gather = Callable[[np.ndarray], Tree]
"""`rows int[k] -> batch [k, ...]`, NumPy arrays in native dtypes."""


class Collection(Protocol):
    """Examples by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: object, /) -> Tree: ...


class Numbered(NamedTuple):
    """A source by number: how many examples, how they are read, and the arrays that hold them
    (None: a collection)."""

    length: int
    gather: Gather
    arrays: tuple[np.ndarray, ...] | None


def of_arrays(tree: Tree, place: str) -> Numbered:
    """A pytree of arrays [N, ...], read where they lie.

    Raises:
        DataError: different lengths, empty, or no numbers.

    >>> of_arrays((np.arange(6).reshape(3, 2), np.arange(3)), "train").gather(np.array([2, 0]))[0]
    array([[4, 5],
           [0, 1]])
    """
    length = count_of(tree, place)
    if length == 0:
        raise DataError(f"{place}: is empty")
    arrays = tuple(
        native(np.asarray(leaf), f"{place}{path and ', '}{path}") for path, leaf in leaves(tree)
    )

    def gather(rows: np.ndarray) -> Tree:
        return filled(tree, (_native_rows(array, rows) for array in arrays))

    return Numbered(_counted(length, place), gather, arrays)


def _native_rows(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    taken = np.asarray(array[rows])
    return taken.astype(taken.dtype.newbyteorder("="), copy=False)


def of_collection(source: Collection, place: str) -> Numbered:
    """Anything with `len(source)` and `source[number]`. Many are read at once where
    `source[[0, 1, 2]]` or `source.__getitems__([0, 1, 2])` gives what one by one does.

    Raises:
        DataError: empty, endless, or examples that are no numbers or differ in shape.

    >>> of_collection([{"x": 1.5}, {"x": 2.5}], "train").gather(np.array([1, 1]))
    {'x': array([2.5, 2.5])}
    """
    length = len(source)
    if length == 0:
        raise DataError(f"{place}: is empty")

    def one_by_one(rows: np.ndarray) -> Tree:
        return stacked([as_arrays(source[int(row)], place) for row in rows], place)

    def by_list(rows: np.ndarray) -> Tree:
        return as_arrays(source[rows.tolist()], place)

    def by_items(rows: np.ndarray) -> Tree:
        examples = getattr(source, "__getitems__")(rows.tolist())  # noqa: B009
        return stacked([as_arrays(example, place) for example in examples], place)

    few = np.array([length - 1, 0, length // 2])  # repeated where there are fewer
    expected = one_by_one(few)
    ways = [by_list] if not isinstance(source, list) else []
    ways += [by_items] if hasattr(source, "__getitems__") else []
    for way in ways:
        if _works(way, few, expected):
            return Numbered(_counted(length, place), way, None)
    return Numbered(_counted(length, place), one_by_one, None)


def _works(gather: Gather, rows: np.ndarray, expected: Tree) -> bool:
    """Whether reading many at once gives the same; whatever it raises says that it does not."""
    try:
        given = list(leaves(gather(rows)))
    except Exception:
        return False
    wanted = list(leaves(expected))
    return [path for path, _ in given] == [path for path, _ in wanted] and all(
        np.asarray(a).shape == np.asarray(b).shape
        and np.asarray(a).dtype == np.asarray(b).dtype
        and np.array_equal(np.asarray(a), np.asarray(b))
        for (_, a), (_, b) in zip(given, wanted, strict=True)
    )


def first_failing(gather: Gather, rows: np.ndarray) -> int | None:
    """The first of some examples that cannot be read alone; None where each can."""
    for row in rows:
        try:
            gather(np.array([row]))
        except Exception:
            return int(row)
    return None


def _counted(length: int, place: str) -> int:
    if length > MOST:
        raise DataError(
            f"{place}: has {length:,} examples, and {MOST:,} can be counted; leave an endless "
            "repetition out (examples come again by themselves), or take a part"
        )
    return length


def is_arrays(source: object) -> bool:
    """Whether a source is a pytree of arrays: an array, or a tuple or dict of such.

    >>> is_arrays((np.zeros(3), {"y": np.zeros(3)})), is_arrays([np.zeros(3)]), is_arrays(())
    (True, False, False)
    """
    if isinstance(source, np.ndarray):
        return True
    if isinstance(source, Mapping):
        return bool(source) and all(map(is_arrays, source.values()))
    return isinstance(source, tuple) and bool(source) and all(map(is_arrays, source))


def as_collection(source: object) -> Collection | None:
    """The source, where its examples can be read by number; None where not."""
    mapping = isinstance(source, (Mapping, str, bytes))
    if mapping or not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        return None
    return cast(Collection, source)


def has_mapped(tree: Tree) -> bool:
    """Whether one of the arrays lies in a file.

    >>> has_mapped((np.zeros(3), np.zeros(3)))
    False
    """
    return any(is_mapped(leaf) for _, leaf in leaves(tree))
