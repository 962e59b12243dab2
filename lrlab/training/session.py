"""Training with everything around it: plan, cache, progress, Ctrl-C, the stages of a run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lrlab import engine
from lrlab.cluster import driver
from lrlab.cluster.inline import inline
from lrlab.cluster.pool import OpenPool
from lrlab.core.errors import WorkerError
from lrlab.core.paths import shown
from lrlab.core.records import LaneRecord
from lrlab.core.weights import Weights
from lrlab.core.worker_use import Usage, joined, usage_of
from lrlab.engine.feed import StreamUse
from lrlab.engine.kept import Keep, Kept, blank_kept, emptied, weights_of
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.results import Saved, passed, restore, rewound
from lrlab.engine.state import lane_shapes
from lrlab.engine.tuning import explained, filled, tuned
from lrlab.runs import Run
from lrlab.runs.recorder import Stage
from lrlab.training.callbacks import Decisions
from lrlab.training.group import TrainingGroup
from lrlab.training.lanes import grid_of
from lrlab.training.logs import Log
from lrlab.types import Decide, Lanes, Plan, Progress

STAGE = "stage"
"""In front of the number of a search's later stages; the first one is named ""."""

WORKER_ERROR = "worker_error.txt"
"""The file of a run folder that holds the traceback of a worker that failed for good."""


class Session(NamedTuple):
    """A group that trains, maybe several times (stages of a search), maybe into a run folder."""

    group: TrainingGroup
    run: Run | None = None
    progress: Callable[[Progress], None] | None = None
    interrupted: Callable[[], bool] = lambda: False
    retreats: list[Plan] | None = None  # plans that replaced the group's; the last one holds
    keep: Keep | None = None
    weights: list[Weights] | None = None  # what was kept of every stage that no folder holds
    log: Log | None = None
    decisions: Decisions | None = None  # what callbacks decide, and decided before
    workers: OpenPool | None = None  # who trains; None: this process

    @property
    def plan(self) -> Plan:
        """The plan in force."""
        return self.retreats[-1] if self.retreats else self.group.plan


def planned(group: TrainingGroup, lanes: Lanes, at_once: bool = True) -> TrainingGroup:
    """The group with the tile width tuned, unless it was given, and what its step asks for.

    Args:
        at_once: all of these lanes are trained together, and not some at a time, as searches do.
    """
    plan = explained(group.problem, group.data, lanes, group.plan)
    if plan.tile_width_source != "given":
        plan = tuned(group.problem, group.data, lanes, plan, group.indices)
        if at_once and plan.tile_width_source != "estimated":  # else too short for another program
            plan = filled(lanes, plan)
    return group._replace(plan=plan)


def train_stage(
    session: Session,
    name: str,
    lanes: Lanes,
    rungs: tuple[int, ...] = (),
    decide: Decide | None = None,
    grid: bool = False,
) -> LaneRecord:
    """Trains lanes as stage `name` of the session's run.

    A stage that the run folder already holds is read, not trained; an unfinished one continues.
    `decide` is asked once for every rung, in order, also for those that were passed before a crash,
    with the numbers of that time: what it keeps in mind and how often it looks at its clock is then
    as if nothing had happened.

    Raises:
        Interrupted: Ctrl-C; everything so far is in the run folder.
        RunError: callbacks decided what comes next, and are not there.
    """
    group, decisions = session.group, session.decisions
    if decisions is not None:
        decide = decisions.decide(name, rungs, decide)
        rungs = tuple(step for step in group.eval_steps if step < group.problem.steps)
    decide = None if decide is None else _once(decide)
    kept = None
    if session.keep is not None:
        shapes = lane_shapes(group.problem, group.data, tuple(lanes.hyper))
        kept = blank_kept(session.keep, shapes, len(lanes.seed))
    if grid:  # the lanes are the whole grid in order; rates may repeat
        axes = {**group.axes, "seed": group.seeds}
        cells = np.arange(len(lanes.seed))
    else:
        axes, cells = grid_of(lanes)
    number = int(name.removeprefix(STAGE)) if name else 0
    if session.log is not None:
        session.log.begin(number, axes, cells)
    if session.run is None:
        record = _train(session, lanes, number, None, lambda: None, rungs, decide, kept)
        _ended(session, name, number, record)
        if kept is not None and session.weights is not None:
            session.weights.append(weights_of(kept, lanes))
        return record
    stage = session.run.stage(name, group.problem.steps, group.eval_steps, axes, cells)

    def saved() -> Saved | None:
        stage.wait()
        commit = stage.saved()
        if commit is None:
            return None
        arrays, info = commit
        steps = group.problem.steps
        return restore(arrays, info, stage.metrics(), lanes, group.eval_steps, steps)

    before = saved() if stage.complete or decide is not None else None
    if before is not None and decide is not None:
        for rung in passed(before, rungs, group.problem.steps):
            decide(rung, rewound(before.record, rung))
    if stage.complete:
        assert before is not None
        _ended(session, name, number, before.record)
        return before.record
    first = [before] if before is not None else []  # read already
    onward = lambda: first.pop() if first else saved()  # noqa: E731
    record = _train(session, lanes, number, stage, onward, rungs, decide, kept)
    # Who follows the stages is shown what is on disk; a grid's large curves are read from there.
    stage.finish(beside=not grid and session.decisions is None and session.log is None)
    _ended(session, name, number, record)
    return record


