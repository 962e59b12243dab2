"""Tiles on the devices: lanes are put into tiles, taken out, and moved together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from lrlab.engine.layout import PADDING, tile_lanes
from lrlab.engine.programs import Programs
from lrlab.engine.step import LaneState
from lrlab.types import Device, Lanes, Problem, PyTree

SegmentIndices = Callable[[int, int, int], np.ndarray]
"""`(seed, first step, steps) -> int32[steps, batch]`: which examples each update reads."""


class Machine(NamedTuple):
    """What every tile of a run shares; `data` holds the splits once per device."""

    problem: Problem
    programs: Programs
    devices: Sequence[Device]
    data: Mapping[Device, PyTree]
    lanes: Lanes
    indices: SegmentIndices | None
    width: int
    segment_steps: int


class Tile(NamedTuple):
    """Lanes int[T] of one seed that train together (`PADDING`: an empty place) on one device."""

    lanes: np.ndarray
    device: Device
    seed: Any
    hyper: dict[str, Any]
    state: LaneState


def waves(tiles: int, devices: int) -> int:
    """How many waves, each of one tile per device, `tiles` tiles make."""
    return -(-tiles // devices)


def begin(run: Machine, members: np.ndarray) -> list[Tile]:
    """Tiles of freshly initialized lanes; each device draws the parameters of a seed once."""
    tiles, drawn = [], {}
    for number, lanes in enumerate(tile_lanes(members, run.lanes.seed[members], run.width)):
        device, seed, hyper = _place(run, number, lanes)
        chosen = int(run.lanes.seed[lanes[0]])
        if drawn.get(device, (None,))[0] != chosen:  # tiles come seed by seed
            drawn[device] = chosen, run.programs.init(device, run.data[device], seed)
        alive = jax.device_put(lanes != PADDING, device)
        state = run.programs.start(device, *drawn[device][1], hyper, alive)
        tiles.append(Tile(lanes, device, seed, hyper, state))
    return tiles


def pack(
    run: Machine, members: np.ndarray, leaves: Sequence[np.ndarray], shapes: LaneState
) -> list[Tile]:
    """Tiles of the lanes int[n] whose states are `leaves` [n, ...], in tree order of `shapes`."""
    structure = jax.tree.structure(shapes)
    row = np.zeros(len(run.lanes.seed), int)
    row[members] = np.arange(len(members))
    tiles = []
    for number, lanes in enumerate(tile_lanes(members, run.lanes.seed[members], run.width)):
        device, seed, hyper = _place(run, number, lanes)
        rows = row[np.maximum(lanes, 0)]
        state: LaneState = jax.tree.unflatten(structure, [leaf[rows] for leaf in leaves])
        state = state._replace(alive=state.alive & (lanes != PADDING))
        tiles.append(Tile(lanes, device, seed, hyper, jax.device_put(state, device)))
    return tiles


def unpack(
    tiles: Sequence[Tile], chosen: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The lanes at the chosen places (bool[T] per tile), and the leaves of their states."""
    if not tiles:
        return np.empty(0, np.int64), []
    lanes = np.concatenate([tile.lanes[mask] for tile, mask in zip(tiles, chosen, strict=True)])
    columns = [
        [np.asarray(leaf)[mask] for leaf in jax.tree.leaves(tile.state)]
        for tile, mask in zip(tiles, chosen, strict=True)
    ]
    return lanes, [np.concatenate(parts) for parts in zip(*columns, strict=True)]


def _place(run: Machine, number: int, lanes: np.ndarray) -> tuple[Device, Any, dict[str, Any]]:
    """The device of tile `number`, its seed and hyper-parameters there.

    An empty place repeats the tile's first lane and stays dead.
    """
    device = run.devices[number % len(run.devices)]
    filled = np.where(lanes == PADDING, lanes[0], lanes)
    with np.errstate(over="ignore"):  # a rate beyond the largest number is infinity: it diverges
        hyper = {
            name: np.asarray(values)[filled].astype(run.problem.dtype)
            for name, values in run.lanes.hyper.items()
        }
    seed = np.uint32(run.lanes.seed[lanes[0]])
    return device, *jax.device_put((seed, hyper), device)
