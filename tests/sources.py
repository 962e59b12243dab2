"""Sources of streams for tests: as other libraries make them, without those libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import flax.linen as nn
import numpy as np

import lrlab

EXAMPLES, FEATURES, CLASSES, BATCH = 120, 6, 3, 16


def arrays(dtype: str = "float32", labels: str = "int64") -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(EXAMPLES, FEATURES)).astype(dtype)
    return x, x[:, :CLASSES].argmax(1).astype(labels)


def mapped(folder: Path, array: np.ndarray, name: str) -> np.memmap:
    """The array in a file, of which the system reads what is looked at."""
    np.save(folder / f"{name}.npy", array)
    file = np.load(folder / f"{name}.npy", mmap_mode="r")
    assert isinstance(file, np.memmap)
    return file


class Numbered:
    """Examples by number, as data sets of PyTorch and grain have them."""

    def __len__(self) -> int:
        return EXAMPLES

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        x, y = arrays()
        if not isinstance(number, int):
            raise TypeError("one at a time")
        return x[number], int(y[number])


class Columns:
    """Examples by number or by list, as a Hugging Face data set of two columns as a pair."""

    def __len__(self) -> int:
        return EXAMPLES

    def __getitem__(self, rows: int | list[int]) -> tuple[list, object]:
        x, y = arrays()
        return x[rows].tolist(), y[rows].tolist()


class Tensor:
    """What `np.asarray` reads, as tensors of other libraries."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return self.values


def batches(seed: int, epoch: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """An epoch in an order of the seed's own; the last batch is smaller."""
    x, y = arrays()
    order = np.random.default_rng((seed, epoch)).permutation(EXAMPLES)
    for first in range(0, EXAMPLES, BATCH):
        rows = order[first : first + BATCH]
        yield x[rows], y[rows]


def endless(seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Whole batches without end."""
    epoch = 0
    while True:
        yield from (batch for batch in batches(seed, epoch) if len(batch[0]) == BATCH)
        epoch += 1


class Again:
    """What can be iterated again and again, in one order, as a PyTorch `DataLoader`."""

    def __iter__(self) -> Iterator[list[Tensor]]:
        for x, y in batches(0):
            yield [Tensor(x), Tensor(y)]


class Stateful:
    """An iterator that can be put where another one was, as grain's; `made` counts the batches."""

    def __init__(self, seed: int, epoch: int, made: Callable[[], None] = lambda: None) -> None:
        self.batches, self.place, self.made = list(batches(seed, epoch)), 0, made

    def __iter__(self) -> Stateful:
        return self

    def __next__(self) -> tuple[np.ndarray, np.ndarray]:
        if self.place == len(self.batches):
            raise StopIteration
        self.made()
        self.place += 1
        return self.batches[self.place - 1]

    def get_state(self) -> dict[str, object]:
        return {"place": np.int64(self.place)}

    def set_state(self, state: dict[str, int]) -> None:
        self.place = state["place"]


def by_number(seed: int, epoch: int) -> Stateful:
    return Stateful(seed, epoch)


NUMBERED = {"a collection": Numbered, "a collection by list": Columns, "a list": lambda: [
    (row, label) for row, label in zip(*arrays(), strict=True)
]}  # fmt: skip

LOADERS = {
    "seed -> iterator": lambda: endless,
    "(seed, epoch) -> iterator": lambda: batches,
    "again": Again,
    "an iterator with a state": lambda: by_number,
}


def task(train: object, valid: object = None) -> lrlab.Task:
    return lrlab.Task.supervised(
        model=nn.Dense(CLASSES),
        loss="softmax_cross_entropy",
        train=train,
        valid=arrays() if valid is None else valid,
    )


def same(one: lrlab.Result, other: lrlab.Result) -> bool:
    """Whether two sweeps recorded the same bits."""
    return one.history.keys() == other.history.keys() and all(
        np.array_equal(values, other.history[name], equal_nan=True)
        for name, values in one.history.items()
    )
