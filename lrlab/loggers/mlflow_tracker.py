"""MLflow: a run in a local database or on a tracking server."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.text import JsonObject
from lrlab.loggers.protocol import Logger, Place
from lrlab.loggers.series import flat, outcome, scalars

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

TAG = "lrlab.id"
"""The tag by which a continued run finds its MLflow run."""

BATCH = 1000
"""Numbers in a request, at most: MLflow's limit for metrics (`MAX_METRICS_PER_BATCH`)."""

PARAMS = 100
"""Parameters in a request, at most: MLflow's limit."""

LENGTH = 500
"""Characters of a parameter's value: the limit of MLflow before 2.10, which servers may be."""


def mlflow(place: Place, *, experiment: str = "lrlab", uri: str = "", name: str = "") -> Logger:
    """MLflow, in a local database or on a server.

    Args:
        experiment: MLflow's experiment, made where there is none.
        uri: the tracking server or store, such as "sqlite:///mlflow.db"; else MLflow's own
            (`MLFLOW_TRACKING_URI`).
        name: of the MLflow run; else the run's.

    The steps of a search grow from stage to stage (a run's length each).
    """
    return Mlflow(place._replace(name=name or place.name), experiment, uri or None)


class Mlflow:
    """The logger. A class because it holds the client, and which numbers the server has.

    The run is found by a tag, so that a process that was killed right after making one leaves none
    behind; and what it has is asked for, key by key, where it was there already.
    """

    verifies = True

    def __init__(self, place: Place, experiment: str, uri: str | None) -> None:
        self.place, self.experiment, self.uri = place, experiment, uri
        self.client: MlflowClient | None = None
        self.run, self.config = "", JsonObject()
        self.held: set[tuple[str, int]] = set()

    def start(self, config: JsonObject) -> int:
        """Finds the MLflow run and what it has, or makes it."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        self.config = config
        if self.client is not None:
            return 0
        client = MlflowClient(tracking_uri=self.uri)
        there = client.get_experiment_by_name(self.experiment)
        owner = client.create_experiment(self.experiment) if there is None else there.experiment_id
        found = client.search_runs([owner], f"tags.`{TAG}` = '{self.place.id}'")
        if found:
            self.run = found[0].info.run_id
            client.update_run(self.run, status="RUNNING")
            self.held = {
                (name, one.step)
                for name in found[0].data.metrics
                for one in client.get_metric_history(self.run, name)
            }
        else:
            tags = {TAG: self.place.id, "lrlab.run": str(config["run"] or "")}
            self.run = client.create_run(owner, tags=tags, run_name=self.place.name).info.run_id
        values = flat(config["experiment"]).items()
        params = [Param(name, str(value)[:LENGTH]) for name, value in values]
        for first in range(0, len(params), PARAMS):
            client.log_batch(self.run, params=params[first : first + PARAMS])
        self.client = client
        return 0  # which numbers of a step are there is known one by one

    def lanes(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Sends the numbers of a step that are not there yet."""
        from mlflow.entities import Metric

        assert self.client is not None
        at, now = self.config["first_step"] + step, int(time.time() * 1000)
        values = scalars(metrics, self.config).items()
        new = [Metric(name, v, now, at) for name, v in values if (name, at) not in self.held]
        for first in range(0, len(new), BATCH):
            self.client.log_batch(self.run, metrics=new[first : first + BATCH])
        self.held |= {(one.key, at) for one in new}

    def finish(self, summary: JsonObject, files: Sequence[Path]) -> None:
        """Sets the answer as tags, stores the files, and ends the MLflow run."""
        assert self.client is not None
        for name, value in outcome(summary).items():
            self.client.set_tag(self.run, f"answer.{name}", str(value))
        for file in files:
            self.client.log_artifact(self.run, str(file))
        self.client.set_terminated(self.run)
        self.client = None

    def close(self) -> None:
        """Leaves the MLflow run as one that was killed; a resumed run continues it."""
        if self.client is not None:
            self.client.set_terminated(self.run, status="KILLED")
            self.client = None
