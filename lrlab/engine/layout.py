"""Which lane sits where, and when the host looks: tiles of one seed, cohorts, segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PADDING = -1


def tile_lanes(lanes: np.ndarray, seeds: np.ndarray, tile_width: int) -> np.ndarray:
    """Lane numbers by tile: int[tiles, tile_width], `PADDING` where a tile is not full.

    Every tile holds one seed, so that one gather of the batch serves all of its lanes and a lane's
    bits do not depend on which lanes are beside it.

    Args:
        lanes: lane numbers, int[n], in any order.
        seeds: the seed of each, int[n].

    >>> tile_lanes(np.arange(5), np.array([0, 0, 0, 1, 1]), 2).tolist()
    [[0, 1], [2, -1], [3, 4]]
    """
    tiles: list[np.ndarray] = []
    for seed in np.unique(seeds):
        mine = lanes[seeds == seed]
        for start in range(0, len(mine), tile_width):
            part = mine[start : start + tile_width]
            tiles.append(np.pad(part, (0, tile_width - len(part)), constant_values=PADDING))
    return np.stack(tiles) if tiles else np.empty((0, tile_width), np.int64)


def cohorts(seeds: np.ndarray, capacity: int) -> list[np.ndarray]:
    """Lane numbers by cohort: the lanes whose states are held at the same time, int[<= capacity].

    Lanes of a seed stay together, so that tiles are full and a seed's batches are made once.
    """
    order = np.argsort(seeds, kind="stable")
    return [order[start : start + capacity] for start in range(0, len(order), capacity)]


def boundaries(
    stops: Sequence[int], start: int, end: int, segment_steps: int
) -> list[tuple[int, int]]:
    """Segments `(first step, one past the last)` from `start` to `end` that end at every stop.

    >>> boundaries([5, 10], 0, 10, 4)
    [(0, 4), (4, 5), (5, 9), (9, 10)]
    """
    marks = sorted({stop for stop in stops if start < stop < end} | {end})
    segments = []
    for mark in marks:
        while start < mark:
            stop = min(start + segment_steps, mark)
            segments.append((start, stop))
            start = stop
    return segments


def evaluation_steps(
    steps: int, eval_every: int | None, listed: Sequence[int] | None = None
) -> list[int]:
    """After how many updates the lanes are evaluated; always ends with `steps`.

    None means 20 evaluations, evenly spread (every step where there are fewer than 20); `listed`
    says outright after which updates.

    >>> evaluation_steps(100, 30)
    [30, 60, 90, 100]
    >>> len(evaluation_steps(1000, None))
    20
    """
    if listed is not None:
        return sorted({*(int(step) for step in listed if step <= steps), steps})
    if eval_every is None:
        count = min(20, steps)
        return [steps * (index + 1) // count for index in range(count)]
    return sorted({*range(eval_every, steps + 1, eval_every), steps})
