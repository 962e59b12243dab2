"""Waves on the devices: lanes are put into tiles, taken out, and moved together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from lrlab.engine.lanes import PADDING, tile_lanes, wave_tiles
from lrlab.engine.step import LaneState
from lrlab.engine.wave import Programs
from lrlab.types import Lanes, Problem, PyTree

SegmentIndices = Callable[[int, int, int], np.ndarray]
"""`(seed, first step, steps) -> int32[steps, batch]`: which examples each update reads."""


class Machine(NamedTuple):
    """What every wave of a run shares."""

    problem: Problem
    programs: Programs
    mesh: jax.sharding.Mesh
    data: PyTree
    lanes: Lanes
    indices: SegmentIndices | None
    width: int
    segment_steps: int


class Wave(NamedTuple):
    """Lanes int[D, T] that train together (`PADDING`: an empty place), and what they need."""

    lanes: np.ndarray
    seeds: np.ndarray
    hyper: dict[str, Any]
    state: LaneState


def put(run: Machine, tree: PyTree) -> PyTree:
    """Arrays [D, ...] onto the devices, one row each."""
    return jax.device_put(tree, NamedSharding(run.mesh, PartitionSpec("tiles")))


def seeds_of(run: Machine, tiles: np.ndarray) -> np.ndarray:
    """The seed of each tile, int64[D]; 0 for an empty tile."""
    first = tiles[:, 0]
    return np.where(first == PADDING, 0, run.lanes.seed[np.maximum(first, 0)])


def hyper_of(run: Machine, tiles: np.ndarray) -> dict[str, Any]:
    """The hyper-parameters of a wave's lanes; a padding place repeats lane 0 and stays dead."""
    filled = np.where(tiles == PADDING, 0, tiles)
    values = {name: np.asarray(value)[filled] for name, value in run.lanes.hyper.items()}
    return put(run, {name: value.astype(run.problem.dtype) for name, value in values.items()})


def begin(run: Machine, members: np.ndarray) -> list[Wave]:
    """Waves of freshly initialized lanes."""
    waves = []
    for part in wave_tiles(tile_lanes(members, run.lanes.seed[members], run.width), run.mesh.size):
        seeds, hyper = seeds_of(run, part), hyper_of(run, part)
        alive = put(run, part != PADDING)
        state = run.programs.start(run.data, put(run, seeds.astype(np.uint32)), hyper, alive)
        waves.append(Wave(part, seeds, hyper, state))
    return waves


def pack(
    run: Machine, lanes: np.ndarray, leaves: Sequence[np.ndarray], shapes: LaneState
) -> list[Wave]:
    """Waves of the lanes int[n] whose states are `leaves` [n, ...], in tree order of `shapes`."""
    tree = jax.tree.structure(shapes)
    row = np.full(len(run.lanes.seed), 0)
    row[lanes] = np.arange(len(lanes))
    waves = []
    for part in wave_tiles(tile_lanes(lanes, run.lanes.seed[lanes], run.width), run.mesh.size):
        rows = row[np.maximum(part, 0)]
        state: LaneState = jax.tree.unflatten(tree, [leaf[rows] for leaf in leaves])
        state = state._replace(alive=state.alive & (part != PADDING))
        waves.append(Wave(part, seeds_of(run, part), hyper_of(run, part), put(run, state)))
    return waves


def unpack(
    waves: Sequence[Wave], chosen: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The lanes at the chosen places (bool[D, T] per wave), and the leaves of their states."""
    if not waves:
        return np.empty(0, np.int64), []
    lanes = np.concatenate([wave.lanes[mask] for wave, mask in zip(waves, chosen, strict=True)])
    columns = [
        [np.asarray(leaf)[mask] for leaf in jax.tree.leaves(wave.state)]
        for wave, mask in zip(waves, chosen, strict=True)
    ]
    return lanes, [np.concatenate(parts) for parts in zip(*columns, strict=True)]
