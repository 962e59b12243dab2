"""What a loader gives, as NumPy arrays: examples and batches of whatever library it is from."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from lrlab.data.dataset import DataError
from lrlab.data.trees import Tree, filled, leaves, mapped, numeric_rows
from lrlab.data.values import native


def as_arrays(tree: Tree, place: str) -> Tree:
    """An example or a batch with a NumPy array for every leaf, in dtypes that training has. Tensors
    of other libraries are read by `np.asarray`; a list of numbers is an array.

    Raises:
        DataError: a leaf that holds no numbers; names its path.

    >>> as_arrays({"x": [1.0, 2.0], "y": True}, "train")
    {'x': array([1., 2.]), 'y': array(1, dtype=int8)}
    """
    return mapped(lambda path, leaf: as_array(leaf, f"{place}{path and ', '}{path}"), _rows(tree))


def _rows(tree: Tree) -> Tree:
    """The tree with lists of numbers as arrays, other lists as tuples."""
    if isinstance(tree, dict):
        return {key: _rows(part) for key, part in tree.items()}
    if isinstance(tree, list):
        if tree and numeric_rows(tree):
            with contextlib.suppress(ValueError):  # rows of different lengths are no array
                return np.asarray(tree)
        return tuple(map(_rows, tree))
    if isinstance(tree, tuple) and not hasattr(tree, "_fields"):
        return tuple(map(_rows, tree))
    return tree


def as_array(leaf: object, place: str) -> np.ndarray:
    """One leaf as an array.

    Raises:
        DataError: no numbers, or what NumPy cannot read.
    """
    if isinstance(leaf, (str, bytes)) or leaf is None:
        raise DataError(
            f"{place}: {leaf!r:.40} is no number; leave it out, or encode it as numbers"
        )
    try:
        array = np.asarray(leaf)
    except Exception as error:
        words = str(error).partition("\n")[0]
        raise DataError(
            f"{place}: {type(leaf).__name__} cannot be read by np.asarray "
            f"({type(error).__name__}: {words}); give NumPy arrays"
        ) from error
    return native(array, place)


def stacked(examples: Sequence[Tree], place: str) -> Tree:
    """Examples of one kind as a batch [k, ...].

    Raises:
        DataError: they differ in parts or shapes; names the path.

    >>> stacked([(np.zeros(2), np.int32(1)), (np.ones(2), np.int32(0))], "train")[1]
    array([1, 0], dtype=int32)
    """
    columns: list[list[np.ndarray]] = [[] for _ in leaves(examples[0])]
    paths = [path for path, _ in leaves(examples[0])]
    for example in examples:
        parts = list(leaves(example))
        if [path for path, _ in parts] != paths:
            raise DataError(
                f"{place}: examples differ in their parts: {', '.join(paths) or 'an array'}, and "
                f"{', '.join(path for path, _ in parts) or 'an array'}"
            )
        for column, (_, leaf) in zip(columns, parts, strict=True):
            column.append(np.asarray(leaf))
    for path, column in zip(paths, columns, strict=True):
        shapes = {array.shape for array in column}
        if len(shapes) > 1:
            first, second = sorted(shapes)[:2]
            raise DataError(
                f"{place}{path and ', '}{path}: examples have the shapes {first} and {second}; all "
                "must have one: cut or pad them"
            )
    return filled(examples[0], iter([np.stack(column) for column in columns]))


def count_of(batch: Tree, place: str) -> int:
    """The number of examples in a batch.

    Raises:
        DataError: no arrays, scalars, or arrays of different lengths.
    """
    lengths = {path: np.asarray(leaf).shape[:1] for path, leaf in leaves(batch)}
    if not lengths:
        raise DataError(f"{place}: is empty")
    for path, length in lengths.items():
        if not length:
            raise DataError(
                f"{place}{path and ', '}{path}: is a single number; a batch has an array "
                "[batch, ...] at every place"
            )
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{path or 'array'} {length[0]}" for path, length in lengths.items())
        raise DataError(f"{place}: arrays of a batch differ in length: {said}")
    return next(iter(lengths.values()))[0]
