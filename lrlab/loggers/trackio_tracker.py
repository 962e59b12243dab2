"""Trackio: a local SQLite database (or a Space of Hugging Face, by Trackio's own variables)."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.core.text import JsonObject
from lrlab.loggers.protocol import Logger, Place
from lrlab.loggers.series import flat, outcome, scalars

REMOTE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
"""Variables with which Trackio sends what is logged elsewhere, where it cannot be read back."""

ANSWER = "answer/row"
"""What marks the row of an answer."""


def trackio(place: Place, *, project: str = "lrlab", name: str = "", group: str = "") -> Logger:
    """Trackio, in its local database: `trackio show --project lrlab`.

    Args:
        project: Trackio's project.
        name: of the Trackio run, in front of the id; else the run's.
        group: Trackio's group.

    The steps of a search grow from stage to stage (a run's length each).
    """
    return Trackio(f"{name or place.name}-{place.id}", project, group or None)


class Trackio:
    """The logger. A class because it holds Trackio's run, whose thread writes to the database; what
    that had written when a process was killed is read back."""

    verifies = True

    def __init__(self, name: str, project: str, group: str | None) -> None:
        self.name, self.project, self.group = name, project, group
        self.run: Any = None  # the package has no types
        self.config, self.last, self.answered = JsonObject(), 0, 0

    def start(self, config: JsonObject) -> int | None:
        """Opens Trackio's run, and says which step it has."""
        package = importlib.import_module("trackio")
        self.config = config
        remote = any(os.environ.get(name) for name in REMOTE)
        if self.run is None:
            if not remote:
                storage = importlib.import_module("trackio.sqlite_storage").SQLiteStorage
                rows = storage.get_logs(self.project, self.name)
                answers = {int(row["step"]) for row in rows if ANSWER in row}
                self.answered = max(answers, default=0)
                self.last = max(({int(row["step"]) for row in rows} - answers), default=0)
            with contextlib.redirect_stdout(io.StringIO()):  # where to look is in its manual
                self.run = package.init(
                    self.project,
                    self.name,
                    self.group,
                    config=flat(config["experiment"]),
                    resume="allow",
                    embed=False,
                    auto_log_gpu=False,
                    auto_log_cpu=False,
                )
        return None if remote else max(0, self.last - config["first_step"])

    def lanes(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Hands the numbers of a step over."""
        self.last = self.config["first_step"] + step
        self.run.log(dict(scalars(metrics, self.config)), step=self.last)

    def finish(self, summary: JsonObject, files: Sequence[Path]) -> None:
        """Adds the answer as a row of its own, after the last step, and ends the run. Trackio has
        no summary."""
        values = {f"answer/{name}": value for name, value in outcome(summary).items()}
        if self.answered != self.last + 1:
            self.answered = self.last + 1
            self.run.log({**values, ANSWER: 1}, step=self.answered)
        self.close()

    def close(self) -> None:
        """Waits until everything is in the database."""
        if self.run is not None:
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module("trackio").finish()
            self.run = None
