"""Whether the options of an experiment suit its task."""

from __future__ import annotations

from lrlab.config import Resolved, of_own_step
from lrlab.core.errors import FieldError
from lrlab.core.precisions import PRECISIONS, Precision
from lrlab.tasks import Task
from lrlab.types import TaskFunctions


def precision_of(resolved: Resolved, task: Task) -> Precision:
    """The dtypes of the run.

    Raises:
        FieldError: a shorter dtype for functions that nothing can be cast for.
    """
    name = resolved.experiment.precision
    if PRECISIONS[name].compute is not None and task.functions.step is not None:
        raise FieldError(
            "precision",
            f'precision = "{name}" is not for a task with a step of its own (Task.step), whose '
            "state and arithmetic have the dtypes that you give them there",
        )
    if PRECISIONS[name].compute is not None and task.functions.bind is None:
        raise FieldError(
            "precision",
            f'precision = "{name}" is what a model computes in, and this task is a function to '
            "minimize, computed as it is written; give it as Task.custom, or cast in the function",
        )
    return PRECISIONS[name]


def text_of(resolved: Resolved, task: TaskFunctions | None) -> str:
    """The configuration as TOML, as a run folder has it; `task` None: nobody knows it yet."""
    return resolved.text if task is None or task.step is None else of_own_step(resolved).text


def refuse_on_step(resolved: Resolved) -> None:
    """Raises FieldError for what is a step's own business."""
    experiment = resolved.experiment
    given = experiment.model_fields_set
    for field in ("optimizer", "optimizer_args", "multipliers", "groups", "parametrization"):
        if field in given and getattr(experiment, field, None):
            raise FieldError(
                field,
                f"{field} is not for a task with a step of its own (Task.step), which updates its "
                "state itself; read what you need from hyper there",
            )
