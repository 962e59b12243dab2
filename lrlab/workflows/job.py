"""What a workflow is asked for, and what it gives back."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from lrlab import runs
from lrlab.cluster.ray_pool import on_ray
from lrlab.config import Experiment, PythonObjects, ray_of
from lrlab.config.trackers import LogLike, own_loggers
from lrlab.core.errors import PYTHON, ConfigError, Problem
from lrlab.core.text import JsonObject, Table
from lrlab.engine.kept import Keep
from lrlab.engine.limits import LIMITS
from lrlab.loggers.protocol import Logger
from lrlab.report import drawing
from lrlab.runs import RunFolder
from lrlab.training.callbacks import Callback, checked, decisions_of
from lrlab.training.group import TrainingGroup
from lrlab.training.interrupting import interruptible
from lrlab.training.logs import log_of
from lrlab.training.own_code import specs
from lrlab.training.progress import USUAL, Control, bar
from lrlab.training.recording import folder_of
from lrlab.training.session import Session, limits_of
from lrlab.training.task import python_objects
from lrlab.types import Answer

Value = TypeVar("Value")


class Job(NamedTuple):
    """An experiment to be done.

    `out`: its run folder (a path, or one that is opened already); None: a new one under `runs/`,
    where `record` asks for one. `progress`: draw a progress bar. `concluded`: the JSON object is
    wanted, also where nothing is recorded (a Python caller asks the value where it wants it).
    `loggers`, `callbacks`: what Python handed over; `decided`: what callbacks decided in the run
    that is to be repeated (`lrlab.training.callbacks.decisions_in`).
    """

    experiment: Experiment
    objects: PythonObjects = PythonObjects()
    out: Path | RunFolder | None = None
    record: bool = True
    progress: bool = False
    control: Control = USUAL
    concluded: bool = True
    loggers: tuple[Logger, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    decided: Table = MappingProxyType({})

    def part(self, experiment: Experiment, objects: PythonObjects, place: Path | None) -> Job:
        """The job of an experiment inside this one, recorded where this one is."""
        control = self.control._replace(part=True)
        record = place is not None
        return Job(experiment, objects, place, record, self.progress, control, loggers=self.loggers)


def call(
    experiment: Experiment,
    out: str | os.PathLike[str] | None,
    progress: bool,
    task: object,
    optimizer: object = None,
    schedule: object = None,
    log: LogLike = (),
    callbacks: object = (),
) -> Job:
    """The job of a call from Python: recorded only where a folder is given."""
    objects, place = python_objects(task, optimizer, schedule), folder_of(out)
    if place is not None:
        drawing.when()  # a wrong word is said before anything is trained
    elif experiment.figures:
        message = "are drawn into a run folder, and there is none; give out, or leave figures away"
        raise ConfigError([Problem(PYTHON, None, "figures", message)])
    return Job(
        experiment,
        objects,
        place,
        place is not None,
        progress,
        concluded=False,
        loggers=own_loggers(log),
        callbacks=checked(callbacks),
    )


class Ran(NamedTuple, Generic[Value]):
    """A job's end: the run folder (None: none written), the JSON object, the value, and whether
    they were read from a folder that held them already."""

    run: str | None
    payload: JsonObject
    value: Value
    read: bool = False


AnyRan: TypeAlias = Ran[Any]
"""The end of a job whose command, and so whose value, is not known here."""


@contextlib.contextmanager
def session(
    job: Job,
    group: TrainingGroup,
    title: str,
    run: runs.Run | None,
    keep: Keep | None = None,
    command: str = "sweep",
) -> Iterator[Session]:
    """The group at work, with its progress bar, and Ctrl-C as a request to stop; `keep`: what is
    kept of its lanes; `command`: how loggers hear of it."""
    log = log_of(job.experiment, job.loggers, group, command, run)
    decisions = decisions_of(job.callbacks, run, job.decided)
    with contextlib.ExitStack() as stack:
        if log is not None:
            stack.callback(log.close)
        listener = stack.enter_context(bar(job.progress, title))
        stop = stack.enter_context(interruptible(job.control.stop))
        workers = (
            None if (on := ray_of(job.experiment)) is None else on_ray(on, own_of(job.experiment))
        )
        yield Session(group, run, listener, stop, [], keep, [], log, decisions, workers)


def finish(work: Session, summary: Table) -> None:
    """Hands the answer to the loggers, and ends the run, where there are such."""
    hand_over = None if work.log is None else work.log.finish
    if work.run is not None:
        stopped = work.decisions is not None and work.decisions.stopped
        work.run.finish(summary, hand_over, stopped)
    elif hand_over is not None:
        hand_over(summary)


def own_of(experiment: Experiment) -> list[tuple[str, str]]:
    """The own code that the experiment names, as (module:function, folder), for workers."""
    named = (spec for _, spec in specs(experiment))
    return [(str(spec.python), str(spec.folder or "")) for spec in named]


def keep_of(experiment: Experiment, group: TrainingGroup, recorded: bool) -> Keep | None:
    """What is kept of the lanes, as was asked; where nobody said, the last weights: those that a
    run folder holds anyway, or, without one or of very many lanes, as far as they are small
    (`PlanLimits`)."""
    metric, kind = group.metric, experiment.keep
    if kind == "none":
        return None
    if kind is not None:
        return Keep(kind, metric, group.directions.get(metric, "min"))
    count = len(group.seeds) * math.prod(len(values) for values in group.axes.values())
    limits = limits_of(count, recorded)
    return Keep("last", metric, most=limits.resident_bytes if recorded else LIMITS.kept_bytes)


def summary_of(answer: Answer) -> JsonObject:
    """An answer as `summary.json` holds it."""
    return {
        "lr": answer.lr,
        "interval": answer.interval,
        "verdict": answer.verdict,
        "sentence": answer.sentence,
        "confidence": answer.confidence,
        "tolerance": answer.tolerance,
        "resolved": answer.resolved,
        "cost": answer.cost,
        "evidence": list(answer.evidence),
        "largest_stable": answer.largest_stable,
        "details": dict(answer.details),
    }


def refuse_unfinished(places: Iterable[Path]) -> None:
    """Looks whether every run inside a finished comparison or study is there and finished.

    Raises:
        RunError: one is not.
    """
    for place in places:
        if not runs.finished(runs.read_info(place)):
            raise runs.RunError(place, "unfinished, though what it belongs to is finished")
