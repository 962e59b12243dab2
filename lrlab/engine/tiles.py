"""Tiles in their places: lanes are put into tiles, taken out, and moved together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh

from lrlab.core.records import DIVERGED, NOT_RUN, LaneRecord
from lrlab.data.streams import Stream
from lrlab.engine import devices as machine
from lrlab.engine.binding import GIVEN, Beginning, frozen_of
from lrlab.engine.host_data import on_devices
from lrlab.engine.layout import PADDING, tile_lanes
from lrlab.engine.limits import PlanLimits
from lrlab.engine.places import Place, everywhere, home_of, parted, places
from lrlab.engine.programs import Programs, compiled
from lrlab.engine.results import LaneStates
from lrlab.engine.shapes import Hypers, LaneNumbers
from lrlab.engine.state import LaneState, averages, lane_shapes
from lrlab.engine.streaming import Blocks, SegmentIndices, measures, resident, streams_of
from lrlab.types import Device, Lanes, Plan, Problem, PyTree


class Group(NamedTuple):
    """What every tile of a group shares; `data` holds the splits once per place, `shapes` are
    those of one lane's state; `frozen` are parameters that are not trained, of a place and seed
    that had a tile; `pace`: the seconds that a place took last for an update of a tile. Where
    training data stream, `blocks` gives a segment's batches; `streamed` are the splits that are
    evaluated in parts. `averages`: whether an average of the parameters is evaluated
    (`engine.state.averages`)."""

    problem: Problem
    programs: Programs
    places: Sequence[Place]
    data: Mapping[Place, dict[str, PyTree]]
    lanes: Lanes
    indices: SegmentIndices | None
    width: int
    segment_steps: int
    shapes: LaneState
    limits: PlanLimits
    frozen: dict[tuple[Device | Mesh, int], PyTree]
    pace: dict[Place, float]
    blocks: Blocks | None = None
    streamed: Mapping[str, Stream] = {}
    averages: bool = True

    def evaluated(self, state: LaneState) -> LaneState:
        """What evaluations read of a tile's state: without the optimizer's part where they do not
        need it, so that one compiled program serves every optimizer."""
        reads = self.averages or self.problem.probes
        return state if reads else state._replace(optimizer=())


class Tile(NamedTuple):
    """Lanes int[T] of one seed that train together (`PADDING`: none) in one place; `frozen`: the
    parameters there that all lanes of the seed share."""

    lanes: LaneNumbers
    place: Place
    seed: Array
    hyper: Hypers
    state: LaneState
    frozen: PyTree = ()


def group_on_devices(
    problem: Problem,
    data: Mapping[str, PyTree],
    lanes: Lanes,
    plan: Plan,
    indices: SegmentIndices | None,
    limits: PlanLimits,
    blocks: Blocks | None = None,
) -> Group:
    """The group's programs, and its data on the plan's devices."""
    assert plan.tile_width is not None and plan.segment_steps is not None
    devices, _ = machine.prepare_devices(plan.devices, plan.model_devices)
    shapes = lane_shapes(problem, data, tuple(lanes.hyper))
    streams, asked = streams_of(data), problem.splits
    problem, data = resident(problem, data, limits, devices, measures(problem, shapes))
    streamed = {split: streams[split] for split in asked if split not in problem.splits}
    here = places(devices, plan.model_devices)
    return Group(
        problem=problem,
        programs=compiled(problem, plan.tile_width, plan.segment_steps, plan.model_devices),
        places=here,
        data=on_devices(data, problem.dtype, here),
        lanes=lanes,
        indices=indices,
        width=plan.tile_width,
        segment_steps=plan.segment_steps,
        shapes=shapes,
        limits=limits,
        frozen={},
        pace={},
        blocks=blocks,
        streamed=streamed,
        averages=averages(problem, shapes),
    )


def begin(group: Group, members: LaneNumbers) -> list[Tile]:
    """Tiles of freshly initialized lanes; each place draws the parameters of a seed once."""
    tiles: list[Tile] = []
    drawn: dict[Device | Mesh, tuple[int, Beginning]] = {}
    for number, lanes in enumerate(tile_lanes(members, group.lanes.seed[members], group.width)):
        place, seed, hyper = _placed(group, number, lanes)
        chosen = int(group.lanes.seed[lanes[0]])
        home = home_of(place)
        if home not in drawn or drawn[home][0] != chosen:  # tiles come seed by seed
            drawn[home] = chosen, group.programs.init(place, group.data[place], seed)
        params, model, frozen = drawn[home][1]
        alive = jax.device_put(lanes != PADDING, everywhere(place))
        state = group.programs.start(place, params, model, hyper, alive, seed)
        shared = _frozen(group, place, seed, frozen)
        tiles.append(Tile(lanes, place, seed, hyper, state, shared))
    return tiles


def pack(group: Group, states: LaneStates) -> list[Tile]:
    """Tiles of lanes in the middle of training."""
    members, leaves = states
    structure = jax.tree.structure(group.shapes)
    row = np.zeros(len(group.lanes.seed), int)
    row[members] = np.arange(len(members))
    tiles = []
    for number, lanes in enumerate(tile_lanes(members, group.lanes.seed[members], group.width)):
        place, seed, hyper = _placed(group, number, lanes)
        rows = row[np.maximum(lanes, 0)]
        state: LaneState = jax.tree.unflatten(structure, [leaf[rows] for leaf in leaves])
        state = state._replace(alive=state.alive & (lanes != PADDING))
        state = jax.device_put(state, parted(place, state, lanes=True))
        tiles.append(Tile(lanes, place, seed, hyper, state, _frozen(group, place, seed)))
    return tiles


def moved(group: Group, tile: Tile, place: Place) -> Tile:
    """A tile in another place, bit by bit as it was; its states leave the one where they were."""
    if place == tile.place:
        return tile
    seed, hyper = jax.device_put((tile.seed, tile.hyper), everywhere(place))
    state = tile.state
    if home_of(place) != home_of(tile.place):
        state = jax.device_put(state, parted(place, state, lanes=True), donate=True)
    return Tile(tile.lanes, place, seed, hyper, state, _frozen(group, place, seed))


def _frozen(group: Group, place: Place, seed: Array, drawn: PyTree = None) -> PyTree:
    """The frozen parameters of a seed's lanes in a place; `drawn`: those its beginning holds,
    where that is at hand."""
    if group.problem.task.trains is None:
        return ()
    key = home_of(place), int(seed)
    if key not in group.frozen:
        data = group.data[place]
        if drawn is None and GIVEN not in data:
            drawn = group.programs.init(place, data, seed).frozen
        group.frozen[key] = frozen_of(group.problem, data, drawn)
    return group.frozen[key]


def seed_of(group: Group, tile: Tile) -> int:
    """The seed of a tile's lanes."""
    return int(group.lanes.seed[tile.lanes[0]])


