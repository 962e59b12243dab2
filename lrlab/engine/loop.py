"""The host's side of training: segments, outcomes, compaction, pruning, checkpoints, progress."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from lrlab.core.errors import Interrupted
from lrlab.engine import devices as machine
from lrlab.engine import threads
from lrlab.engine.host_data import on_devices
from lrlab.engine.layout import PADDING, boundaries, cohorts
from lrlab.engine.memory import keep_freed_memory, memory_scope
from lrlab.engine.plan import device_memory, lane_shapes
from lrlab.engine.programs import compiled
from lrlab.engine.progress import meter
from lrlab.engine.results import (
    DIVERGED,
    NOT_RUN,
    OK,
    PRUNED,
    Saved,
    blank,
    release,
    snapshot,
    write,
)
from lrlab.engine.tiles import Machine, SegmentIndices, Tile, begin, pack, unpack, waves
from lrlab.types import Device, Lanes, Plan, Problem, Progress, PyTree, Recorder, Trained

RESIDENT_BYTES = 2 << 30
"""How much lane state is held at once; further lanes wait for their cohort."""

AHEAD = 4
"""Tiles per device that are sent before the first one's results are fetched."""

RELEASE = 256
"""After so many tiles, rows that lie in a file leave the memory."""

Decide = Callable[[int, Trained], np.ndarray]
"""`(rung step, trained so far) -> bool[N]`: which lanes go on."""


