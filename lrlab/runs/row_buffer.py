"""Rows that wait to be written: thousands of small blocks, kept as a few long ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Column(NamedTuple):
    """Consecutive blocks of one metric and one set of lanes: (first row, values [k, n])."""

    cells: np.ndarray
    blocks: list[tuple[int, np.ndarray]]


Pending = dict[str, dict[bytes, Column]]
"""Metric -> lanes (their numbers, as bytes) -> their rows since the last commit."""

Piece = tuple[int, np.ndarray, np.ndarray]
"""(first row, cells int[n], values [k, n])."""


def add(
    pending: Pending,
    name: str,
    start: int,
    lanes: np.ndarray,
    values: np.ndarray,
    cells: np.ndarray,
) -> None:
    """Keeps a copy of `values` [k, n], rows `start` on of the lanes whose places are
    `cells[lanes]`.

    A block is joined with the one before it where that is not longer. So n blocks become at most
    log2(n), and each number is copied log2(n) times at most. A segment's rows are small (6 steps of
    6 lanes are 144 bytes); one array for each took several times that.
    """
    columns = pending.setdefault(name, {})
    key = lanes.tobytes()
    if key not in columns:
        columns[key] = Column(cells[lanes], [])
    blocks = columns[key].blocks
    blocks.append((start, np.array(values)))
    while len(blocks) > 1:
        (first, early), (then, late) = blocks[-2:]
        if first + len(early) != then or len(early) > len(late):
            break
        blocks[-2:] = [(first, np.concatenate([early, late]))]


def pieces(columns: dict[bytes, Column]) -> list[Piece]:
    """What is kept of a metric.

    >>> kept: Pending = {}
    >>> for step in range(5):
    ...     add(kept, "train_loss", step, np.arange(2), np.ones((1, 2)), np.arange(2))
    >>> [(first, values.shape) for first, _, values in pieces(kept["train_loss"])]
    [(0, (4, 2)), (4, (1, 2))]
    """
    return [
        (first, column.cells, values)
        for column in columns.values()
        for first, values in column.blocks
    ]
