"""A segment of training, and an evaluation, over all tiles; what they measure goes into the record.

Tiles are sent to their devices a few ahead of the one whose results are received: devices never
wait for the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import jax
import numpy as np
from jax import Array

from lrlab.core.records import DIVERGED, NOT_RUN, PRUNED, LaneRecord
from lrlab.engine.layout import PADDING
from lrlab.engine.parts import in_parts
from lrlab.engine.results import release, write, write_initial
from lrlab.engine.shapes import Batches, LaneNumbers, Rows
from lrlab.engine.tiles import Group, Tile
from lrlab.types import Device, PyTree, Recorder

T = TypeVar("T")


def train_segment(
    group: Group,
    tiles: list[Tile],
    first: int,
    count: int,
    record: LaneRecord,
    recorder: Recorder | None,
) -> list[Tile]:
    """Trains every tile from update `first` for `count` updates."""
    done = []
    for start in range(0, len(tiles), group.limits.tiles_between_releases):
        some = tiles[start : start + group.limits.tiles_between_releases]
        for tile, rows in _received(group, sent(group, some, first, count)):
            ids, shown = _shown(tile, record)
            for name, values in rows.items():
                block = np.asarray(values)[:count, shown]
                write(record, name, "step", first, ids, block, group.limits.spill_bytes, recorder)
            _note_ends(group, tile, first + count, record)
            done.append(tile)
        for rows in record.history.values():
            release(rows)
    return done


def sent(
    group: Group, tiles: Iterable[Tile], first: int, count: int
) -> Iterator[tuple[Tile, Rows]]:
    """Every tile as it is after the segment, and its rows [S, T]; returns before they are there."""
    batches = _batches(group, first, count)
    for tile in tiles:
        device = tile.device
        here, indices, begin, steps = batches(tile.seed, device)
        state, rows = group.programs.train(
            device, tile.state, here, tile.frozen, tile.seed, tile.hyper, indices, begin, steps
        )
        yield tile._replace(state=state), rows


def evaluate(
    group: Group, tiles: list[Tile], step: int, record: LaneRecord, recorder: Recorder | None
) -> None:
    """Evaluates every tile after `step` updates; before the first one, the initial values."""
    row = int(np.searchsorted(record.eval_steps, step))
    before = -1 if step == 0 else int(record.eval_steps[row - 1]) if row else 0

    for tile, values in _received(group, measured(group, tiles, step, before)):
        ids, shown = _shown(tile, record)
        for name, value in values.items():
            block, spill = np.asarray(value)[shown], group.limits.spill_bytes
            if step == 0:
                write_initial(record, name, ids, block)
            else:
                write(record, name, "eval_step", row, ids, block[None], spill, recorder)


def measured(
    group: Group, tiles: Sequence[Tile], step: int, before: int
) -> Iterator[tuple[Tile, Mapping[str, Array | np.ndarray]]]:
    """Every tile, and what it measures after `step` updates, [T] by name; `before`: see `Programs`.
    Returns before most of it is there."""
    streamed = in_parts(group, tiles, step)
    for tile, more in zip(tiles, streamed, strict=True):
        device, here = tile.device, group.data[tile.device]
        at = jax.device_put((np.int32(step), np.int32(before)), device)
        run = group.programs.evaluate
        state = group.evaluated(tile.state)
        values = run(device, state, here, tile.frozen, tile.seed, tile.hyper, *at)
        yield tile, {**values, **more}


def _note_ends(group: Group, tile: Tile, step: int, record: LaneRecord) -> None:
    """Writes what became of a tile's lanes by update `step`."""
    ids, shown = _shown(tile, record)
    stops = group.problem.stop_diverged
    training = record.outcome[ids] == NOT_RUN
    at = np.asarray(tile.state.diverged_at)[shown]
    record.diverged_at[ids] = at
    record.last_loss[ids] = np.asarray(tile.state.last_loss)[shown]
    counted = training if stops else record.outcome[ids] != PRUNED
    record.steps_trained[ids[counted]] = np.where((at >= 0) & stops, at + 1, step)[counted]
    record.outcome[ids[training & (at >= 0)]] = DIVERGED


def _shown(tile: Tile, record: LaneRecord) -> tuple[LaneNumbers, np.ndarray]:
    """The lanes of a tile whose numbers count, int[n] (no padding, no pruned lanes), and their
    places, bool[T]."""
    places = (tile.lanes != PADDING) & (record.outcome[tile.lanes] != PRUNED)
    return tile.lanes[places], places


def _received(group: Group, results: Iterator[T]) -> Iterator[T]:
    """What was sent, a few tiles later: only the results of those few are held."""
    under_way: deque[T] = deque()
    for result in results:
        under_way.append(result)
        if len(under_way) > group.limits.tiles_ahead * len(group.devices):
            yield under_way.popleft()
    while under_way:
        yield under_way.popleft()


Batch = tuple[Mapping[str, PyTree], Batches | None, Array, Array]


def _batches(group: Group, first: int, count: int) -> Callable[[Array, Device], Batch]:
    """`(seed, device) -> (data, indices i32[S, B] | None, first, count)` there; rows past `count`
    are never read. A seed's batches are drawn, or taken from the stream, once, and go to each
    device once."""
    blocks: dict[tuple[int, Device], Batch] = {}
    steps, batch = group.segment_steps, group.problem.batch_size or 1

    def drawn(seed: int, device: Device) -> Batch:
        data, indices = group.data[device], None
        if group.blocks is not None:
            # Tiles come seed by seed: the blocks of the one before are let go.
            for place in [place for place in blocks if place[0] != seed]:
                del blocks[place]
            data = data | {"train": jax.device_put(group.blocks(seed, first, count), device)}
            indices = np.arange(steps * batch, dtype=np.int32).reshape(steps, batch)
        elif group.indices is not None:
            rows = np.asarray(group.indices(seed, first, count), np.int32)
            indices = np.pad(rows, ((0, steps - count), (0, 0)))
        return data, *jax.device_put((indices, np.int32(first), np.int32(count)), device)

    def block(seed: Array, device: Device) -> Batch:
        reads = group.indices is not None or group.blocks is not None
        place = (int(seed) if reads else 0, device)
        if place not in blocks:
            blocks[place] = drawn(*place)
        return blocks[place]

    return block
