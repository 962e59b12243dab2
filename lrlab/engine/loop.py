"""The host's side of training: segments, outcomes, compaction, pruning, checkpoints, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from lrlab.engine import devices as machine
from lrlab.engine.lanes import PADDING, boundaries, cohorts
from lrlab.engine.meter import meter
from lrlab.engine.plan import lane_shapes
from lrlab.engine.results import DIVERGED, NOT_RUN, OK, PRUNED, Saved, blank, snapshot, write
from lrlab.engine.wave import compiled
from lrlab.engine.waves import Machine, SegmentIndices, Wave, begin, pack, put, unpack
from lrlab.types import Lanes, Plan, Problem, Progress, PyTree, Recorder, Trained

RESIDENT_BYTES = 2 << 30
"""How much lane state is held at once; further lanes wait for their cohort."""

Decide = Callable[[int, Trained], np.ndarray]
"""`(rung step, trained so far) -> bool[N]`: which lanes go on."""


class Interrupted(Exception):
    """Training stopped between segments because it was asked to; everything so far is recorded."""


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
    with machine.precision(problem.dtype):
        began = time.perf_counter()
        devices, _ = machine.prepare_devices(plan.devices)
        mesh = machine.tile_mesh(devices)
        programs = compiled(problem, mesh, plan.tile_width, plan.segment_steps)
        shared = NamedSharding(mesh, PartitionSpec())
        on_device = jax.device_put(as_dtype_host(dict(data), problem.dtype), shared)
        run = Machine(
            problem, programs, mesh, on_device, lanes, indices, plan.tile_width, plan.segment_steps
        )
        trained = saved.trained if saved else blank(problem.steps, len(lanes.seed), eval_steps)
        tell = meter(progress, lanes, problem.steps)
        shapes = lane_shapes(problem, data, tuple(lanes.hyper))
        size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
        per_wave = plan.tile_width * len(devices)
        capacity = max(per_wave, int(RESIDENT_BYTES // max(size, 1)) // per_wave * per_wave)
        if decide is not None:
            capacity = len(lanes.seed)  # every lane must reach a rung before one is cut
        stops = sorted({*eval_steps, *rungs})
        earlier = trained.seconds
        for number, members in enumerate(cohorts(lanes.seed, capacity)):
            start = 0
            if saved and number < saved.cohort:
                continue
            if saved and number == saved.cohort and saved.step > 0:
                start = saved.step
                waves = pack(run, saved.lanes, saved.leaves, shapes)
            else:
                waves = begin(run, members)
                _evaluate(run, waves, trained, None, recorder)
            for first, end in boundaries(stops, start, problem.steps, plan.segment_steps):
                waves = _segment(run, waves, first, end - first, trained, recorder)
                if end in eval_steps:
                    _evaluate(run, waves, trained, list(eval_steps).index(end), recorder)
                if decide is not None and end in rungs and end < problem.steps:
                    _prune(trained, decide(end, trained))
                waves = _compact(run, waves, trained, shapes)
                seconds = earlier + time.perf_counter() - began
                trained = trained._replace(seconds=seconds)
                if recorder is not None:
                    arrays = snapshot(trained, *_states(run, waves, trained))
                    recorder.commit(arrays, {"cohort": number, "step": end, "seconds": seconds})
                tell(trained)
                if interrupted():
                    raise Interrupted
                if not waves:
                    break
            outcome = trained.outcome[members]
            trained.outcome[members] = np.where(outcome == NOT_RUN, OK, outcome)
            if recorder is not None:
                place = {"cohort": number + 1, "step": 0, "seconds": trained.seconds}
                recorder.commit(snapshot(trained), place)
        return trained._replace(seconds=earlier + time.perf_counter() - began)


def as_dtype_host(tree: PyTree, dtype: str) -> PyTree:
    """Like `as_dtype` for arrays still on the host: data reach the devices once, already cast."""

    def cast(leaf: Any) -> Any:
        leaf = np.asarray(leaf)
        if jnp.issubdtype(leaf.dtype, np.floating):
            return leaf.astype(dtype, copy=False)
        return leaf.astype(np.int32) if leaf.dtype == np.int64 else leaf

    return jax.tree.map(cast, tree)


def _shown(wave: Wave, trained: Trained) -> np.ndarray:
    """The places of a wave whose numbers count: no padding, no pruned lanes; bool[D, T]."""
    return (wave.lanes != PADDING) & (trained.outcome[wave.lanes] != PRUNED)


def _segment(
    run: Machine,
    waves: list[Wave],
    first: int,
    count: int,
    trained: Trained,
    recorder: Recorder | None,
) -> list[Wave]:
    """Trains every wave from `first` for `count` updates; rows are fetched as later waves run."""
    pending = []
    for wave in waves:
        state, rows = run.programs.train(
            wave.state,
            run.data,
            put(run, wave.seeds.astype(np.uint32)),
            wave.hyper,
            _indices(run, wave.seeds, first, count),
            np.int32(first),
            np.int32(count),
        )
        pending.append((wave._replace(state=state), rows))
    for wave, rows in pending:
        shown = _shown(wave, trained)
        ids = wave.lanes[shown]
        for name, values in rows.items():
            block = np.swapaxes(np.asarray(values), 0, 1)[:count][:, shown]
            write(
                trained.history, name, (len(trained.steps), len(trained.outcome)), first, ids, block
            )
            if recorder is not None:
                recorder.rows(name, first, ids, block)
        training = trained.outcome[ids] == NOT_RUN
        at = np.asarray(wave.state.diverged_at)[shown]
        frozen = (at >= 0) & run.problem.stop_diverged
        trained.diverged_at[ids] = at
        trained.last_loss[ids] = np.asarray(wave.state.last_loss)[shown]
        moving = training if run.problem.stop_diverged else trained.outcome[ids] != PRUNED
        trained.steps_trained[ids[moving]] = np.where(frozen, at + 1, first + count)[moving]
        trained.outcome[ids[training & (at >= 0)]] = DIVERGED
    return [wave for wave, _ in pending]


def _indices(run: Machine, seeds: np.ndarray, first: int, count: int) -> Any:
    """The batches of a segment, i32[D, S, B] on the devices; rows past `count` are never read."""
    if run.indices is None:
        return None
    blocks = {seed: run.indices(int(seed), first, count) for seed in np.unique(seeds)}
    pad = ((0, run.segment_steps - count), (0, 0))
    return put(run, np.stack([np.pad(blocks[seed], pad).astype(np.int32) for seed in seeds]))


def _evaluate(
    run: Machine,
    waves: list[Wave],
    trained: Trained,
    row: int | None,
    recorder: Recorder | None,
) -> None:
    """Evaluates every wave into row `row` of the evaluations; None: into the initial values."""
    pending = [
        run.programs.evaluate(
            wave.state, run.data, put(run, wave.seeds.astype(np.uint32)), wave.hyper
        )
        for wave in waves
    ]
    lanes = len(trained.outcome)
    for wave, values in zip(waves, pending, strict=True):
        shown = _shown(wave, trained)
        ids = wave.lanes[shown]
        for name, value in values.items():
            block = np.asarray(value)[shown][None]
            if row is None:
                write(trained.initial, name, (lanes,), 0, ids, block[0])
                continue
            write(trained.evaluated, name, (len(trained.eval_steps), lanes), row, ids, block)
            if recorder is not None:
                recorder.rows(name, row, ids, block)


def _prune(trained: Trained, keep: np.ndarray) -> None:
    cut = ~np.asarray(keep, bool) & (trained.outcome == NOT_RUN)
    trained.outcome[cut] = PRUNED


def _training(run: Machine, wave: Wave, trained: Trained) -> np.ndarray:
    """The places of a wave that still have steps to do; bool[D, T]."""
    outcome = trained.outcome[wave.lanes]
    goes_on = outcome == NOT_RUN
    if not run.problem.stop_diverged:
        goes_on |= outcome == DIVERGED
    return (wave.lanes != PADDING) & goes_on


def _states(
    run: Machine, waves: list[Wave], trained: Trained
) -> tuple[np.ndarray, list[np.ndarray]]:
    return unpack(waves, [_training(run, wave, trained) for wave in waves])


def _compact(run: Machine, waves: list[Wave], trained: Trained, shapes: PyTree) -> list[Wave]:
    """Lanes that ended leave; the rest move together where that saves whole waves.

    Shapes never change, so nothing compiles again, and at one tile width a lane's bits do not
    depend on its neighbors, so moving is free of consequences.
    """
    goes_on = [_training(run, wave, trained) for wave in waves]
    seeds = np.concatenate(
        [run.lanes.seed[wave.lanes[on]] for wave, on in zip(waves, goes_on, strict=True)]
        or [np.empty(0, np.int64)]
    )
    tiles = sum(-(-count // run.width) for count in np.unique(seeds, return_counts=True)[1])
    if -(-tiles // run.mesh.size) == len(waves):
        return waves
    return pack(run, *unpack(waves, goes_on), shapes)
