"""The arrays of a supervised task: what is handed over, checked, as the task's own."""

from __future__ import annotations

from collections.abc import Mapping, Sized

import jax
import numpy as np

from lrlab.core.arrays import aligned, is_mapped, parts
from lrlab.data.checks import same_length, varied
from lrlab.data.dataset import DataError
from lrlab.data.random_access import as_collection
from lrlab.data.streams import Column, Stream, stream_of
from lrlab.data.values import numbers
from lrlab.tasks.losses import (
    PerExample,
    base_of,
    ignored_label,
    sigmoid_binary_cross_entropy,
)
from lrlab.types import Pair, PyTree

LOOKED_AT = 1000
"""Examples of a stream whose labels are checked before training."""


def arrays(split: object, place: str) -> PyTree:
    """A split as finite numeric NumPy arrays of one length, of the task's own: a pair (inputs,
    targets), or a dict of arrays.

    Lists of numbers, and lists of one array per example, are arrays too; other lists, tuples and
    mappings are pytrees of arrays.

    Raises:
        DataError: neither, no numbers, masked, nan, inf, empty, or different lengths.
    """
    pair = isinstance(split, (tuple, list)) and len(split) == 2
    if stream_of(split) is not None and (pair or isinstance(split, Mapping)):
        return split
    if isinstance(split, Mapping):
        return _batch(split, place)
    if not isinstance(split, (tuple, list)) or len(split) != 2:
        kind = type(split).__name__
        of = f" of {len(split)}" if isinstance(split, (tuple, list)) else ""
        if streams(split):
            raise DataError(
                f"{place}: must be a pair (inputs, targets) or a dict of arrays, got {kind}; give "
                "a data set or a loader as lrlab.data.stream(...)"
            )
        raise DataError(
            f"{place}: must be a pair (inputs, targets), got {kind}{of}; give anything else as a "
            "dict of arrays by name, which the model gets whole (and loss and metrics as (outputs, "
            "batch)), or use lrlab.Task.custom"
        )
    y = as_columns(split[1], _count(split[0]), f"{place} targets")
    x = as_columns(split[0], length(y), f"{place} inputs")
    for leaf in jax.tree.leaves(x):
        for other in jax.tree.leaves(y):
            same_length(leaf, other, place)
    return x, y


def _batch(split: Mapping[object, object], place: str) -> PyTree:
    """A dict of arrays: what is bool stays so, as masks are combined by ~, & and |."""
    unnamed = [name for name in split if not isinstance(name, str)]
    if unnamed or not split:
        raise DataError(
            f"{place}: a dict of arrays needs names, got {', '.join(map(repr, unnamed)) or 'none'}"
        )
    columns = {
        str(name): as_columns(value, None, f"{place} {name}", masks=True)
        for name, value in split.items()
    }
    first = next(iter(columns))
    for name, column in columns.items():
        for leaf in jax.tree.leaves(column):
            if len(leaf) != length(columns[first]):
                raise DataError(
                    f"{place}: {length(columns[first])} examples of {first} but {len(leaf)} of "
                    f"{name}; they must pair up"
                )
    return columns


def as_columns(
    tree: object, count: int | None, place: str, masks: bool = False, complex_too: bool = False
) -> PyTree:
    """An array, or a pytree of arrays; `count`: the number of examples, where it is known; `masks`:
    what is bool stays so; `complex_too`: complex numbers are taken."""
    paths, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_rows)
    if count is not None and _is_examples(tree, count):
        paths, structure = [((), tree)], jax.tree.structure(0)
    if not paths:
        raise DataError(f"{place}: are empty")
    columns = []
    for path, leaf in paths:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        column = own(numbers(leaf, f"{place} {name}".rstrip(), complex_too))
        is_mask = masks and np.asarray(leaf).dtype == bool
        columns.append(column.view(bool) if is_mask else column)
    return jax.tree.unflatten(structure, columns)


