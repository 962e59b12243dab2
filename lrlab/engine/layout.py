"""Which lane sits where, and when the host looks: tiles of one seed, cohorts, segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrlab.engine.shapes import LaneNumbers, Seeds, TileNumbers

PADDING = -1


def tile_lanes(lanes: LaneNumbers, seeds: Seeds, tile_width: int) -> TileNumbers:
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


def slots(lanes_of_seeds: Sequence[int], tile_width: int, places: int) -> int:
    """How many lanes the place with most tiles computes at each update, empty ones included.

    >>> slots([33, 33, 33], 16, places=2), slots([33, 33, 33], 17, places=2)
    (80, 51)
    """
    tiles = sum(-(-lanes // tile_width) for lanes in lanes_of_seeds)
    return -(-tiles // places) * tile_width


def balanced(tile_width: int, lanes_of_seeds: Sequence[int], places: int, gain: float) -> int:
    """The tile width from half to one and a half of `tile_width` at which all lanes are trained
    soonest; `tile_width` itself unless that saves more than the share `gain` of the time.

    A tile takes as long with empty lanes as without, and the widths near one that suits the cache
    take nearly the same time a lane. So 33 lanes are two tiles of 17 rather than three of 16.

    Args:
        lanes_of_seeds: how many lanes each seed has; tiles hold lanes of one.
        places: how many tiles are trained at the same time.

    >>> balanced(16, [33, 33, 33], places=2, gain=0.1), balanced(16, [64], places=2, gain=0.1)
    (17, 16)
    """
    most = min(3 * tile_width // 2, max(lanes_of_seeds, default=1))
    widths = range(max(most, tile_width), tile_width // 2, -1)
    best = min(widths, key=lambda width: slots(lanes_of_seeds, width, places))
    before = slots(lanes_of_seeds, tile_width, places)
    return best if slots(lanes_of_seeds, best, places) < (1 - gain) * before else tile_width


def cohorts(seeds: Seeds, capacity: int) -> list[np.ndarray]:
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
