"""Where an error from below the configuration belongs: its field, and the line of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from lrlab.config.build import problem
from lrlab.config.schema import Experiment
from lrlab.config.toml import Path
from lrlab.core.errors import PYTHON, FieldError, Problem

PARTS = (("task", "model"), ("task", "data"))
"""Tables that an experiment need not have: a task with a name has none."""

WITH_AXES = (("optimizer",), ("schedule",))
"""Tables whose options may also be written at the top, as lane axes."""


def problem_of(experiment: Experiment, error: FieldError) -> Problem:
    """An error as a problem of the experiment, with the place where its field was written."""
    place = place_of(experiment, error.paths)
    if place[0] == "axes" and experiment._file == PYTHON:
        place = place[1:]  # a lane axis is an argument of its own
    return problem(experiment, place, str(error))


def place_of(experiment: Experiment, paths: tuple[Path, ...]) -> Path:
    """The first of `paths` that the experiment sets, wherever it does; else the first one, without
    the table that the experiment does not have.

    >>> one = Experiment.model_validate({"task": {"name": "wine-mlp", "depth": 0}})
    >>> place_of(one, (("task", "model", "width"), ("task", "model", "depth")))
    ('task', 'depth')
    >>> place_of(one, (("task", "data", "path"),)), place_of(one, (("schedule", "kind"),))
    (('task',), ('schedule', 'kind'))
    """
    every = (place for path in paths for place in (path, *_elsewhere(path)))
    if (value := next((place for place in every if _is_set(experiment, place)), None)) is not None:
        return value
    first = paths[0]
    named = not experiment.task.external  # one made in Python has its parts, whatever is written
    if first[:2] in PARTS and named and getattr(experiment.task, first[1]) is None:
        return first[:1]
    return first or ("task",)


def _elsewhere(path: Path) -> Iterator[Path]:
    """Other places for the same option."""
    if path[:2] in PARTS and len(path) == 3 and path[2] != "name":
        yield path[0], path[2]
    if path[:1] in WITH_AXES and len(path) == 2:
        yield "axes", path[1]


def _is_set(value: object, path: Path) -> bool:
    for key in path:
        if isinstance(value, BaseModel):
            if key not in value.model_fields_set and key not in (value.model_extra or {}):
                return False
            value = getattr(value, key)
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return False
    return bool(path) and value is not None
