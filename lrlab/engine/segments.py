"""A segment of training, and an evaluation, over all tiles; what they measure goes into the record.

Tiles are sent to their devices a few ahead of the one whose results are received: devices never
wait for the host. A tile is evaluated as soon as it is trained, while others still train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh

from lrlab.core.records import DIVERGED, NOT_RUN, PRUNED, LaneRecord
from lrlab.engine.dealing import dealt
from lrlab.engine.layout import PADDING
from lrlab.engine.parts import in_parts
from lrlab.engine.places import Place, everywhere, home_of
from lrlab.engine.results import release, write, write_initial
from lrlab.engine.shapes import Batches, LaneNumbers, Rows
from lrlab.engine.tiles import Group, Tile
from lrlab.types import Device, PyTree, Recorder

Values = Mapping[str, Array | np.ndarray]
"""Metric -> values [T]."""

Batch = tuple[Mapping[str, PyTree], Batches | None, Array, Array]
"""Data, indices, the first update and how many, in a place."""


def train_segment(
    group: Group,
    tiles: list[Tile],
    first: int,
    count: int,
    record: LaneRecord,
    recorder: Recorder | None,
    evaluates: bool = False,
) -> list[Tile]:
    """Trains every tile from update `first` for `count` updates, and evaluates it then."""
    end, done = first + count, dict[int, Tile]()
    batches, before = _batches(group, first, count), _before(record, end)

    def send(tile: Tile) -> tuple[Tile, tuple[Rows, Values]]:
        tile, rows = _trained(group, tile, batches)
        values = _measured(group, tile, end, before) if evaluates else {}
        _fetched((rows, values, tile.state.diverged_at, tile.state.last_loss))
        return tile, (rows, values)

    for number, tile, (rows, values) in dealt(group, tiles, send, count):
        ids, shown = _shown(tile, record)
        for name, value in rows.items():
            block = np.asarray(value)[:count, shown]
            write(record, name, "step", first, ids, block, group.limits.spill_bytes, recorder)
        _note_ends(group, tile, end, record)
        _write_measured(group, tile, values, end, record, recorder)
        done[number] = tile
        if len(done) % group.limits.tiles_between_releases == 0 or len(done) == len(tiles):
            for history in record.history.values():
                release(history)
    tiles = [done[number] for number in range(len(tiles))]
    if evaluates and group.streamed:
        for tile, more in zip(tiles, in_parts(group, tiles, end), strict=True):
            _write_measured(group, tile, more, end, record, recorder)
    return tiles


def sent(
    group: Group, tiles: Iterable[Tile], first: int, count: int
) -> Iterator[tuple[Tile, Rows]]:
    """Every tile as it is after the segment, and its rows [S, T]; returns before they are there."""
    batches = _batches(group, first, count)
    for tile in tiles:
        yield _trained(group, tile, batches)


def evaluate_first(
    group: Group, tiles: list[Tile], record: LaneRecord, recorder: Recorder | None
) -> None:
    """Evaluates every tile before its first update."""

    def send(tile: Tile) -> tuple[Tile, Values]:
        values = _measured(group, tile, 0, -1)
        _fetched(values)
        return tile, values

    for _, tile, values in dealt(group, tiles, send):
        _write_measured(group, tile, values, 0, record, recorder)
    for tile, more in zip(tiles, in_parts(group, tiles, 0), strict=True):
        _write_measured(group, tile, more, 0, record, recorder)


def measured(
    group: Group, tiles: Sequence[Tile], step: int, before: int
) -> Iterator[tuple[Tile, Values]]:
    """Every tile, and what it measures after `step` updates, [T] by name; `before`: see `Programs`.
    Returns before most of it is there."""
    streamed = in_parts(group, tiles, step)
    for tile, more in zip(tiles, streamed, strict=True):
        yield tile, {**_measured(group, tile, step, before), **more}


def _trained(
    group: Group, tile: Tile, batches: Callable[[Array, Place], Batch]
) -> tuple[Tile, Rows]:
    data, indices, begin, steps = batches(tile.seed, tile.place)
    state, rows = group.programs.train(
        tile.place, tile.state, data, tile.frozen, tile.seed, tile.hyper, indices, begin, steps
    )
    return tile._replace(state=state), rows


def _measured(group: Group, tile: Tile, step: int, before: int) -> Mapping[str, Array]:
    place, here = tile.place, group.data[tile.place]
    at = jax.device_put((np.int32(step), np.int32(before)), everywhere(place))
    state = group.evaluated(tile.state)
    return group.programs.evaluate(place, state, here, tile.frozen, tile.seed, tile.hyper, *at)


def _before(record: LaneRecord, step: int) -> int:
    """The updates at the evaluation before the one after `step` updates; 0: there was none but the
    initial one."""
    row = int(np.searchsorted(record.eval_steps, step))
    return int(record.eval_steps[row - 1]) if row else 0


def _fetched(results: PyTree) -> None:
    """Begins to copy results to the host, as soon as they are there."""
    for leaf in jax.tree.leaves(results):
        leaf.copy_to_host_async()


def _write_measured(
    group: Group,
    tile: Tile,
    values: Values,
    step: int,
    record: LaneRecord,
    recorder: Recorder | None,
) -> None:
    """Writes what a tile measured after `step` updates; before the first one, as initial values."""
    ids, shown = _shown(tile, record)
    row = int(np.searchsorted(record.eval_steps, step))
    for name, value in values.items():
        block, spill = np.asarray(value)[shown], group.limits.spill_bytes
        if step == 0:
            write_initial(record, name, ids, block)
        else:
            write(record, name, "eval_step", row, ids, block[None], spill, recorder)


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


def _batches(group: Group, first: int, count: int) -> Callable[[Array, Place], Batch]:
    """`(seed, place) -> (data, indices i32[S, B] | None, first, count)` there; rows past `count`
    are never read. A seed's batches are drawn, or taken from the stream, once, and go to each
    place once."""
    blocks: dict[tuple[int, Device | Mesh], Batch] = {}
    steps, batch = group.segment_steps, group.problem.batch_size or 1

    def drawn(seed: int, place: Place) -> Batch:
        data, indices, there = group.data[place], None, everywhere(place)
        if group.blocks is not None:
            # Tiles come seed by seed: the blocks of the one before are let go.
            for key in [key for key in blocks if key[0] != seed]:
                del blocks[key]
            data = data | {"train": jax.device_put(group.blocks(seed, first, count), there)}
            indices = np.arange(steps * batch, dtype=np.int32).reshape(steps, batch)
        elif group.indices is not None:
            rows = np.asarray(group.indices(seed, first, count), np.int32)
            indices = np.pad(rows, ((0, steps - count), (0, 0)))
        return data, *jax.device_put((indices, np.int32(first), np.int32(count)), there)

    def block(seed: Array, place: Place) -> Batch:
        reads = group.indices is not None or group.blocks is not None
        number = int(seed) if reads else 0
        key = number, home_of(place)
        if key not in blocks:
            blocks[key] = drawn(number, place)
        return blocks[key]

    return block
