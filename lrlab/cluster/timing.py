"""What a run will take on a cluster: a tile is timed at one worker, the rest is arithmetic."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from lrlab.cluster.pieces import Piece, Setting
from lrlab.cluster.pool import USUAL, Done, OpenPool, Pace, Pool
from lrlab.core.errors import WorkerError
from lrlab.core.records import blank_record
from lrlab.engine.layout import PADDING, tile_lanes
from lrlab.engine.results import LANE_ARRAYS
from lrlab.engine.state import lane_shapes, tree_bytes
from lrlab.types import Lanes

ENOUGH = 1.0
"""Seconds of training from which on a timed tile tells enough: starting a piece takes some
milliseconds."""


class Estimate(NamedTuple):
    """How a run would be dealt. `lanes`: how many there are; `lanes_at_once`: how many are trained
    at the same time; `pieces` that they make; `memory_bytes`: what a worker holds of its own after
    the timed tile (0: unknown); `lane_bytes`: the state of a lane; `start_seconds` until a worker
    trains; `seconds` of the whole, that included."""

    lanes: int
    workers: int
    devices_per_worker: int
    lanes_at_once: int
    pieces: int
    memory_bytes: int
    lane_bytes: int
    start_seconds: float
    seconds: float


def estimated(open_pool: OpenPool, setting: Setting, lanes: Lanes, pace: Pace = USUAL) -> Estimate:
    """Trains a tile on every device of one worker for about `ENOUGH` seconds, and says what all
    lanes would take if none ended early.

    Raises:
        WorkerError: the worker failed.
    """
    steps = setting.problem.steps
    with open_pool(setting) as pool:
        tiles = tile_lanes(np.arange(len(lanes.seed)), lanes.seed, pool.width)
        some = np.concatenate([tile[tile != PADDING] for tile in tiles[: pool.devices]])
        end = min(steps, setting.plan.segment_steps or steps)
        began = time.perf_counter()
        _timed(pool, lanes, some, end, setting)
        first = time.perf_counter() - began
        seconds, memory = _timed(pool, lanes, some, end, setting)
        start = max(0.0, first - seconds)
        if seconds < ENOUGH and end < steps:
            end = min(steps, int(np.ceil(end * ENOUGH / seconds)))
            seconds, memory = _timed(pool, lanes, some, end, setting)
        workers, devices = pool.slots(), pool.devices
    wave_seconds = seconds / end
    share = -(-len(tiles) // (devices * workers))
    waves = pace.waves(wave_seconds, steps, share)
    updates = pace.updates(wave_seconds, waves, steps)
    return Estimate(
        lanes=len(lanes.seed),
        workers=workers,
        devices_per_worker=devices,
        lanes_at_once=min(len(lanes.seed), workers * devices * (setting.plan.tile_width or 1)),
        pieces=-(-len(tiles) // (waves * devices)) * -(-steps // updates),
        memory_bytes=memory,
        lane_bytes=tree_bytes(lane_shapes(setting.problem, setting.data, tuple(lanes.hyper))),
        start_seconds=round(start, 3),
        seconds=round(start + share * steps * wave_seconds, 3),
    )


def _timed(
    pool: Pool, lanes: Lanes, some: np.ndarray, end: int, setting: Setting
) -> tuple[float, int]:
    """Seconds that the first `end` updates of some lanes take, and the bytes that their worker
    holds then."""
    hyper = {name: values[some] for name, values in lanes.hyper.items()}
    record = blank_record(hyper, setting.problem.steps, setting.eval_steps)
    arrays = {name: getattr(record, name) for name in LANE_ARRAYS}
    pool.submit(Piece(Lanes(hyper, lanes.seed[some]), 0, end, arrays, stored=False), ())
    back: list[Done] = []
    while not back:
        back = pool.finished(USUAL.patience)
    if (result := back[0].result) is None:
        text = f"the timed tile failed: {type(back[0].error).__name__}: {back[0].error}"
        raise WorkerError(text, back[0].traceback) from back[0].error
    return result.seconds, 0 if result.by is None else result.by.memory
