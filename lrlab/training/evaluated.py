"""The metrics that a group's evaluation gives, and which of them decides."""

from __future__ import annotations

from collections.abc import Mapping

from lrlab.config import Resolved
from lrlab.core.errors import FieldError
from lrlab.core.records import Direction
from lrlab.core.synonyms import did_you_mean
from lrlab.tasks import Task
from lrlab.training.task_trace import Traced
from lrlab.types import Problem


def directions_of(problem: Problem, task: Task, shown: Traced) -> dict[str, Direction]:
    """What is better of every metric that is evaluated.

    Raises:
        FieldError: a direction for a metric that there is not.
    """
    if shown.evaluated is None:
        every = {split: tuple(task.metrics) for split in problem.splits}
    else:
        every = shown.evaluated
        known = {"loss", *shown.trained, *(name for names in every.values() for name in names)}
        for name in task.metrics:
            if name not in known:
                raise FieldError(
                    "task",
                    f"metrics says what is better of {name!r}, which nothing gives"
                    f"{did_you_mean(name, known, end='.')} There are: {', '.join(sorted(known))}",
                )
    return {
        f"{split}_{name}": task.metrics.get(name, "min")
        for split, names in every.items()
        for name in names
    }


def check_metric(resolved: Resolved, directions: Mapping[str, Direction]) -> None:
    """What decides is measured: by evaluation, or (`train_...`) by training."""
    metric = resolved.experiment.metric
    if metric in directions or metric.startswith("train_"):
        return
    if "metric" not in resolved.experiment.model_fields_set and resolved.command == "sweep":
        return  # nothing is decided by it
    close = did_you_mean(metric, directions, end=".")
    names = ", ".join([*directions, "train_loss"])
    raise resolved.refuse(
        "metric", f"there is no metric {metric!r}{close} This task has: {names}; say metric = ..."
    )
