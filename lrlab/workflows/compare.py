"""`compare`: a search per entry, then its best rate on seeds that no search saw, paired."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from lrlab import config, runs
from lrlab.config import PythonObjects, of_own_step, resolve
from lrlab.core.axes import rate_axis
from lrlab.core.text import Table
from lrlab.engine.memory import memory_scope
from lrlab.search.comparison import Comparison, compared
from lrlab.training.group import training_group
from lrlab.training.logs import refuse_missing
from lrlab.training.recording import continued, ended, recorded
from lrlab.training.task import python_objects
from lrlab.workflows.find import run_find
from lrlab.workflows.job import Job, Ran, refuse_unfinished

FINAL_SEEDS = 5
"""Lanes of each entry's best rate, with the same fresh seeds for all entries: a search's own seeds
chose the rate, so its scores there are a little too good. Five give a paired interval of 4 degrees
of freedom at a cost of 5 full-length runs per entry."""

SEVERAL_SEEDS = 8
"""The same for three entries and more. There the intervals allow for the picking of the best, which
costs much with few seeds: of six entries the best is told from one that is 1.4 standard deviations
behind with 8, and 2.4 with 5 (`experiments/calibration.py`)."""


@memory_scope()
def run_compare(
    job: Job, entry_objects: Mapping[str, PythonObjects] | None = None
) -> Ran[Comparison]:
    """Searches for every entry, each a run of its own inside the comparison's folder.

    A folder that holds an unfinished comparison is continued: entries that are done are read.

    Args:
        entry_objects: what Python handed over for single entries, by name.
    """
    began = time.perf_counter()
    experiment = job.experiment
    objects = {name: (entry_objects or {}).get(name, job.objects) for name in experiment.entries}
    resolved = resolve(experiment, job.objects, "compare")
    if _check(experiment, objects):
        resolved = of_own_step(resolved)
    refuse_missing(resolved)
    count = FINAL_SEEDS if len(objects) <= 2 else SEVERAL_SEEDS

    def all_of(folder: Path | None) -> Comparison:
        answers, direction = {}, "min"
        for name, entry in experiment.entries.items():
            place = None if folder is None else folder / name
            entry = entry.model_copy(update={"name": name})
            part = job.part(entry, objects[name], place)
            answers[name] = run_find(part, final_seeds=count).value
            direction = answers[name].details.get("direction", direction)
        base = None if folder is None else str(folder)
        return compared(answers, experiment.metric, direction)._replace(run=base)

    with continued(resolved, job.out) as here:
        if path := ended(here, None):
            refuse_unfinished(path / name for name in experiment.entries)
            payload = runs.read_summary(path).payload(path)
            return Ran(str(path), payload, all_of(path), read=True)
        with recorded(here, None, job.record, job.control) as run:
            comparison = all_of(None if run is None else run.path)
            payload = {**comparison.payload(), "seconds": time.perf_counter() - began}
            if run is not None:
                run.finish(payload)
    return Ran(comparison.run, payload, comparison)


def objects_of(entries: Mapping[str, Table], shared: Table) -> dict[str, PythonObjects]:
    """What Python handed over for each entry, or else for all of them."""
    kinds = ("task", "optimizer", "schedule")
    return {
        str(name): python_objects(*(entry.get(kind, shared.get(kind)) for kind in kinds))
        for name, entry in entries.items()
    }


def _check(experiment: config.Experiment, objects: Mapping[str, PythonObjects]) -> bool:
    """Puts every entry's group together, so that a mistake in the last is found before the first
    is trained. Says whether all entries have steps of their own.

    Raises:
        ConfigError: with the problems of all entries.
    """
    problems, own_steps = [], True
    for name, entry in experiment.entries.items():
        try:
            resolved = resolve(entry, objects[name], "find")
            ends = rate_axis(entry.lr_range)
            group = training_group(resolved._replace(axes=(ends, *resolved.axes[1:])))
            own_steps &= group.problem.task.step is not None
        except config.ConfigError as error:
            for one in error.problems:
                problems.append(one._replace(field=f"compare.{name}.{one.field}"))
    if problems:
        raise config.ConfigError(dict.fromkeys(problems))
    return own_steps