def streams(split: object) -> bool:
    """Whether a split is something that `lrlab.data.stream` takes, and no arrays or table.

    >>> streams(range(3)), streams(np.zeros(3)), streams({"x": np.zeros(3)})
    (True, False, False)
    """
    if isinstance(split, (tuple, list, str, Mapping, Stream)) or hasattr(split, "shape"):
        return False
    return as_collection(split) is not None or callable(split) or hasattr(split, "__iter__")


def _count(tree: object) -> int | None:
    """The number of examples in inputs that are yet to be read; None: unknown."""
    leaves = jax.tree.leaves(tree, is_leaf=_is_rows)
    first: object = leaves[0] if leaves else None
    if isinstance(tree, (list, tuple)) and not _is_rows(tree) and _is_examples(tree, len(tree)):
        first = tree
    return len(first) if isinstance(first, Sized) else None


def own(array: np.ndarray) -> np.ndarray:
    """An array of the task's own; one in a file stays there.

    Copied and aligned once, here: no run of the task has to do it again, and what the caller
    writes into the array later reaches no run, wherever it happens to lie.
    """
    return array if is_mapped(array) else aligned(array, copy=True)


def length(data: PyTree) -> int:
    """The number of examples in a pytree of arrays [N, ...].

    >>> length({"image": np.zeros((5, 2)), "label": np.zeros(5)})
    5
    """
    return len(jax.tree.leaves(data)[0])


def _is_rows(node: object) -> bool:
    """Whether a list or tuple holds numbers, at whatever depth, and so is one array."""
    if not isinstance(node, (list, tuple)) or hasattr(node, "_fields"):
        return False
    leaves = jax.tree.leaves(node)
    return bool(leaves) and all(np.ndim(leaf) == 0 for leaf in leaves)


def _is_examples(inputs: object, count: int) -> bool:
    """Whether the inputs are a list with an array for each example."""
    if not isinstance(inputs, (list, tuple)) or hasattr(inputs, "_fields"):
        return False
    shapes = [np.shape(item) for item in inputs if hasattr(item, "shape")]
    one = len(set(shapes)) == 1 and len(shapes) == len(inputs) == count
    return one and shapes[0][:1] != (count,)


def check_alike(name: str, data: Mapping[str, PyTree]) -> None:
    """Raises DataError where the examples of the splits differ in parts or in shapes."""
    structure, shapes = jax.tree.structure(data["train"]), _item_shapes(data["train"])
    for split, pair in data.items():
        if jax.tree.structure(pair) != structure:
            differ = differing_parts(pair, data["train"])
            raise DataError(f"{name}: an example of {split} {differ} of one of train")
        if _item_shapes(pair) != shapes:
            raise DataError(
                f"{name}: an example of {split} has shapes {_item_shapes(pair)}, of train {shapes}"
            )


def differing_parts(tree: PyTree, expected: PyTree) -> str:
    """How the parts of a tree differ from what is expected, in words.

    >>> differing_parts({"x": 1, "z": 2}, {"x": 1, "y": 2})
    'lacks the part y and has z beside the parts'
    """
    mine, theirs = (
        [
            jax.tree_util.keystr(path, simple=True, separator="/") or "array"
            for path, _ in jax.tree_util.tree_leaves_with_path(one)
        ]
        for one in (tree, expected)
    )
    lacks = [part for part in theirs if part not in mine]
    more = [part for part in mine if part not in theirs]
    said = [f"lacks the part{'s' if lacks[1:] else ''} {', '.join(lacks)}"] if lacks else []
    said += [f"has {', '.join(more)} beside the parts"] if more else []
    return " and ".join(said) or "is put together otherwise than the parts"


def held(data: Mapping[str, PyTree], targets: bool) -> dict[str, PyTree]:
    """The splits, with integers beyond int32, which no run holds, as float64 in all of them; among
    the targets only if `targets`, as labels are never so large."""
    structure = jax.tree.structure(data["train"])
    columns = {split: jax.tree.leaves(pair) for split, pair in data.items()}
    wide = [
        any(leaf.dtype.kind in "iu" and _is_wide(leaf) for leaf in leaves)
        for leaves in zip(*columns.values(), strict=True)
    ]
    wide[-1] &= targets  # the last leaf of a pair
    held = {
        split: [
            _as_float64(leaf, split) if needed else leaf
            for leaf, needed in zip(leaves, wide, strict=True)
        ]
        for split, leaves in columns.items()
    }
    return {split: jax.tree.unflatten(structure, held[split]) for split in data}