def unpack(group: Group, tiles: Sequence[Tile], record: LaneRecord) -> LaneStates:
    """The lanes that still have steps to do, out of their tiles."""
    if not tiles:
        return LaneStates()
    masks = [_unfinished(group, tile, record) for tile in tiles]
    lanes = np.concatenate([tile.lanes[mask] for tile, mask in zip(tiles, masks, strict=True)])
    columns = [
        [np.asarray(leaf)[mask] for leaf in jax.tree.leaves(tile.state)]
        for tile, mask in zip(tiles, masks, strict=True)
    ]
    return LaneStates(lanes, [np.concatenate(parts) for parts in zip(*columns, strict=True)])


def compact(group: Group, tiles: list[Tile], record: LaneRecord) -> list[Tile]:
    """Lanes that ended leave; the rest move together where that saves a whole wave.

    Shapes never change, so nothing compiles again, and at one tile width a lane's bits do not
    depend on its neighbors, so moving is free of consequences.
    """
    left: Counter[int] = Counter()
    for tile in tiles:
        left[seed_of(group, tile)] += int(_unfinished(group, tile, record).sum())
    needed = sum(-(-count // group.width) for count in left.values())
    if _waves(needed, group) == _waves(len(tiles), group):
        return tiles
    return pack(group, unpack(group, tiles, record))


def _unfinished(group: Group, tile: Tile, record: LaneRecord) -> np.ndarray:
    """The places of a tile that still have steps to do; bool[T]."""
    outcome = record.outcome[tile.lanes]
    unfinished = outcome == NOT_RUN
    if not group.problem.stop_diverged:
        unfinished |= outcome == DIVERGED
    return (tile.lanes != PADDING) & unfinished


def _waves(tiles: int, group: Group) -> int:
    """How many waves, each of one tile per place, `tiles` tiles make."""
    return -(-tiles // len(group.places))


def _placed(group: Group, number: int, lanes: LaneNumbers) -> tuple[Place, Array, Hypers]:
    """The place of tile `number`, its seed and hyper-parameters there.

    An empty place repeats the tile's first lane and stays dead.
    """
    place = group.places[number % len(group.places)]
    filled = np.where(lanes == PADDING, lanes[0], lanes)
    with np.errstate(over="ignore"):  # a rate beyond the largest number is infinity: it diverges
        hyper = {
            name: np.asarray(values)[filled].astype(group.problem.dtype)
            for name, values in group.lanes.hyper.items()
        }
    seed = np.uint32(group.lanes.seed[lanes[0]])
    return place, *jax.device_put((seed, hyper), everywhere(place))