def _ended(session: Session, name: str, number: int, record: LaneRecord) -> None:
    """Shows the end of a stage to those who follow it."""
    if session.decisions is not None:
        session.decisions.last(name, record)
    if session.log is not None:
        session.log.visit(number, record, session.group.problem.steps)


def _watch(
    session: Session, number: int, recorder: Stage | None
) -> Callable[[LaneRecord, int], None] | None:
    """What the engine calls at segment ends: the log gets what is committed, or, where nothing is
    recorded, what there is."""
    log = session.log
    if log is None:
        return None

    def watch(record: LaneRecord, step: int) -> None:
        if recorder is not None:
            step = recorder.reached(len(record.outcome))
        log.visit(number, record, step)

    return watch


def _once(decide: Decide) -> Decide:
    """`decide`, asked once per rung: training that comes by again gets the same answer."""
    decided: dict[int, np.ndarray] = {}

    def remembered(rung: int, record: LaneRecord) -> np.ndarray:
        if rung not in decided:
            decided[rung] = decide(rung, record)
        return decided[rung]

    return remembered


def _train(
    session: Session,
    lanes: Lanes,
    number: int,
    recorder: Stage | None,
    saved: Callable[[], Saved | None],
    rungs: tuple[int, ...],
    decide: Decide | None,
    kept: Kept | None,
) -> LaneRecord:
    """`engine.train`; where a device runs out of memory, again with tiles half as wide, from the
    last commit (`saved()`, None: from the start). Lanes that workers left at different updates are
    dealt on here as there."""
    group = session.group
    while True:
        try:
            before, train = saved(), engine.train
            workers = session.workers
            if workers is None and before is not None and before.at is not None:
                workers = inline
            if workers is not None:
                used = functools.partial(_used, session.run)
                train = functools.partial(driver.train, workers, fatal=out_of_memory, used=used)
            if recorder is not None:
                train = functools.partial(train, limits=limits_of(len(lanes.seed), True))
            return train(
                group.problem,
                group.data,
                lanes,
                session.plan,
                eval_steps=group.eval_steps,
                indices=group.indices,
                rungs=rungs,
                decide=decide,
                recorder=recorder,
                saved=before,
                progress=session.progress,
                interrupted=session.interrupted,
                kept=kept,
                streamed=functools.partial(_streamed, session.run),
                watch=_watch(session, number, recorder),
            )
        except WorkerError as error:
            if session.run is not None and error.traceback:
                place = session.run.keep_text(WORKER_ERROR, error.traceback)
                text = f"{error}; the worker's traceback is in {shown(place)}"
                raise WorkerError(text, error.traceback) from error
            raise
        except Exception as error:
            if not out_of_memory(error) or session.retreats is None:
                raise
            session.retreats.append(retreat(session.plan, error))
            if kept is not None:
                emptied(kept)
            if recorder is not None and session.run is not None:
                recorder.forget()
                session.run.update(plan=session.plan._asdict(), claim="tolerance")


def limits_of(lanes: int, recorded: bool) -> PlanLimits:
    """The limits of training so many lanes, in a run folder or not.

    >>> limits_of(10**5, True).resident_bytes >> 20, limits_of(100, True).resident_bytes >> 20
    (128, 2048)
    """
    if not recorded:
        return LIMITS
    held = LIMITS.many_bytes if lanes > LIMITS.many_lanes else LIMITS.resident_bytes
    return LIMITS._replace(spill_bytes=LIMITS.recorded_spill_bytes, resident_bytes=held)


def _streamed(run: Run | None, use: StreamUse) -> None:
    """Adds to `run.json` how often data that stream were read, and how long training waited."""
    if run is not None:
        before = dict(run.info.get("streamed") or {})
        passes = int(before.get("passes", 0)) + use.passes
        waited = float(before.get("waited_seconds", 0.0)) + use.waited
        run.update(streamed={"passes": passes, "waited_seconds": round(waited, 3)})


def _used(run: Run | None, usage: Usage) -> None:
    """Adds to `run.json` how well workers were used."""
    if run is not None:
        before = usage_of(run.info.get("workers"))
        run.update(workers=(usage if before is None else joined(before, usage)).table)


def out_of_memory(error: BaseException) -> bool:
    """Whether XLA could not allocate. Its errors have their status in their text alone.

    >>> out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"))
    True
    """
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def retreat(plan: Plan, error: BaseException) -> Plan:
    """`plan` with half the tile width, and the reason.

    Raises:
        MemoryError: the tile is one lane already.

    >>> retreat(Plan(tile_width=8), RuntimeError("RESOURCE_EXHAUSTED: 8 GiB")).tile_width
    4
    """
    width = plan.tile_width or 1
    message = str(error).strip().splitlines()[0][:120] if str(error).strip() else "out of memory"
    if width == 1:
        raise MemoryError(
            f"one lane alone does not fit in the device's memory ({message}); "
            "use a smaller batch_size or model, or let several devices share each lane "
            "(plan.model_devices)"
        ) from error
    why = f"tile width {width // 2}: the device ran out of memory at {width} ({message})"
    return plan._replace(
        tile_width=width // 2, tile_width_source="estimated", reasons=(*plan.reasons, why)
    )