def train(
    problem: Problem,
    data: Mapping[str, PyTree],
    lanes: Lanes,
    plan: Plan,
    *,
    eval_steps: Sequence[int],
    indices: SegmentIndices | None = None,
    rungs: Sequence[int] = (),
    decide: Decide | None = None,
    recorder: Recorder | None = None,
    saved: Saved | None = None,
    progress: Callable[[Progress], None] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Trained:
    """Trains N lanes for `problem.steps` updates each and gives everything measured.

    Args:
        problem: the group; hashable, so the same problem never compiles twice in a process.
        data: split name -> pytree of arrays with a leading example axis.
        lanes: the LR, further hyper-parameters and seed of each lane; any combination, any order.
        plan: a full plan (see `make_plan`).
        eval_steps: after how many updates to evaluate, ascending; the last is `problem.steps`.
        indices: the batches; None where a step takes the whole training split or no data.
        rungs: evaluation steps after which `decide` says which lanes go on.
        recorder: receives rows and states at segment ends.
        saved: an unfinished run to go on with.
        progress: called at segment ends.
        interrupted: asked between segments; True raises `Interrupted` after recording.
    """
    assert plan.tile_width is not None and plan.segment_steps is not None
    with memory_scope(), machine.precision(problem.dtype), threads.scope():
        began = time.perf_counter()
        devices, _ = machine.prepare_devices(plan.devices)
        if devices[0].platform == "cpu":
            keep_freed_memory()
        programs = compiled(problem, plan.tile_width, plan.segment_steps)
        on_device = on_devices(data, problem.dtype, devices)
        run = Machine(
            problem,
            programs,
            devices,
            on_device,
            lanes,
            indices,
            plan.tile_width,
            plan.segment_steps,
        )
        trained = saved.trained if saved else blank(problem.steps, len(lanes.seed), eval_steps)
        tell = meter(progress, lanes, problem.steps)
        shapes = lane_shapes(problem, data, tuple(lanes.hyper))
        stops = sorted({*eval_steps, *rungs})
        earlier = trained.seconds
        # Every lane must reach a rung before any is cut: then all states are held at once.
        capacity = len(lanes.seed) if decide is not None else _capacity(run, shapes)
        if saved and saved.capacity:
            capacity = saved.capacity  # cohorts stay what they were, whatever the plan is now
        parts = cohorts(lanes.seed, capacity)
        for number, members in enumerate(parts):
            start = 0
            if saved and number < saved.cohort:
                continue
            if saved and number == saved.cohort and saved.step > 0:
                start = saved.step
                tiles = pack(run, saved.lanes, saved.leaves, shapes)
            else:
                tiles = begin(run, members)
                _evaluate(run, tiles, trained, 0, -1, None, recorder)
            for first, end in boundaries(stops, start, problem.steps, plan.segment_steps):
                tiles = _segment(run, tiles, first, end - first, trained, recorder)
                if end in eval_steps:
                    row = list(eval_steps).index(end)
                    before = int(eval_steps[row - 1]) if row else 0
                    _evaluate(run, tiles, trained, end, before, row, recorder)
                judged = end in rungs and end < problem.steps
                # Where none is left to judge, how soon the loop sees it depends on the plan.
                if decide is not None and judged and (trained.outcome == NOT_RUN).any():
                    _prune(trained, decide(end, trained))
                tiles = _compact(run, tiles, trained, shapes)
                trained = trained._replace(seconds=earlier + time.perf_counter() - began)
                stopping = interrupted()
                if recorder is not None and (stopping or recorder.due()):
                    arrays = snapshot(trained, *_states(run, tiles, trained))
                    place = {"cohort": number, "step": end, "seconds": trained.seconds}
                    place["capacity"] = capacity
                    recorder.commit(arrays, place)
                tell(trained)
                if stopping:
                    raise Interrupted
                if not tiles:
                    break
            # Final states are kept where all lanes' states can be held, so that training can go
            # on from them with more steps.
            last: Any = _states(run, tiles, trained) if recorder and len(parts) == 1 else ()
            outcome = trained.outcome[members]
            trained.outcome[members] = np.where(outcome == NOT_RUN, OK, outcome)
            if recorder is not None and (number + 1 == len(parts) or recorder.due()):
                place = {"cohort": number + 1, "step": 0, "seconds": trained.seconds}
                place["capacity"] = capacity
                recorder.commit(snapshot(trained, *last), place)
        return trained._replace(seconds=earlier + time.perf_counter() - began)


def _capacity(run: Machine, shapes: PyTree) -> int:
    """How many lanes' states are held at once: whole waves that fit in `RESIDENT_BYTES`,
    on accelerators in a quarter of their memory."""
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    per_wave = run.width * len(run.devices)
    memory = device_memory(run.devices[0])
    resident = RESIDENT_BYTES if memory is None else memory * len(run.devices) // 4
    return max(per_wave, int(resident // max(size, 1)) // per_wave * per_wave)


def _shown(tile: Tile, trained: Trained) -> np.ndarray:
    """The places of a tile whose numbers count: no padding, no pruned lanes; bool[T]."""
    return (tile.lanes != PADDING) & (trained.outcome[tile.lanes] != PRUNED)


def _segment(
    run: Machine,
    tiles: list[Tile],
    first: int,
    count: int,
    trained: Trained,
    recorder: Recorder | None,
) -> list[Tile]:
    """Trains every tile from `first` for `count` updates; rows are fetched as later tiles run."""
    batches = _batches(run, first, count)
    shape = (len(trained.steps), len(trained.outcome))

    def send(tile: Tile) -> tuple[Tile, Any]:
        here = run.data[tile.device]
        batch = batches(tile.seed, tile.device)
        state, rows = run.programs.train(
            tile.device, tile.state, here, tile.seed, tile.hyper, *batch
        )
        return tile._replace(state=state), rows

    def receive(tile: Tile, rows: Any) -> Tile:
        shown = _shown(tile, trained)
        ids = tile.lanes[shown]
        for name, values in rows.items():
            block = np.asarray(values)[:count, shown]
            write(trained.history, name, shape, first, ids, block)
            if recorder is not None:
                recorder.rows(name, first, ids, block)
        training = trained.outcome[ids] == NOT_RUN
        at = np.asarray(tile.state.diverged_at)[shown]
        frozen = (at >= 0) & run.problem.stop_diverged
        trained.diverged_at[ids] = at
        trained.last_loss[ids] = np.asarray(tile.state.last_loss)[shown]
        moving = training if run.problem.stop_diverged else trained.outcome[ids] != PRUNED
        trained.steps_trained[ids[moving]] = np.where(frozen, at + 1, first + count)[moving]
        trained.outcome[ids[training & (at >= 0)]] = DIVERGED
        return tile

    done = []
    for start in range(0, len(tiles), RELEASE):
        done += _streamed(run, tiles[start : start + RELEASE], send, receive)
        for rows in trained.history.values():
            release(rows)
    return done


def _streamed(
    run: Machine,
    tiles: list[Tile],
    send: Callable[[Tile], tuple[Tile, Any]],
    receive: Callable[[Tile, Any], Tile],
) -> list[Tile]:
    """Sends every tile to its device and receives what comes back, a few tiles behind: devices
    never wait for the host, and only the results of those few are held."""
    behind = AHEAD * len(run.devices)
    under_way: deque[tuple[Tile, Any]] = deque()
    done = []
    for tile in tiles:
        under_way.append(send(tile))
        if len(under_way) > behind:
            done.append(receive(*under_way.popleft()))
    while under_way:
        done.append(receive(*under_way.popleft()))
    return done


def _batches(run: Machine, first: int, count: int) -> Callable[[Any, Device], tuple[Any, ...]]:
    """`(seed, device) -> (indices i32[S, B] | None, first, count)` there; rows past `count` are
    never read. A seed's batches are made once, and go to each device once."""
    made: dict[tuple[int, Device], tuple[Any, ...]] = {}

    def of(seed: Any, device: Device) -> tuple[Any, ...]:
        number = int(seed) if run.indices is not None else 0
        if (number, device) not in made:
            indices = None
            if run.indices is not None:
                rows = np.asarray(run.indices(number, first, count), np.int32)
                indices = np.pad(rows, ((0, run.segment_steps - count), (0, 0)))
            block = (indices, np.int32(first), np.int32(count))
            made[number, device] = jax.device_put(block, device)
        return made[number, device]

    return of


def _evaluate(
    run: Machine,
    tiles: list[Tile],
    trained: Trained,
    step: int,
    before: int,
    row: int | None,
    recorder: Recorder | None,
) -> None:
    """Evaluates every tile into row `row` of the evaluations; None: into the initial values.
    `before`: the step of the evaluation before, -1 for none."""
    lanes = len(trained.outcome)

    def send(tile: Tile) -> tuple[Tile, Any]:
        at = jax.device_put((np.int32(step), np.int32(before)), tile.device)
        here = run.data[tile.device]
        values = run.programs.evaluate(tile.device, tile.state, here, tile.seed, tile.hyper, *at)
        return tile, values

    def receive(tile: Tile, values: Any) -> Tile:
        shown = _shown(tile, trained)
        ids = tile.lanes[shown]
        for name, value in values.items():
            block = np.asarray(value)[shown][None]
            if row is None:
                write(trained.initial, name, (lanes,), 0, ids, block[0])
                continue
            write(trained.evaluated, name, (len(trained.eval_steps), lanes), row, ids, block)
            if recorder is not None:
                recorder.rows(name, row, ids, block)
        return tile

    _streamed(run, tiles, send, receive)


def _prune(trained: Trained, keep: np.ndarray) -> None:
    cut = ~np.asarray(keep, bool) & (trained.outcome == NOT_RUN)
    trained.outcome[cut] = PRUNED


def _training(run: Machine, tile: Tile, trained: Trained) -> np.ndarray:
    """The places of a tile that still have steps to do; bool[T]."""
    outcome = trained.outcome[tile.lanes]
    goes_on = outcome == NOT_RUN
    if not run.problem.stop_diverged:
        goes_on |= outcome == DIVERGED
    return (tile.lanes != PADDING) & goes_on


def _states(
    run: Machine, tiles: list[Tile], trained: Trained
) -> tuple[np.ndarray, list[np.ndarray]]:
    return unpack(tiles, [_training(run, tile, trained) for tile in tiles])


def _compact(run: Machine, tiles: list[Tile], trained: Trained, shapes: PyTree) -> list[Tile]:
    """Lanes that ended leave; the rest move together where that saves a whole wave.

    Shapes never change, so nothing compiles again, and at one tile width a lane's bits do not
    depend on its neighbors, so moving is free of consequences.
    """
    goes_on = [_training(run, tile, trained) for tile in tiles]
    left: Counter[int] = Counter()
    for tile, on in zip(tiles, goes_on, strict=True):
        left[int(run.lanes.seed[tile.lanes[0]])] += int(on.sum())
    needed = sum(-(-count // run.width) for count in left.values())
    if waves(needed, len(run.devices)) == waves(len(tiles), len(run.devices)):
        return tiles
    return pack(run, *unpack(tiles, goes_on), shapes)
