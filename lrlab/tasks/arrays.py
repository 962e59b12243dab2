"""The arrays of a supervised task: what is handed over, checked, as the task's own."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import numpy as np

from lrlab.core.arrays import aligned, is_mapped, parts
from lrlab.data.checks import same_length, varied
from lrlab.data.dataset import DataError
from lrlab.data.streams import Column, stream_of
from lrlab.data.values import numbers
from lrlab.tasks.losses import PerExample, sigmoid_binary_cross_entropy
from lrlab.types import Pair, PyTree

LOOKED_AT = 1000
"""Examples of a stream whose labels are checked before training."""


def arrays(pair: object, place: str) -> Pair:
    """Inputs and targets as finite numeric NumPy arrays of one length, of the task's own.

    Lists of numbers, and lists of one array per example, are arrays too; other lists, tuples and
    mappings are pytrees of arrays.

    Raises:
        DataError: no pair, no numbers, masked, nan, inf, empty, or different lengths.
    """
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise DataError(f"{place}: must be a pair (inputs, targets), got {type(pair).__name__}")
    if stream_of(pair) is not None:
        return pair[0], pair[1]
    y = own(numbers(pair[1], f"{place} targets"))
    leaves, structure = jax.tree.flatten(pair[0], is_leaf=_is_rows)
    if _is_examples(pair[0], len(y)):
        leaves, structure = [pair[0]], jax.tree.structure(0)
    columns = [own(numbers(leaf, f"{place} inputs")) for leaf in leaves]
    if not leaves:
        raise DataError(f"{place} inputs: are empty")
    for leaf in columns:
        same_length(leaf, y, place)
    return jax.tree.unflatten(structure, columns), y


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


def check_alike(name: str, data: Mapping[str, Pair]) -> None:
    """Raises DataError where the examples of the splits differ in parts or in shapes."""
    structure, shapes = jax.tree.structure(data["train"]), _item_shapes(data["train"])
    for split, pair in data.items():
        if jax.tree.structure(pair) != structure:
            raise DataError(
                f"{name}: an example of {split} has the parts {jax.tree.structure(pair)}, of train "
                f"{structure}"
            )
        if _item_shapes(pair) != shapes:
            raise DataError(
                f"{name}: an example of {split} has shapes {_item_shapes(pair)}, of train {shapes}"
            )


def held(data: Mapping[str, Pair], targets: bool) -> dict[str, Pair]:
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


def _item_shapes(pair: Pair) -> list[tuple[int, ...]]:
    return [leaf.shape[1:] for leaf in jax.tree.leaves(pair)]


def checked_labels(
    name: str, data: Mapping[str, Pair], outputs: jax.ShapeDtypeStruct, loss: PerExample
) -> dict[str, Pair]:
    """The splits with their labels checked against the model's outputs; labels [N, 1] as [N].

    Raises:
        DataError: labels that the outputs cannot stand for, or one label for all examples.
    """
    binary = loss is sigmoid_binary_cross_entropy
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
        beyond = _beyond(y, classes) if classes else None
        if classes and beyond is not None:
            row, wrong = beyond
            raise DataError(
                f"{place}: label {wrong} at row {row} (counted from 0) is out of range 0 to "
                f"{classes - 1} of the model's outputs"
            )
        result[split] = x, y
    y = result["train"][1]
    several = y.ndim == 1 and len(y) > 1  # one is learned by heart, as a test of the model
    if several and not isinstance(y, Column):
        varied(result, f"{name}, targets")
    return result


def _beyond(labels: np.ndarray, classes: int) -> tuple[int, object] | None:
    """The row of the first label that is none of 0 to `classes` - 1, and the label; of a stream
    that is no array, among the first examples."""
    if isinstance(labels, Column):
        labels = labels[:LOOKED_AT] if labels.array is None else labels.array
    for first, rows in parts(labels):
        bad = np.argwhere((rows < 0) | (rows > classes - 1))
        if len(bad):
            return first + int(bad[0][0]), rows[tuple(bad[0])]
    return None
