"""Evaluation on splits that stream: one pass over the examples serves every tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import jax
import numpy as np

from lrlab.core.arrays import PART_BYTES
from lrlab.data.streams import Stream, example_bytes
from lrlab.engine.blocks import blank, block_bytes, fill
from lrlab.engine.places import everywhere
from lrlab.engine.programs import Totals
from lrlab.engine.tiles import Group, Tile
from lrlab.types import PyTree


def in_parts(group: Group, tiles: Sequence[Tile], step: int) -> list[dict[str, np.ndarray]]:
    """What every tile measures on the splits that stream: `<split>_<metric>` -> [T], nan for lanes
    that are not alive.

    Raises:
        StreamError: a loader fails, or a number that the run cannot hold.
    """
    results: list[dict[str, np.ndarray]] = [{} for _ in tiles]
    for split, stream in group.streamed.items():
        totals: list[Totals | None] = [None] * len(tiles)
        first = 0
        for rows in _blocks(group, split, stream):
            before = totals
            here = {place: jax.device_put(rows, everywhere(place)) for place in group.places}
            totals = [
                _added(group, tile, part, here[tile.place], first, step)
                for tile, part in zip(tiles, before, strict=True)
            ]
            jax.block_until_ready(before)  # of the blocks, two are held
            first += len(jax.tree.leaves(rows)[0])
        for tile, part, result in zip(tiles, totals, results, strict=True):
            assert part is not None
            shown = np.asarray(tile.state.alive) | (not group.problem.stop_diverged)
            for name, total in part[0].items():
                value = np.where(
                    shown, _ratio(np.asarray(total), np.asarray(part[1][name])), np.nan
                )
                result[f"{split}_{name}"] = value.astype(group.problem.dtype)
    return results


def _added(
    group: Group, tile: Tile, totals: Totals | None, rows: PyTree, first: int, step: int
) -> Totals:
    place = tile.place
    return group.programs.part(
        place,
        totals,
        group.evaluated(tile.state),
        group.data[place],
        rows,
        jax.device_put(np.int32(first), everywhere(place)),
        tile.frozen,
        tile.seed,
        tile.hyper,
        jax.device_put(np.int32(step), everywhere(place)),
    )


def _ratio(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums over weights; 0 where nothing has weight.

    >>> _ratio(np.array([3.0, 0.0]), np.array([2.0, 0.0]))
    array([1.5, 0. ])
    """
    return np.divide(total, weight, out=np.zeros_like(total), where=weight != 0)


def _blocks(group: Group, split: str, stream: Stream) -> Iterator[PyTree]:
    """Every example once, in blocks of one size (the last one may be smaller), so that there are
    two programs at most. A block holds whole batches, so that what is measured batch by batch is
    cut as a split in memory is."""
    dtype = group.problem.dtype
    size = max(1, group.limits.stream_bytes // max(1, block_bytes(stream, 1, dtype)))
    batch = group.problem.batch_size or 1
    size = max(1, size // batch) * batch
    if stream.length is not None:
        size = min(size, stream.length)
    block, count = blank(stream, size, dtype), 0
    # Read a few MiB at a time: what lies there in a wider dtype than the run's is not held whole.
    for part in stream.parts(min(size, max(1, PART_BYTES // max(1, example_bytes(stream.first))))):
        taken, length = 0, len(jax.tree.leaves(part)[0])
        while taken < length:
            more = min(size - count, length - taken)
            rows = jax.tree.map(lambda leaf, a=taken, b=taken + more: leaf[a:b], part)
            room = jax.tree.map(lambda leaf, a=count, b=count + more: leaf[a:b], block)
            fill(room, [rows], f"the {split} split")
            taken, count = taken + more, count + more
            if count == size:
                yield block
                block, count = blank(stream, size, dtype), 0
    if count:
        yield jax.tree.map(lambda leaf: leaf[:count], block)
