"""A command on an experiment, whichever it is; the same from a run folder; and its plan alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lrlab import runs
from lrlab.cluster.pieces import Setting
from lrlab.cluster.ray_pool import checked, on_ray
from lrlab.cluster.timing import estimated
from lrlab.config import Experiment, PythonObjects, moved, ray_of, resolve
from lrlab.core.text import JsonObject
from lrlab.engine.estimate import planned_memory, planned_waves
from lrlab.engine.limits import LIMITS
from lrlab.report import drawing
from lrlab.runs import RunFolder
from lrlab.training.continuation import experiment_of
from lrlab.training.group import training_group
from lrlab.training.lanes import grid_lanes
from lrlab.training.progress import USUAL, Control
from lrlab.training.recording import folder_of
from lrlab.training.session import planned
from lrlab.training.task import refused
from lrlab.types import Plan
from lrlab.workflows.compare import run_compare
from lrlab.workflows.find import run_find
from lrlab.workflows.job import AnyRan, Job, own_of
from lrlab.workflows.range_test import run_range_test
from lrlab.workflows.report import note
from lrlab.workflows.study import run_study
from lrlab.workflows.sweep import run_sweep

WORKFLOWS: dict[str, Callable[[Job], AnyRan]] = {
    "sweep": run_sweep,
    "find": run_find,
    "range-test": run_range_test,
    "compare": run_compare,
    "study": run_study,
}
"""Command -> what does it."""


def run(
    command: str,
    experiment: Experiment,
    *,
    out: str | os.PathLike[str] | RunFolder | None = None,
    progress: bool = True,
    record: bool = True,
    control: Control = USUAL,
) -> AnyRan:
    """What the command line does: `command` on an experiment, into a run folder.

    `out`: a path, or a folder that is opened already; None makes a new one under `runs/`. `record`
    False writes nothing. `control`: how often it commits, what ends it early, and what is called
    with an unfinished run's folder.
    """
    place = out if isinstance(out, RunFolder) else folder_of(out)
    if record:
        drawing.when()  # a wrong word is said before anything is trained
    job = Job(experiment, PythonObjects(), place if record else None, record, progress, control)
    ran = WORKFLOWS[command](job)
    note(ran, progress)
    return ran


def resume(
    folder: str | os.PathLike[str] | RunFolder,
    *,
    overrides: Sequence[str] = (),
    progress: bool = True,
    control: Control = USUAL,
    on: str | None = None,
) -> AnyRan:
    """Continues an interrupted run, from its folder alone, to the same bits.

    `folder`: a path, or one that is opened already. `overrides`: settings such as `steps=4000`: a
    sweep trains on, where its schedule permits. `control`: as in `run`. `on`: where it is trained
    from here on, as the option `--on` says it; None: as before.

    Raises:
        RunError: finished already, locked by another process, damaged, another experiment, or made
            in Python; says how it is continued.
    """
    if not isinstance(folder, RunFolder):
        with runs.opened(Path(folder)) as place:
            return resume(place, overrides=overrides, progress=progress, control=control, on=on)
    if not folder.is_run:
        runs.read_info(folder.path)  # says why
    runs.refuse_untrained(folder.path, folder.info, "resumed")
    if folder.finished and not overrides:
        raise runs.done(folder.path)
    if runs.made_in_python(folder.path, folder.info):
        message = "was made in Python, with objects that are not in its folder"
        raise runs.RunError(folder.path, f"{message}; {runs.onward(folder.path)}")
    experiment = moved(experiment_of(folder, tuple(overrides)), on)
    command = str(folder.info["command"])
    return run(command, experiment, out=folder, progress=progress, control=control)


def plan(experiment: Experiment) -> JsonObject:
    """How an experiment would be laid on the machine: {mesh, tile_width, waves, segment_steps,
    memory_bytes, reasons}, as `lrlab plan --json` gives it.

    With `on`, a tile is timed at a worker, and `on` says what the cluster would make of all lanes:
    {lanes, workers, devices_per_worker, lanes_at_once, pieces, memory_bytes, lane_bytes,
    start_seconds, seconds} (see `lrlab.cluster.timing.Estimate`).
    """
    resolved = resolve(experiment, command="find" if experiment.lr is None else "sweep")
    on = ray_of(experiment)
    if on is not None:
        with refused(resolved):
            checked(on)  # before JAX has threads, beside which Ray could not start processes
    group = training_group(resolved)
    lanes = grid_lanes(group.axes, group.seeds)
    group = planned(group, lanes, at_once=experiment.lr is not None)
    keeps = experiment.keep in ("last", "best")
    cluster: JsonObject = {}
    if on is not None:
        setting = Setting(
            group.problem, group.data, group.plan, group.eval_steps, group.indices, None, LIMITS
        )
        with refused(resolved):
            cluster = {"on": estimated(on_ray(on, own_of(experiment)), setting, lanes)._asdict()}
    return {
        "mesh": _mesh(group.plan),
        "tile_width": group.plan.tile_width,
        "waves": planned_waves(lanes, group.plan),
        "segment_steps": group.plan.segment_steps,
        "memory_bytes": planned_memory(group.problem, group.data, lanes, group.plan, keeps=keeps),
        "reasons": list(group.plan.reasons),
        **cluster,
    }


def _mesh(plan: Plan) -> JsonObject:
    """How many tiles train at once, and how many devices share a lane, where several do."""
    assert plan.devices is not None
    rows = plan.devices // plan.model_devices
    return {"tiles": rows} | ({"model": plan.model_devices} if plan.model_devices > 1 else {})
