"""A task's data that are not held as they were given: streams, and arrays in files."""

from __future__ import annotations

from collections.abc import Mapping

import jax

from lrlab.core.arrays import aligned, is_foreign, is_mapped
from lrlab.core.errors import StreamError
from lrlab.core.text import JsonObject
from lrlab.data.dataset import DataError, digest
from lrlab.data.random_access import has_mapped, is_arrays
from lrlab.data.streams import Stream, stream, stream_of
from lrlab.types import PyTree, TaskFunctions

HELD_BYTES = 128 << 20
"""Bytes of a split up to which it is read into memory after all: training is then as fast, and
evaluation the very same, as with arrays; and it is less than a process with JAX takes itself."""


def opened(name: str, splits: Mapping[str, object]) -> dict[str, object]:
    """What was given for each split, with streams as pytrees: training data as columns (see
    `lrlab.data.streams.Column`), others as arrays where they are small. A stream of training data
    brings its validation data along.

    Raises:
        DataError: validation data were given twice, or a loader fails.
    """
    train, valid = splits.get("train"), splits.get("valid")
    if isinstance(train, Stream) and train.valid is not None:
        if valid is not None:
            raise DataError(
                f"{name}: validation data were given twice, as valid= of the task and of the stream"
            )
        splits = {**splits, "valid": train.valid}
    return {split: _opened(name, split, given) for split, given in splits.items()}


def _opened(name: str, split: str, given: object) -> object:
    if isinstance(given, Stream):
        most = 0 if split == "train" else HELD_BYTES
    elif is_arrays(given) and any(is_foreign(leaf) for leaf in jax.tree.leaves(given)):
        given, most = stream(given), HELD_BYTES  # which gives numbers as this machine has them
    else:
        return given
    try:
        whole = given.whole(most) if most else None
    except StreamError as error:
        raise DataError(f"{name}, {split}: {error}") from error
    return given.columns if whole is None else whole


def settled(name: str, data: Mapping[str, PyTree], functions: TaskFunctions) -> dict[str, PyTree]:
    """Splits with arrays in files: small ones as arrays in memory, others as columns of a stream;
    but in memory too where a task's `evaluate` takes only a whole split. Splits that are in memory
    stay as they are.

    Raises:
        DataError: a split that is evaluated streams, and cannot be evaluated in parts.
    """
    result = {}
    for split, tree in data.items():
        whole = split != "train" and functions.part is None
        if whole and stream_of(tree) is not None:
            raise DataError(
                f"{name}, {split}: one of the metrics needs all examples at once, and these "
                "stream; give them as arrays, or a metric with a value for each example"
            )
        result[split] = _settled(tree, whole) if has_mapped(tree) else tree
    return result


def _settled(tree: PyTree, whole: bool) -> PyTree:
    leaves = jax.tree.leaves(tree)
    if whole or sum(max(leaf.nbytes, 4 * leaf.size) for leaf in leaves) <= HELD_BYTES:
        return jax.tree.map(
            lambda leaf: aligned(leaf, leaf.dtype.newbyteorder("="), copy=is_mapped(leaf)), tree
        )
    return stream(tree).columns


def digest_of(tree: PyTree) -> str:
    """SHA-256 of a split: of its arrays, or as its stream says it."""
    source = stream_of(tree)
    return digest(jax.tree.leaves(tree)) if source is None else source.digest


def described_streams(data: Mapping[str, PyTree]) -> JsonObject:
    """What the splits that stream are, by split, under "streams"; nothing where there are none."""
    found = {split: stream_of(tree) for split, tree in data.items()}
    sources = {split: source.source for split, source in found.items() if source is not None}
    return {"streams": sources} if sources else {}


def size_of(tree: PyTree) -> str:
    """How many examples a split has, in words.

    >>> import numpy as np
    >>> size_of((np.zeros((5000, 2)), np.zeros(5000)))
    '5,000'
    """
    source = stream_of(tree)
    if source is not None and source.length is None:
        return f"batches of {source.batch_size:,} for"
    return f"{len(jax.tree.leaves(tree)[0]):,}"
