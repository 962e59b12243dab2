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


DECIDING = ("find", "compare", "study")
"""Commands whose answer follows from the metric."""


def metric_of(resolved: Resolved, directions: Mapping[str, Direction]) -> str:
    """The metric that decides. A sweep or range test of a task without the usual one, where nobody
    names another, goes by the first that is evaluated, or by the training loss.

    Raises:
        ConfigError: there is no such metric.
    """
    metric, fields = resolved.experiment.metric, type(resolved.experiment).model_fields
    if metric in directions or metric.startswith("train_"):
        return metric
    # In a file the default may stand as well.
    named = resolved.objects.task is not None and "metric" in resolved.experiment.model_fields_set
    if resolved.command not in DECIDING and metric == fields["metric"].default and not named:
        return next(iter(directions), "train_loss")
    close = did_you_mean(metric, directions, end=".")
    names = ", ".join([*directions, "train_loss"])
    raise resolved.refuse(
        "metric", f"there is no metric {metric!r}{close} This task has: {names}; say metric = ..."
    )
