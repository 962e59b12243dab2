"""`lrlab sweep`: every lane of the grid, full length."""

from __future__ import annotations

import time

from lrlab.config import Resolved, resolve
from lrlab.core.records import LaneRecord
from lrlab.core.score import LAST
from lrlab.core.text import JsonObject
from lrlab.core.tolerance import TOLERANCE
from lrlab.engine.memory import memory_scope
from lrlab.results.loading import load_result
from lrlab.results.representable import warn_indistinct
from lrlab.results.sweep import Result
from lrlab.runs import read_summary
from lrlab.runs.reader import read_where_it_lies
from lrlab.runs.weights import read_weights
from lrlab.training.callbacks import fields_of as callback_fields
from lrlab.training.callbacks import refuse_other
from lrlab.training.group import TrainingGroup, training_group
from lrlab.training.lanes import grid_lanes
from lrlab.training.logs import refuse_missing
from lrlab.training.manifest import name_of
from lrlab.training.recording import continued, ended, recorded
from lrlab.training.session import planned, train_stage
from lrlab.training.suitability import text_of
from lrlab.types import Answer, Plan
from lrlab.workflows.job import Job, Ran, finish, keep_of, session, summary_of
from lrlab.workflows.origins import fields_of, of_group, of_session, store_frozen

FIELDS = ("run", "best", "lanes", "diverged", "metric", "score", "seconds")
"""The fields of the JSON object."""

BEST = ("lr", "interval", "verdict", "sentence")
"""The fields of `best` in it."""


@memory_scope()
def run_sweep(job: Job) -> Ran[Result]:
    """Trains every combination of the lane axes with every seed, or reads what is finished."""
    began = time.perf_counter()
    with continued(resolve(job.experiment, job.objects, "sweep"), job.out) as here:
        resolved = here.resolved
        refuse_other(here.folder, job.callbacks)
        refuse_missing(resolved)
        group = training_group(resolved)
        if path := ended(here, group):
            assert here.folder is not None
            result, score = load_result(here.folder), resolved.experiment.score
            tolerance = resolved.experiment.tolerance
            origin = of_group(resolved, group, lambda: read_weights(path))
            result = result._replace(origin=origin)
            payload = read_summary(path).payload(path, FIELDS)
            if (result.score, result.tolerance) != (score, tolerance):  # the same lanes
                result = result._replace(score=score, tolerance=tolerance)
                payload = payload | _ending(result, result.best())
            return Ran(str(path), payload, result, read=True)
        warn_indistinct(group.axes, group.problem.dtype)
        lanes = grid_lanes(group.axes, group.seeds)
        group = planned(group, lanes)
        keep = keep_of(resolved.experiment, group, job.record)
        fields = {**fields_of(group, keep), **callback_fields(job.callbacks, job.decided)}
        with (
            recorded(here, group, job.record, job.control, fields) as run,
            session(job, group, "training", run, keep) as work,
        ):
            record = train_stage(work, "", lanes, grid=True)
            place = None if run is None else str(run.path)
            store_frozen(run, group, resolved.seeds)
            if run is not None:
                record = read_where_it_lies(record, run.path)
            result = result_of(resolved, group, record, work.plan, place)
            result = result._replace(origin=of_session(resolved, work))
            if run is None and not job.concluded and work.log is None:
                return Ran(None, {}, result)
            answer = result.best()
            if work.decisions is not None:
                said = work.decisions.sentence(group.problem.steps)
                answer = answer._replace(sentence=f"{said}{answer.sentence}")
            payload = {
                "run": place,
                **_ending(result, answer),
                "lanes": int(result.outcome.size),
                "diverged": int((result.outcome == "diverged").sum()),
                "metric": result.metric,
                "seconds": time.perf_counter() - began,
            }
            if run is not None:
                # They may be others than when the run began.
                if result.score != run.info.get("score", LAST):
                    run.update(score=result.score)
                if result.tolerance != run.info.get("tolerance", TOLERANCE):
                    run.update(tolerance=result.tolerance)
            finish(work, {**payload, **summary_of(answer)})
    return Ran(place, payload, result)


def _ending(result: Result, answer: Answer) -> JsonObject:
    """The fields of the JSON object that depend on what of the lanes is looked at."""
    best = {name: getattr(answer, name) for name in BEST}
    if "at" in answer.details:
        best["at"] = answer.details["at"]
    return {"best": best, "score": result.score} if result.score != LAST else {"best": best}


def result_of(
    resolved: Resolved, group: TrainingGroup, record: LaneRecord, plan: Plan, run: str | None
) -> Result:
    """The result of a flat record of the whole grid in order."""
    axes = {**group.axes, "seed": group.seeds}
    return Result(
        name=name_of(resolved.experiment),
        record=record.grid(axes).directed(group.directions),
        metric=group.metric,
        plan=plan,
        config=text_of(resolved, group.problem.task),
        run=run,
        score=resolved.experiment.score,
        tolerance=resolved.experiment.tolerance,
    )
