"""A command on an experiment, whichever it is; the same from a run folder; and its plan alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lrlab import runs
from lrlab.config import Experiment, resolve
from lrlab.engine.estimate import planned_memory, planned_waves
from lrlab.runs import RunFolder
from lrlab.training.continuation import experiment_of
from lrlab.training.group import training_group
from lrlab.training.lanes import grid_lanes
from lrlab.training.progress import Control
from lrlab.training.session import planned
from lrlab.workflows.compare import run_compare
from lrlab.workflows.find import run_find
from lrlab.workflows.job import Job, Ran
from lrlab.workflows.range_test import run_range_test
from lrlab.workflows.report import note
from lrlab.workflows.study import run_study
from lrlab.workflows.sweep import run_sweep

WORKFLOWS: dict[str, Callable[[Job], Ran[Any]]] = {
    "sweep": run_sweep,
    "find": run_find,
    "range-test": run_range_test,
    "compare": run_compare,
    "study": run_study,
}
"""Command -> what does it."""


def run(command: str, job: Job) -> Ran[Any]:
    """Does a command, and says where a result was only read."""
    ran = WORKFLOWS[command](job)
    note(ran, job.progress)
    return ran


def resume(
    folder: str | os.PathLike[str] | RunFolder,
    overrides: tuple[str, ...],
    progress: bool,
    control: Control,
) -> Ran[Any]:
    """Continues a run from its folder alone; see `lrlab.api.resume`."""
    if not isinstance(folder, RunFolder):
        with runs.opened(Path(folder)) as place:
            return resume(place, overrides, progress, control)
    if not folder.is_run:
        runs.read_info(folder.path)  # says why
    if folder.finished and not overrides:
        raise runs.done(folder.path)
    if runs.made_in_python(folder.path, folder.info):
        message = "was made in Python, with objects that are not in its folder"
        raise runs.RunError(folder.path, f"{message}; {runs.onward(folder.path)}")
    experiment = experiment_of(folder, overrides)
    job = Job(experiment, out=folder, progress=progress, control=control)
    return run(str(folder.info["command"]), job)


def plan(experiment: Experiment, command: str) -> dict[str, Any]:
    """The plan as JSON: {mesh, tile_width, waves, segment_steps, memory_bytes, reasons}."""
    resolved = resolve(experiment, command="find" if experiment.lr is None else "sweep")
    group = training_group(resolved)
    lanes = grid_lanes(group.axes, group.seeds)
    group = planned(group, lanes)
    return {
        "mesh": {"tiles": group.plan.devices},
        "tile_width": group.plan.tile_width,
        "waves": planned_waves(lanes, group.plan),
        "segment_steps": group.plan.segment_steps,
        "memory_bytes": planned_memory(group.problem, group.data, lanes, group.plan),
        "reasons": list(group.plan.reasons),
    }
