"""The task that a resolved experiment trains, and whatever refuses it as a problem with a place."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from pydantic import BaseModel

from lrlab import config, optimizers, scaling, tasks
from lrlab.config import ConfigError, PythonObjects, Resolved
from lrlab.config.own_code import KEYS
from lrlab.core.errors import FieldError, within
from lrlab.core.jax_settings import usual
from lrlab.core.text import JsonObject, Table
from lrlab.tasks import Task
from lrlab.tasks.loading import Wrap
from lrlab.training import own_code
from lrlab.types import Model, Optimizer, PyTree

TaskLike: TypeAlias = str | Table | Task
"""The name of a registered task, a table, or a `Task`."""


def python_objects(
    task: object = None, optimizer: Any = None, schedule: object = None
) -> PythonObjects:
    """The arguments that are objects; names stay with the experiment."""
    return PythonObjects(
        task if isinstance(task, Task) else None,
        optimizer if not isinstance(optimizer, str) and _is_object(optimizer) else None,
        schedule if callable(schedule) else None,
    )


def _is_object(optimizer: object) -> bool:
    """A function, a `types.Optimizer`, or a finished transformation."""
    return callable(optimizer) or any(hasattr(optimizer, name) for name in ("make", "update"))


@contextlib.contextmanager
def refused(resolved: Resolved, *further: type[Exception]) -> Iterator[None]:
    """What is refused below becomes a problem of the experiment: at the field that the error is
    about, or at the task, where nobody knows one.

    Args:
        further: classes that are refusals too, beside ValueError.

    Raises:
        ConfigError: that problem.
    """
    try:
        yield
    except ConfigError:
        raise
    except FieldError as error:
        raise ConfigError([config.problem_of(resolved.experiment, error)]) from error
    except (ValueError, *further) as error:
        raise resolved.refuse("task", str(error)) from error


@usual()
def task_of(resolved: Resolved, wrap: Wrap | None = None) -> Task:
    """The task, loaded; `wrap` as in `lrlab.tasks.build`.

    Raises:
        ConfigError: no such data, model or option, or data that make no sense, with its place.
    """
    _complete(resolved)
    if resolved.objects.task is not None:
        return resolved.objects.task
    spec = resolved.experiment.task
    if spec.python is not None:
        with refused(resolved):
            return own_code.task(spec)
    options = dict(spec.model_extra or {})
    parts = {
        "model": None if spec.model is None else _options(spec.model),
        "data": None if spec.data is None else _options(spec.data),
        "loss": spec.loss,
        "metrics": None if spec.metrics is None else tuple(spec.metrics),
        "params": spec.params,
        "trainable": None if spec.trainable is None else tuple(spec.trainable),
        "wrap": wrap,
    }
    options |= {key: value for key, value in parts.items() if value is not None}
    with refused(resolved, TypeError):
        if spec.model is not None and spec.model.python is not None:
            options["model"] = own_code.model(spec.model)
        return tasks.build(**options) if spec.name is None else tasks.load(spec.name, **options)


def _complete(resolved: Resolved) -> None:
    """Every object that the experiment was made with is here: a file holds its name only.

    Raises:
        ConfigError: names those that are not.
    """
    experiment = resolved.experiment
    missing = [
        config.problem(
            experiment,
            kind,
            f"{getattr(experiment, kind).name!r} was made in Python, so that it is not in the "
            "folder; call lrlab from the script that made it again, with out = this folder",
        )
        for kind, value in resolved.objects._asdict().items()
        if getattr(experiment, kind).external and value is None
    ]
    if missing:
        raise ConfigError(missing)


def _options(spec: BaseModel) -> JsonObject:
    """The options of a table that were written, or are not fields of the schema."""
    fields = {name: value for name, value in spec.model_dump().items() if value is not None}
    written = {
        name: value
        for name, value in fields.items()
        if name in spec.model_fields_set and name not in KEYS
    }
    return written | dict(spec.model_extra or {})


def parametrized(resolved: Resolved) -> tuple[Task, Optimizer | None]:
    """The task and, in muP, the optimizer that goes with it (else None).

    Raises:
        ConfigError: muP for what has no registered model, or an optimizer without a rule.
    """
    experiment, objects = resolved.experiment, resolved.objects
    spec, place = experiment.parametrization, "parametrization"
    if spec is None or spec.name == "standard":
        return task_of(resolved), None
    own = [table for table, _ in own_code.specs(experiment) if table != "schedule"]
    if objects.task is not None or objects.optimizer is not None or own:
        message = "a task or optimizer made in Python is put into muP by lrlab.scaling.mup"
        raise resolved.refuse(place, message)
    name = experiment.optimizer.name
    mup: list[scaling.Mup] = []

    def wrap(make: Callable[..., object], model: JsonObject, inputs: PyTree) -> Model:
        with within(place):
            mup.append(scaling.named(make, model, spec.base, inputs, name))
        return mup[0].model

    try:
        scaling.family_of(name)
    except ValueError as error:
        raise resolved.refuse("optimizer.name", str(error)) from error
    task = task_of(resolved, wrap)
    if not mup:
        message = f"muP is for tasks with a model; {task.name!r} is an objective"
        raise resolved.refuse(place, message)
    own = optimizers.hyperparameters(name)
    loose = {key: value for key, value in resolved.fixed.items() if key in own}
    options = {**resolved.optimizer_args, **loose}
    if resolved.multipliers:
        options["multipliers"] = resolved.multipliers
    with refused(resolved):
        return task, mup[0].optimizer(name, **options)
