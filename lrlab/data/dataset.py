"""What a data source gives: arrays in splits, with their identity; and the error for wrong data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from lrlab.core.arrays import parts
from lrlab.core.errors import FieldError
from lrlab.core.text import Table


class Hash(Protocol):
    """What `hashlib` gives."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Adds bytes."""
        ...


Split = tuple[np.ndarray, np.ndarray]
"""Inputs [N, ...] and targets [N, ...] of the same length."""


class DataError(FieldError):
    """Data that cannot be trained on; the message names the place (file, row) and what to do, and
    `option` the source's option that is wrong, where it is one (`also`: or one of these)."""

    def __init__(self, message: str, option: str = "", also: str | Sequence[str] = ()) -> None:
        super().__init__(option, message, also)


class Raw(NamedTuple):
    """What a source reads, before splitting and scaling.

    `splits` holds `train` alone (to be split) or official splits too; `license` and `origin`
    (JSON-able) say where the data come from; `scale` is "standard" for tables, whose columns have
    units of their own, else "none"; `contiguous`: examples follow each other in time (text), so the
    held-out part is the end and not a random choice.
    """

    splits: Mapping[str, Split]
    kind: str
    license: str
    origin: Table
    sha256: str
    num_classes: int | None = None
    scale: str = "none"
    contiguous: bool = False


class Dataset(NamedTuple):
    """Arrays ready to train on, and what they are.

    `train`, `valid`, `test`: (inputs [N, ...] float, targets): int32 labels [N] for kind
    "classification", floats [N] or [N, K] for "regression", int32 bytes [N, T] for "tokens" (inputs
    too). `num_outputs` is what a model must give per example (or token). `sha256` identifies the
    source before splitting; `shapes` maps split -> (inputs, targets); `source` is JSON-able and
    holds all that is needed to load the same data again.
    """

    train: Split
    valid: Split | None
    test: Split | None
    name: str
    kind: str
    num_outputs: int
    num_classes: int | None
    sha256: str
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    license: str
    source: Table

    def splits(self) -> dict[str, Split]:
        """The splits that there are, by name."""
        all_of_them = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: split for name, split in all_of_them.items() if split is not None}


def digest(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 over dtypes, shapes and bytes, in order."""
    result = hashlib.sha256()
    for array in arrays:
        result.update(f"{array.dtype.str}{array.shape}".encode())
        hash_bytes(result, array)
    return result.hexdigest()


def hash_bytes(total: Hash, array: np.ndarray) -> None:
    """Adds an array's bytes to a digest, part by part: nothing is held as a whole.

    >>> total = hashlib.sha256()
    >>> hash_bytes(total, np.arange(3, dtype=np.int8))
    >>> total.hexdigest() == hashlib.sha256(bytes([0, 1, 2])).hexdigest()
    True
    """
    for _, rows in parts(array):
        total.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
