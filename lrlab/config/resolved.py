"""What an experiment comes to: axes, seeds, steps, text, digest."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from lrlab.config import names, toml
from lrlab.config.lanes import is_axis, is_form, parse_budget, values
from lrlab.config.multipliers import axis_name
from lrlab.config.schema import Experiment

_NOT_IDENTITY = ("name", "out", "plan")
"""Fields that change where or how a run is made, never a recorded number."""
_NOT_EXTERNAL = ("external", False)


def rates(experiment: Experiment) -> dict[str, tuple[float, ...]]:
    """The learning rates by axis: `{"lr": ...}`, or `{"lr_<group>": ...}` per group."""
    lr: Any = experiment.lr
    if lr is None:
        return {}
    if isinstance(lr, Mapping) and not is_form(lr):
        return {f"lr_{group}": values(form) for group, form in lr.items()}
    return {"lr": values(lr)}


def lane_axes(experiment: Experiment) -> dict[str, tuple[float, ...]]:
    """The further lane axes in the order given: multipliers, loose ones, the optimizer's, the
    schedule's.

    A single number is no axis: it is in `multipliers`, `fixed`, `optimizer_args` or
    `schedule_args`.
    """
    several = {key: form for key, form in experiment.multipliers.items() if is_axis(form)}
    found = {axis_name(pattern): values(form) for pattern, form in several.items()}
    found |= {name: values(form) for name, form in experiment.axes.items() if is_axis(form)}
    for kind in ("optimizer", "schedule"):
        found |= {
            key: values(v)
            for key, v in _options(experiment, kind).items()
            if _sweeps(experiment, kind, key, v)
        }
    several = experiment.schedule.name
    if isinstance(several, list):
        found["schedule"] = tuple(map(float, range(len(several))))
    return found


def axis_labels(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """Lane axes whose values are names -> what each value is called, in the order of the axis."""
    several = experiment.schedule.name
    if not isinstance(several, list):
        return {}
    from lrlab.schedules import labels

    return {"schedule": labels(several)}


def multipliers(experiment: Experiment) -> dict[str, float | str]:
    """Pattern of parameter paths -> multiplier of the learning rate, or the name of its axis."""
    given = experiment.multipliers.items()
    return {key: axis_name(key) if is_axis(form) else form for key, form in given}


def fixed(experiment: Experiment) -> dict[str, float]:
    """Loose hyper-parameters that are single numbers (`weight_decay = 0.01` at the top level)."""
    return {name: form for name, form in experiment.axes.items() if not is_axis(form)}


def optimizer_args(experiment: Experiment) -> dict[str, Any]:
    """The optimizer's options that are not lane axes."""
    return _args(experiment, "optimizer")


def schedule_args(experiment: Experiment) -> dict[str, Any]:
    """The schedule's options that are not lane axes."""
    return _args(experiment, "schedule")


def schedule_entries(experiment: Experiment) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(what all schedules share, each with its name and own arguments): the listed ones, or every
    combination of the schedule's lane axes."""
    shared, name = schedule_args(experiment), experiment.schedule.name
    if isinstance(name, list):
        return shared, [{"name": one} if isinstance(one, str) else dict(one) for one in name]
    known = names.parameters("schedules", name) or {}
    loose = {key: v for key, v in fixed(experiment).items() if key in known}
    swept = {key: v for key, v in lane_axes(experiment).items() if key in known}
    combinations = itertools.product(*swept.values())
    entries = [{"name": name, **dict(zip(swept, cell, strict=True))} for cell in combinations]
    return {**loose, **shared}, entries


def _args(experiment: Experiment, kind: str) -> dict[str, Any]:
    options = _options(experiment, kind).items()
    return {key: v for key, v in options if not _sweeps(experiment, kind, key, v)}


def _options(experiment: Experiment, kind: str) -> dict[str, Any]:
    return dict(getattr(experiment, kind).model_extra or {})


def _sweeps(experiment: Experiment, kind: str, key: str, value: Any) -> bool:
    if not is_axis(value) or isinstance(getattr(experiment, kind).name, list):
        return False
    known = names.parameters(f"{kind}s", getattr(experiment, kind).name) or {}
    return not (key in known and known[key].sequence)


def seed_list(experiment: Experiment) -> list[int]:
    """The lanes' seeds: those listed, or as many as asked for, counted from the root seed."""
    given = experiment.seeds
    return list(given) if isinstance(given, list) else [experiment.seed + i for i in range(given)]


def total_steps(experiment: Experiment, num_examples: int) -> int:
    """The number of updates: `steps`, or `epochs` times the whole batches in an epoch."""
    if experiment.epochs is None:
        assert experiment.steps is not None
        return experiment.steps
    size = experiment.batch_size
    per_epoch = 1 if isinstance(size, str) or num_examples == 0 else num_examples // size
    made = min(experiment.epochs * max(1, per_epoch), 2.0**63)  # beyond, no counter goes anyway
    return max(1, round(made))


def probes(experiment: Experiment) -> list[str | dict[str, Any]]:
    """The probes as a file has them: a name, or a table where there is more to say."""
    entries = (entry.model_dump(exclude_none=True) for entry in experiment.probes)
    return [entry["name"] if len(entry) == 1 else entry for entry in entries]


def budget(experiment: Experiment) -> tuple[float | None, float | None]:
    """(full-length runs, seconds): at most one is given."""
    given = experiment.budget
    return (None, None) if given is None else parse_budget(given)


def defaults() -> dict[str, Any]:
    """Every default of the schema, nested like a file.

    >>> defaults()["steps"], defaults()["optimizer"]["name"], defaults()["range_test"]["num_steps"]
    (2000, 'adam', 100)
    """
    blank = Experiment.model_validate({"task": {}}).model_dump()
    blank.pop("task")
    return blank


def table(experiment: Experiment) -> dict[str, Any]:
    """The experiment as a plain nested table, defaults included."""
    return experiment.model_dump()


def dumps(experiment: Experiment) -> str:
    """The experiment as TOML text, complete; `load` gives it back.

    Fields that are None are absent, as None is their default; so are empty tables.
    """
    content = {}
    for key, value in table(experiment).items():
        if isinstance(value, Mapping):
            unset = [name for name, v in value.items() if v is None or (name, v) == _NOT_EXTERNAL]
            value = {name: v for name, v in value.items() if name not in unset}
        if value != {}:
            content[key] = value
    content["probes"] = probes(experiment)
    return toml.dumps(content)


def digest(experiment: Experiment) -> str:
    """SHA-256 (hex) of what decides the recorded numbers: the same for the same experiment.

    The tile width counts (another width rounds differently); devices, segments, memory, name and
    folder do not. A grid and the same numbers written out are the same experiment.
    """
    content = table(experiment)
    width = content["plan"]["tile_width"]
    content = {key: value for key, value in content.items() if key not in _NOT_IDENTITY}
    content["multipliers"] = multipliers(experiment)
    for later in ("parametrization", "multipliers"):  # runs from before them keep their digest
        if not content[later]:
            del content[later]
    content |= {"tile_width": width, "lr": rates(experiment), "axes": lane_axes(experiment)}
    content["fixed"] = fixed(experiment)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
