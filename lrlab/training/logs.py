"""What a run logs to trackers: evaluations, after their commit, each once; and its answer.

How far each tracker is stands in `log/cursor.json` of the run folder, with the id by which trackers
find their run again. Where a tracker can say what it holds, that counts instead.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrlab import loggers, runs
from lrlab.config import Experiment, Resolved
from lrlab.core.errors import RunError
from lrlab.core.files import json_object, read_json
from lrlab.core.records import LaneRecord
from lrlab.core.text import JsonObject, Table
from lrlab.loggers.protocol import Logger, Place
from lrlab.training.group import TrainingGroup
from lrlab.training.manifest import name_of
from lrlab.training.task import refused

FOLDER = "log"
"""What trackers keep in a run folder; nothing of it belongs to the run's record."""

FILES = ("config.toml", "summary.json")
"""Files of a run folder that trackers store with the answer."""


class Stage(NamedTuple):
    """A stage of a run: its number, the grid of its lanes, the place of each lane in it; its flat
    record, and up to which update all of its lanes are in that."""

    number: int
    axes: Mapping[str, np.ndarray]
    cells: np.ndarray
    record: LaneRecord | None = None
    step: int = 0

    def row(self, step: int) -> dict[str, np.ndarray]:
        """What the evaluation after `step` updates measured, on the grid; empty where no lane came
        there."""
        record, shape = self.record, tuple(len(values) for values in self.axes.values())
        assert record is not None
        place, result = int(np.searchsorted(record.eval_steps, step)), {}
        for name, one in record.metrics.items():
            values = np.asarray(one.values[step - 1 if one.axis == "step" else place])
            wide = np.full(int(np.prod(shape)), np.nan, values.dtype)
            wide[self.cells] = values
            result[name] = wide.reshape(shape)
        return result if any(np.isfinite(values).any() for values in result.values()) else {}


class Follower:
    """A logger, how far it is, and what went wrong with it. A class because these change."""

    def __init__(self, name: str, logger: Logger, stage: int = 0, step: int = 0) -> None:
        self.name, self.logger = name, logger
        self.stage, self.step = stage, step  # up to there all is logged
        self.begun: int | None = None
        self.error = ""

    def done(self, stage: int) -> float:
        """Up to which update of a stage all is logged."""
        if self.stage != stage:
            return np.inf if self.stage > stage else 0
        return self.step


class Log:
    """The loggers of a run.

    A class because it holds how far each of them is. A logger that raises is left alone until the
    run's end, where it gets what it lacks in a second attempt: a tracker that is out of reach for a
    moment loses nothing, and none costs the training.
    """

    def __init__(
        self, named: Mapping[str, Logger], shared: Table, group: TrainingGroup, run: runs.Run | None
    ) -> None:
        """`shared`: what `start` is told besides the stage's own."""
        self.shared, self.group, self.run = shared, group, run
        places = dict(cursor_in(run).get("logged") or {})
        self.followers = [
            Follower(name, logger, *places.get(name, (0, 0))) for name, logger in named.items()
        ]
        self.stages: dict[int, Stage] = {}

    def begin(self, number: int, axes: Mapping[str, np.ndarray], cells: np.ndarray) -> None:
        """A stage begins. Its lanes are at `cells` int[N] of the grid of `axes`."""
        stage = self.stages[number] = Stage(number, dict(axes), np.asarray(cells))
        self._each(lambda one: self._follow(one, stage))

    def visit(self, number: int, record: LaneRecord, step: int) -> None:
        """Logs what a stage's flat record holds up to `step`, as far as it is not logged yet."""
        stage = self.stages[number] = self.stages[number]._replace(record=record, step=step)
        self._each(lambda one: self._follow(one, stage))

    def finish(self, summary: Table) -> None:
        """Hands the answer over, and says which loggers do not have all of the run."""
        files: list[Path] = []
        if self.run is not None:
            files = [self.run.path / name for name in FILES if (self.run.path / name).is_file()]
        content = json_object(summary)

        def last(one: Follower) -> None:
            for stage in self.stages.values():
                self._follow(one, stage)
            if one.begun is None:  # all was logged before, but for this
                self._start(one, max(self.stages.values(), key=lambda stage: stage.number))
            one.logger.finish(content, files)

        for one in self.followers:
            one.error = ""  # perhaps it was for a moment
        self._each(last, "does not have all of this run")
        failed = {one.name: one.error for one in self.followers if one.error}
        if self.run is not None and failed != self.run.info.get("log_failed", {}):
            self.run.update(log_failed=failed)

    def close(self) -> None:
        """Lets go of loggers whose run has no end yet, where they have something to let go of."""
        for one in self.followers:
            close = getattr(one.logger, "close", None)
            if close is not None:
                try:
                    close()
                except Exception as error:
                    one.error = one.error or described(error)

    def _each(
        self,
        act: Callable[[Follower], None],
        what: str = "failed, and training continues without it",
    ) -> None:
        """`act` on every logger that works; one that raises is named, once."""
        for one in self.followers:
            if one.error:
                continue
            try:
                act(one)
            except Exception as error:
                one.error, one.begun = described(error), None
                print(f"log: {one.name} {what}: {one.error}", file=sys.stderr, flush=True)
                close = getattr(one.logger, "close", None)
                if close is not None:
                    try:
                        close()
                    except Exception as second:
                        one.error = f"{one.error}; {described(second)}"

    def _follow(self, one: Follower, stage: Stage) -> None:
        """Begins the stage with a logger that has not all of it, and logs what is there."""
        end = self.group.eval_steps[-1]
        verifies = bool(getattr(one.logger, "verifies", False))
        if one.begun != stage.number and (verifies or one.done(stage.number) < end):
            self._start(one, stage)
        for step in self.group.eval_steps:
            if one.done(stage.number) < step <= stage.step:
                if row := stage.row(step):
                    one.logger.lanes(step, row)
                one.stage, one.step = stage.number, step
                self._keep()

    def _start(self, one: Follower, stage: Stage) -> None:
        content = {
            **self.shared,
            "stage": stage.number,
            "first_step": stage.number * self.group.problem.steps,
            "steps": self.group.problem.steps,
            "lanes": {name: values.tolist() for name, values in stage.axes.items()},
            "directions": {"train_loss": "min", **self.group.directions},
            "metric": self.group.metric,
        }
        held = one.logger.start(json_object(content))
        one.begun = stage.number
        if held is None:
            return
        if isinstance(held, bool) or not isinstance(held, int):
            raise TypeError(f"start must return None or the last step that is logged, not {held!r}")
        one.stage, one.step = stage.number, held

    def _keep(self) -> None:
        if self.run is not None:
            logged = {one.name: (one.stage, one.step) for one in self.followers}
            write_cursor(self.run, {**cursor_in(self.run), "logged": logged})