def _as_float64(leaf: np.ndarray, split: str) -> np.ndarray:
    if isinstance(leaf, Column):
        raise DataError(f"{split}: a stream holds integers beyond int32; give them as floats")
    return aligned(leaf, np.dtype(np.float64))


def _is_wide(integers: np.ndarray) -> bool:
    if isinstance(integers, Column):
        return False  # looked at batch by batch
    if integers.dtype.itemsize < 8:
        return False
    limits = np.iinfo(np.int32)
    return int(integers.max()) > limits.max or int(integers.min()) < limits.min


def _item_shapes(pair: PyTree) -> list[tuple[int, ...]]:
    return [leaf.shape[1:] for leaf in jax.tree.leaves(pair)]


def checked_labels(
    name: str, data: Mapping[str, Pair], outputs: jax.ShapeDtypeStruct, loss: PerExample
) -> dict[str, Pair]:
    """The splits with their labels checked against the model's outputs; labels [N, 1] as [N].

    Raises:
        DataError: labels that the outputs cannot stand for, or one label for all examples.
    """
    binary = base_of(loss) is sigmoid_binary_cross_entropy
    ignored = ignored_label(loss)
    if not binary and outputs.shape[1:] == (1,):
        raise DataError(
            f"{name}: softmax_cross_entropy of one output is 0 whatever that is; give the model "
            'an output for each class, or use the loss "binary"'
        )
    classes = 2 if binary else outputs.shape[-1] if outputs.ndim > 1 else None
    result = {}
    for split, (x, y) in data.items():
        place = f"{name}, {split} targets"
        if not binary and y.ndim == outputs.ndim > 1 and y.shape[-1] == 1:
            if isinstance(y, Column):
                raise DataError(f"{place}: labels of a stream must be [N], got {list(y.shape)}")
            y = y[..., 0] if is_mapped(y) else aligned(y[..., 0])
        if y.dtype.kind == "f" and not binary:
            remedy = "give them as integers: y.astype(int)"
            if y.ndim == outputs.ndim > 1 and y.shape[-1] == classes:
                remedy = "turn one-hot targets into labels: y.argmax(-1)"
            raise DataError(f"{place}: labels must be integers, got dtype {y.dtype}; {remedy}")
        beyond = _beyond(y, classes, ignored) if classes else None
        if classes and beyond is not None:
            row, wrong = beyond
            raise DataError(
                f"{place}: label {wrong} at row {row} (counted from 0) is out of range 0 to "
                f"{classes - 1} of the model's outputs"
            )
        if ignored is not None and not isinstance(y, Column) and (y == ignored).all():
            raise DataError(f"{place}: every label is {ignored}, which the loss ignores")
        result[split] = x, y
    y = result["train"][1]
    several = y.ndim == 1 and len(y) > 1  # one is learned by heart, as a test of the model
    if several and not isinstance(y, Column):
        labels = {split: (x, y if ignored is None else y[y != ignored]) for split, (x, y) in
                  result.items()}  # fmt: skip
        varied(labels, f"{name}, targets")
    return result


def _beyond(labels: np.ndarray, classes: int, ignored: float | None) -> tuple[int, object] | None:
    """The row of the first label that is none of 0 to `classes` - 1, and the label; of a stream
    that is no array, among the first examples."""
    if isinstance(labels, Column):
        labels = labels[:LOOKED_AT] if labels.array is None else labels.array
    for first, rows in parts(labels):
        outside = (rows < 0) | (rows > classes - 1)
        bad = np.argwhere(outside if ignored is None else outside & (rows != ignored))
        if len(bad):
            return first + int(bad[0][0]), rows[tuple(bad[0])]
    return None
