"""`study`: one axis that shapes the program, group by group, with a sweep or a search in each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lrlab import runs
from lrlab.config import Experiment, Resolved, of_own_step, resolve
from lrlab.config.groups import show_value
from lrlab.config.lanes import is_axis
from lrlab.core.scale import GAIN
from lrlab.core.score import LAST
from lrlab.core.text import Table
from lrlab.core.tolerance import TOLERANCE
from lrlab.engine.memory import memory_scope
from lrlab.results.study import Study, concluded
from lrlab.results.sweep import Result
from lrlab.tasks import Task
from lrlab.training.logs import refuse_missing
from lrlab.training.recording import continued, ended, recorded
from lrlab.training.task import TaskLike, task_of
from lrlab.types import Answer
from lrlab.workflows.find import run_find
from lrlab.workflows.job import Job, Ran, refuse_unfinished
from lrlab.workflows.report import write_report
from lrlab.workflows.sweep import run_sweep


@memory_scope()
def run_study(job: Job, tasks: Mapping[str, Task] | None = None) -> Ran[Study]:
    """Every group into its own run folder under `groups/`, or what is finished, read.

    Args:
        tasks: tasks that Python handed over for single values, by `show_value`.
    """
    began = time.perf_counter()
    experiment = job.experiment
    spec = experiment.study
    assert spec is not None
    pairs = [(kind, value) for kind in spec.parametrizations for value in spec.values]

    def all_of(folder: Path | None) -> Study:
        answers = []
        for (kind, value), (name, entry) in zip(pairs, experiment.entries.items(), strict=True):
            entry = entry.model_copy(update={"name": name})
            entry._places.update(experiment._places)
            place = None if folder is None else folder / "groups" / name
            task = (tasks or {}).get(show_value(value), job.objects.task)
            part = job.part(entry, job.objects._replace(task=task), place)
            answers.append((value, kind, _answered(part)))
        return concluded(experiment, answers, None if folder is None else str(folder))

    with continued(_resolved(job, tasks or {}), job.out) as here:
        refuse_missing(here.resolved)
        if path := ended(here, None):
            refuse_unfinished(path / "groups" / name for name in experiment.entries)
            payload, study = runs.read_summary(path).payload(path), all_of(path)
            changed = payload.get("scale", GAIN) != experiment.scale
            if changed or _read_otherwise(experiment, here.info):
                payload = {**payload, **study.payload()}
            return Ran(str(path), payload, study, read=True)
        with recorded(here, None, job.record, job.control) as run:
            study = all_of(None if run is None else run.path)
            payload = {**study.payload(), "seconds": time.perf_counter() - began}
            if run is not None:
                run.update(groups=list(experiment.entries))
                run.finish(payload)
    return Ran(study.run, payload, study)


def _resolved(job: Job, tasks: Mapping[str, Task]) -> Resolved:
    """The experiment; its text names no optimizer where the tasks have steps of their own."""
    resolved = resolve(job.experiment, job.objects, "study")
    task = next(iter(tasks.values()), job.objects.task)
    if task is None and job.experiment.task.python is not None:
        first = next(iter(job.experiment.entries.values()))  # has options that the axis gives
        task = task_of(resolve(first, job.objects))
    return resolved if task is None or task.functions.step is None else of_own_step(resolved)


def tasks_of(task: TaskLike | Callable[..., Task], values: Sequence[object]) -> dict[str, Task]:
    """The tasks that a function makes of the values, by `show_value`; none of another task."""
    if not callable(task) or hasattr(task, "functions"):
        return {}
    return {show_value(value): task(value) for value in values}


def _read_otherwise(experiment: Experiment, info: Table) -> bool:
    """Whether the lanes of a finished run are to be read with another score or tolerance."""
    wanted = experiment.score, experiment.tolerance
    return wanted != (info.get("score", LAST), info.get("tolerance", TOLERANCE))


def _answered(part: Job) -> Answer:
    """The answer of a group: read where it is finished, else trained."""
    experiment = part.experiment
    swept, scale = is_axis(experiment.lr), experiment.scale
    ran = run_sweep(part) if swept else run_find(part)
    if isinstance(part.out, Path):
        if not ran.read:
            write_report(part.out, figures=False)
        same = not _read_otherwise(experiment, runs.read_info(part.out))
        if same and not (swept and scale != GAIN):  # a sweep's own answer is in the gain
            return runs.read_summary(part.out).answer(experiment.metric, str(part.out))
    if isinstance(ran.value, Result):
        return ran.value.best(experiment.metric, scale)
    return ran.value