def described(error: BaseException) -> str:
    r"""An error in a line.

    >>> described(OSError("no route\nto host"))
    'OSError: no route'
    """
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first[:200]}".rstrip(": ")


def cursor_in(run: runs.Run | None) -> JsonObject:
    """How far the loggers of a run are; empty where none is or the file is damaged: what a tracker
    holds it says itself, and losing a place in a log is no reason to lose a run."""
    place = None if run is None else run.path / FOLDER / "cursor.json"
    if place is None or not place.exists():
        return {}
    try:
        return read_json(place)
    except RunError:
        return {}


def write_cursor(run: runs.Run, content: Table) -> None:
    """Writes it in one instant. Unlike the run's record it is not synced to the disk at every step:
    it outlives the process, if not a loss of power."""
    place = run.path / FOLDER / "cursor.json"
    place.parent.mkdir(exist_ok=True)
    part = place.with_name(f".{place.name}.{os.getpid()}")
    part.write_text(json.dumps(json_object(content)), encoding="utf-8")
    os.replace(part, place)


def refuse_missing(resolved: Resolved) -> None:
    """Looks whether the packages of the trackers are there, before anything is trained.

    Raises:
        ConfigError: one is not; says what to install.
    """
    with refused(resolved):
        for name in resolved.experiment.log:
            loggers.refuse_missing(name)


def log_of(
    experiment: Experiment,
    objects: Sequence[Logger],
    group: TrainingGroup,
    command: str,
    run: runs.Run | None,
) -> Log | None:
    """The loggers of a run; None where it has none.

    A run that is continued without the script that made it has no loggers of the script's.
    """
    alike = Counter(type(one) for one in objects)
    own = {
        f"{type(one).__name__}{f'-{place}' if alike[type(one)] > 1 else ''}": one
        for place, one in enumerate(objects)
    }
    before = cursor_in(run)
    for name in sorted({*before.get("own", ())} - {*own}):
        words = "is a logger of the script that made this run, and gets nothing without it"
        print(f"log: {name} {words}", file=sys.stderr)
    if not experiment.log and not own:
        return None
    shared = {
        "name": name_of(experiment),
        "command": command,
        "run": None if run is None else str(run.path),
        "experiment": experiment.model_dump(exclude_none=True, exclude={"log"}),
    }
    number = str(before.get("id") or secrets.token_hex(6))
    if run is not None:  # before a tracker hears of it: a killed process leaves no run without one
        names = sorted({*before.get("own", ()), *own})
        write_cursor(run, {**before, "id": number, "own": names})
    place = Place(None if run is None else run.path / FOLDER, number, str(shared["name"]))
    named = {name: loggers.make(name, options, place) for name, options in experiment.log.items()}
    return Log({**named, **own}, shared, group, run)
