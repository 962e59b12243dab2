"""`study`: one axis that shapes the program, group by group, with a sweep or a search in each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from lrlab import runs
from lrlab.config import PythonObjects, resolve
from lrlab.config.lanes import is_axis
from lrlab.engine.memory import memory_scope
from lrlab.results.study import Study, concluded
from lrlab.results.sweep import Result
from lrlab.training.recording import begun, ended, recorded
from lrlab.types import Answer
from lrlab.workflows.find import run_find
from lrlab.workflows.job import Job, Ran, refuse_unfinished
from lrlab.workflows.report import write_report
from lrlab.workflows.sweep import run_sweep


@memory_scope()
def run_study(job: Job, group_objects: Mapping[str, PythonObjects] | None = None) -> Ran[Study]:
    """Every group into its own run folder under `groups/`, or what is finished, read.

    Args:
        group_objects: what Python handed over for single groups, by name.
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
            part = job.part(entry, (group_objects or {}).get(name, job.objects), place)
            answers.append((value, kind, _answered(part)))
        return concluded(experiment, answers, None if folder is None else str(folder))

    with begun(resolve(experiment, job.objects, "study"), job.out) as here:
        if path := ended(here, None):
            refuse_unfinished(path / "groups" / name for name in experiment.entries)
            payload = runs.read_summary(path).payload(path)
            return Ran(str(path), payload, all_of(path), read=True)
        with recorded(here, None, job.record, job.control) as run:
            study = all_of(None if run is None else run.path)
            payload = {**study.payload(), "seconds": time.perf_counter() - began}
            if run is not None:
                run.update(groups=list(experiment.entries))
                run.finish(payload)
    return Ran(study.run, payload, study)


def _answered(part: Job) -> Answer:
    """The answer of a group: read where it is finished, else trained."""
    experiment = part.experiment
    ran = run_sweep(part) if is_axis(experiment.lr) else run_find(part)
    if isinstance(part.out, Path):
        if not ran.read:
            write_report(part.out, figures=False)
        return runs.read_summary(part.out).answer(experiment.metric, str(part.out))
    return ran.value.best(experiment.metric) if isinstance(ran.value, Result) else ran.value
