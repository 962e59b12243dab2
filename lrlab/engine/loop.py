"""The host's side of training: plan -> tiles -> segments -> rungs -> record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lrlab.core.errors import Interrupted
from lrlab.core.records import NOT_RUN, OK, PRUNED, LaneRecord, blank_record
from lrlab.engine import devices as machine
from lrlab.engine import threads
from lrlab.engine.estimate import capacity
from lrlab.engine.feed import StreamUse, feeding
from lrlab.engine.kept import Kept, forget, keep_best, keep_last, kept_arrays
from lrlab.engine.kept import continued as continue_kept
from lrlab.engine.layout import boundaries, cohorts
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.memory import keep_freed_memory, memory_scope
from lrlab.engine.places import devices_of
from lrlab.engine.progress import meter
from lrlab.engine.results import LaneStates, Saved, snapshot
from lrlab.engine.segments import evaluate_first, train_segment
from lrlab.engine.streaming import SegmentIndices, feed_for, requests
from lrlab.engine.tiles import (
    Group,
    Tile,
    begin,
    compact,
    group_on_devices,
    pack,
    seed_of,
    unpack,
)
from lrlab.types import Decide, Lanes, Plan, Problem, Progress, PyTree, Recorder


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
    kept: Kept | None = None,
    streamed: Callable[[StreamUse], None] | None = None,
    watch: Callable[[LaneRecord, int], None] | None = None,
    limits: PlanLimits = LIMITS,
) -> LaneRecord:
    """Trains N lanes for `problem.steps` updates each and gives everything measured.

    Returns:
        A flat record whose axes are the columns of `lanes`. Per update, read before it, it holds
        `train_loss`, `learning_rate`, `train_<metric>`, and the step size that adaptive methods
        used in it (`effective_lr`); per evaluation `<split>_<metric>` and what probes measure.

    Args:
        problem: the group; hashable, so the same problem never compiles twice in a process.
        data: split name -> pytree of arrays with a leading example axis.
        lanes: the LR, further hyper-parameters and seed of each lane; any combination, any order.
        plan: a full plan (see `make_plan`).
        eval_steps: after how many updates to evaluate, ascending; the last is `problem.steps`.
        indices: the batches; None where a step takes the whole training split or no data.
        rungs: evaluation steps after which `decide` says which lanes continue.
        recorder: receives rows and states at segment ends.
        saved: an unfinished run to continue.
        progress: called at segment ends.
        interrupted: asked between segments.
        kept: is filled with weights of the lanes (`engine.kept.blank_kept`).
        streamed: called at the end with how data that stream were read.
        watch: called at segment ends with the record and the update that all lanes have come to.

    Raises:
        Interrupted: `interrupted` said so; everything so far is recorded.
        StreamError: data that stream ended or failed.
    """
    places = {} if saved is None else saved.streams
    feed = feed_for(problem, data, plan.segment_steps or 1, limits, places)
    with (
        memory_scope(),
        machine.precision(problem.dtype),
        threads.scope(),
        feeding(feed, streamed),
    ):
        began = time.perf_counter()
        blocks = None if feed is None else feed.block
        group = group_on_devices(problem, data, lanes, plan, indices, limits, blocks)
        if devices_of(group.places[0])[0].platform == "cpu":
            keep_freed_memory()
        record = saved.record if saved else blank_record(lanes.columns, problem.steps, eval_steps)
        earlier = record.seconds
        if kept is not None and saved is not None:
            continue_kept(kept, saved.kept, record)
        waited = None if feed is None else lambda: feed.waited
        report = meter(progress, lanes, problem.steps, waited)
        most = _capacity(group, saved, hold_all=decide is not None)
        parts = cohorts(lanes.seed, most)
        stops = sorted({*eval_steps, *rungs})

        def place(cohort: int, step: int) -> dict[str, int | float]:
            seconds = earlier + time.perf_counter() - began
            return {"cohort": cohort, "step": step, "seconds": seconds, "capacity": most}

        for cohort, members in enumerate(parts):
            if saved and cohort < saved.cohort:
                continue
            if saved and cohort == saved.cohort and saved.step > 0:
                start, tiles = saved.step, pack(group, saved.states)
            else:
                start, tiles = 0, begin(group, members)
                evaluate_first(group, tiles, record, recorder)
            segments = boundaries(stops, start, problem.steps, group.segment_steps)
            for number, (first, end) in enumerate(segments):
                if feed is not None:  # the next one is read while this one trains
                    seeds = _seeds(group, tiles)
                    feed.want(requests(feed, indices, seeds, segments[number : number + 2]))
                evaluates = end in eval_steps
                tiles = train_segment(group, tiles, first, end - first, record, recorder, evaluates)
                if evaluates and kept is not None and kept.keep.kind == "best":
                    keep_best(group, tiles, end, record, kept)
                if decide is not None and end in rungs and end < problem.steps:
                    prune(record, end, decide)
                tiles = compact(group, tiles, record)
                stopping = interrupted()
                ending = stopping or (feed is not None and feed.failed)
                if recorder is not None and (ending or recorder.due()):
                    states = unpack(group, tiles, record)
                    arrays = snapshot(record, states) | kept_arrays(problem, lanes, kept)
                    arrays |= {} if feed is None else feed.states()
                    recorder.commit(arrays, place(cohort, end))
                report(record)
                if watch is not None:
                    watch(record, end if cohort + 1 == len(parts) else 0)
                if stopping:
                    raise Interrupted
                if not tiles:
                    break
            # Final states are kept where those of all lanes can be held, so that training can
            # continue from them with more steps.
            keeps = recorder is not None and len(parts) == 1
            states = unpack(group, tiles, record) if keeps else LaneStates()
            record.outcome[members[record.outcome[members] == NOT_RUN]] = OK
            if kept is not None:
                if kept.keep.kind == "last":
                    keep_last(group, tiles, record, kept, stored=keeps)
                forget(members, record, kept)
            if recorder is not None and (cohort + 1 == len(parts) or recorder.due()):
                arrays = snapshot(record, states) | kept_arrays(problem, lanes, kept, stored=keeps)
                recorder.commit(arrays, place(cohort + 1, 0))
        return record._replace(seconds=earlier + time.perf_counter() - began)


def _seeds(group: Group, tiles: Sequence[Tile]) -> list[int]:
    """The seeds of the tiles, in their order."""
    return [seed_of(group, tile) for tile in tiles]


def _capacity(group: Group, saved: Saved | None, hold_all: bool) -> int:
    """How many lanes' states are held at once: as many as fit in memory.

    All of them where lanes are judged at rungs, which every lane must reach before any is cut; as
    many as before where a run is continued, so that its cohorts stay what they were.
    """
    if saved and saved.capacity:
        return saved.capacity
    if hold_all:
        return len(group.lanes.seed)
    devices = [device for place in group.places for device in devices_of(place)]
    shared = len(devices) // len(group.places)
    return capacity(devices, shared, group.shapes, group.width, group.limits)


def prune(record: LaneRecord, rung: int, decide: Decide) -> None:
    """Cuts the lanes that `decide` does not keep, if any is left to judge: how soon the loop sees
    that there is none depends on the plan."""
    training = record.outcome == NOT_RUN
    if training.any():
        record.outcome[training & ~np.asarray(decide(rung, record), bool)] = PRUNED
