"""One resolution: what an experiment comes to, computed once; nothing after it asks the config."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.config import names, own_code, toml
from lrlab.config.build import problem
from lrlab.config.lanes import NO_GOAL, is_axis, is_form, parse_budget, values
from lrlab.config.multipliers import axis_name
from lrlab.config.schema import Experiment
from lrlab.core.axes import RATE_PREFIX, Axis, rate_axis
from lrlab.core.errors import ConfigError
from lrlab.core.scale import GAIN
from lrlab.core.score import LAST
from lrlab.core.text import OWN_STEP, JsonObject
from lrlab.core.tolerance import CONFIDENCE, TOLERANCE
from lrlab.schedules import labels
from lrlab.types import Plan

if TYPE_CHECKING:
    from lrlab.optimizers.custom import UserOptimizer
    from lrlab.tasks import Task
    from lrlab.types import Optimizer

_NOT_IDENTITY = ("name", "out", "figures", "plan", "log", "on")
"""Fields that change where or how a run is made, never a recorded number."""
_READING = ("sweep", "range-test")
"""Commands whose lanes are the same whatever score is read from them."""
_USUAL = (("score", LAST), ("scale", GAIN), ("tolerance", TOLERANCE), ("confidence", CONFIDENCE))
"""Fields that files from before them lack, and what they are there."""
_UNSAID = (("external", False), ("model_devices", 1))
"""Fields of tables that are not written out where they are as usual."""

FIRST_RATES = 16
"""Learning rates that a search tries first, over its whole range: 2 to 3 per decade of the default
range of 7 decades."""


class PythonObjects(NamedTuple):
    """What only Python can hand over: objects that a file cannot name. None: as in the file."""

    task: Task | None = None
    optimizer: UserOptimizer | Optimizer | None = None
    schedule: Callable[..., object] | None = None


class Budget(NamedTuple):
    """What a search may cost: full-length runs, or seconds; None: no limit of that kind."""

    runs: float | None = None
    seconds: float | None = None


class Resolved(NamedTuple):
    """An experiment with every question answered that needs no data.

    `experiment`: the checked fields as they were written (plain values such as `metric`, and where
    problems are reported). `axes`: learning rates first, then further lane axes in the order given.
    `fixed`: loose hyper-parameters that are single numbers. `multipliers`: pattern of parameter
    paths -> a number, or the name of its axis. `steps` is None where `epochs` says how long.
    `text`: the whole configuration as TOML; `digest`: SHA-256 of what decides the recorded numbers.
    Workflows that train something else than is written (a range test's ramp, a lane alone) replace
    fields here, so that whoever builds the group has one place to look.
    """

    command: str
    experiment: Experiment
    objects: PythonObjects
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    optimizer_args: JsonObject
    schedule_args: JsonObject
    fixed: dict[str, float]
    multipliers: dict[str, float | str]
    probes: tuple[str | JsonObject, ...]
    steps: int | None
    epochs: float | None
    batch_size: int | str
    eval_every: int | None
    eval_steps: list[int] | None
    plan: Plan
    budget: Budget
    text: str
    digest: str

    def refuse(self, field: str | Sequence[str], message: str) -> ConfigError:
        """The error about a field, with the place where that was written."""
        place = field if isinstance(field, str) else tuple(field)
        return ConfigError([problem(self.experiment, place, message)])


def resolve(
    experiment: Experiment, objects: PythonObjects | None = None, command: str = "sweep"
) -> Resolved:
    """Everything that follows from an experiment alone, once.

    A search without `lr` of its own begins with `FIRST_RATES` over `lr_range`.

    >>> from lrlab.config import from_arguments
    >>> one = resolve(from_arguments("sweep", task="wine-mlp", lr=[0.1, 1.0], weight_decay=[0, 1.0],
    ...                              optimizer="adamw", seeds=2))
    >>> [(axis.name, axis.kind, axis.values) for axis in one.axes], one.seeds
    ([('lr', 'learning_rate', (0.1, 1.0)), ('weight_decay', 'hyper', (0.0, 1.0))], (0, 1))
    """
    further = _further_axes(experiment)
    rates = _rate_axes(experiment)
    if command in ("find", "compare") or (command == "study" and not rates):
        rates = _searched_rates(experiment)
    plan = experiment.plan
    return Resolved(
        command=command,
        experiment=experiment,
        objects=PythonObjects() if objects is None else objects,
        axes=(*rates, *further),
        seeds=tuple(seeds_of(experiment.seeds, experiment.seed)),
        optimizer_args=_arguments(experiment, "optimizer"),
        schedule_args=_arguments(experiment, "schedule"),
        fixed=_fixed(experiment),
        multipliers=_multipliers(experiment),
        probes=tuple(_probes(experiment)),
        steps=experiment.steps if experiment.epochs is None else None,
        epochs=experiment.epochs,
        batch_size=experiment.batch_size,
        eval_every=experiment.eval_every,
        eval_steps=experiment.eval_steps,
        plan=Plan(
            plan.tile_width,
            plan.devices,
            plan.segment_steps,
            plan.memory_bytes,
            rewrite=plan.rewrite,
            model_devices=plan.model_devices,
        ),
        budget=_budget(experiment),
        text=dumps(experiment),
        digest=digest(experiment, command),
    )


def total_steps(
    steps: int | None, epochs: float | None, batch_size: int | str, num_examples: int
) -> int:
    """The number of updates: `steps`, or `epochs` times the whole batches in an epoch.

    >>> total_steps(None, 2, 10, 35), total_steps(100, None, 10, 35)
    (6, 100)
    """
    if epochs is None:
        assert steps is not None
        return steps
    per_epoch = (
        1 if isinstance(batch_size, str) or num_examples == 0 else num_examples // batch_size
    )
    count = min(epochs * max(1, per_epoch), 2.0**63)  # beyond that no counter reaches anyway
    return max(1, round(count))


def seeds_of(seeds: int | list[int], root: int) -> list[int]:
    """The lanes' seeds: those listed, or as many as asked for, counted from the root seed.

    >>> seeds_of(3, 10), seeds_of([7, 5], 10)
    ([10, 11, 12], [7, 5])
    """
    return list(seeds) if isinstance(seeds, list) else [root + i for i in range(seeds)]


def schedule_entries(resolved: Resolved) -> tuple[JsonObject, list[JsonObject]]:
    """(what all schedules share, each with its name and own arguments): the listed ones, or every
    combination of the schedule's lane axes."""
    shared, name = resolved.schedule_args, resolved.experiment.schedule.name
    if isinstance(name, list):
        return shared, [{"name": one} if isinstance(one, str) else dict(one) for one in name]
    accepted = names.parameters("schedules", name) or {}
    loose = {key: v for key, v in resolved.fixed.items() if key in accepted}
    swept = {axis.name: axis.values for axis in resolved.axes if axis.name in accepted}
    combinations = itertools.product(*swept.values())
    entries = [{"name": name, **dict(zip(swept, cell, strict=True))} for cell in combinations]
    return {**loose, **shared}, entries


def defaults() -> JsonObject:
    """Every default of the schema, nested like a file.

    >>> defaults()["steps"], defaults()["optimizer"]["name"], defaults()["range_test"]["num_steps"]
    (2000, 'adam', 100)
    """
    blank = Experiment.model_validate({"task": {}}).model_dump()
    blank.pop("task")
    return blank


def _rate_axes(experiment: Experiment) -> tuple[Axis, ...]:
    """The learning rates: one axis `lr`, or one per parameter group (`lr_<group>` in arrays)."""
    lr = experiment.lr
    if lr is None:
        return ()
    if _several(experiment):
        return tuple(rate_axis(values(form), f"{RATE_PREFIX}{group}") for group, form in lr.items())
    return (rate_axis(values(lr)),)


def _several(experiment: Experiment) -> bool:
    """Whether there are learning rates by name, one per group or optimizer."""
    return isinstance(experiment.lr, Mapping) and not is_form(experiment.lr)


def _searched_rates(experiment: Experiment) -> tuple[Axis, ...]:
    """What a search begins with: `FIRST_RATES` of its rate; of several, of the first, and the ends
    of the others' ranges."""
    if not _several(experiment):
        low, high = experiment.lr_range
        return (rate_axis(np.geomspace(low, high, FIRST_RATES)),)
    axes = _rate_axes(experiment)
    ends = [sorted({min(axis.values), max(axis.values)}) for axis in axes]
    low, high = ends[0][0], ends[0][-1]
    many = np.geomspace(low, high, FIRST_RATES).tolist() if low < high else [low]
    both = zip(axes, [many, *ends[1:]], strict=True)
    return tuple(rate_axis(some, axis.name) for axis, some in both)


def _further_axes(experiment: Experiment) -> tuple[Axis, ...]:
    """Multipliers, loose axes, the optimizer's, the schedule's. A single number is no axis."""
    several = {key: form for key, form in experiment.multipliers.items() if is_axis(form)}
    axes = {axis_name(key): Axis(axis_name(key), values(form), "multiplier")
            for key, form in several.items()}  # fmt: skip
    loose = {name: form for name, form in experiment.axes.items() if is_axis(form)}
    axes |= {name: Axis(name, values(form)) for name, form in loose.items()}
    for kind in ("optimizer", "schedule"):
        for name, value in _options(experiment, kind).items():
            if _sweeps(experiment, kind, name, value):
                axes[name] = Axis(name, values(value))
    listed = experiment.schedule.name
    if isinstance(listed, list):
        count = tuple(map(float, range(len(listed))))
        axes["schedule"] = Axis("schedule", count, "schedule", labels(listed))
    return tuple(axes.values())


def _multipliers(experiment: Experiment) -> dict[str, float | str]:
    forms = experiment.multipliers.items()
    return {key: axis_name(key) if is_axis(form) else form for key, form in forms}


def _fixed(experiment: Experiment) -> dict[str, float]:
    return {name: form for name, form in experiment.axes.items() if not is_axis(form)}


def _arguments(experiment: Experiment, kind: str) -> JsonObject:
    """The options of the optimizer or the schedule that are no lane axes."""
    options = _options(experiment, kind).items()
    return {key: v for key, v in options if not _sweeps(experiment, kind, key, v)}


def _options(experiment: Experiment, kind: str) -> JsonObject:
    return dict(getattr(experiment, kind).model_extra or {})


def _sweeps(experiment: Experiment, kind: str, key: str, value: object) -> bool:
    if not is_axis(value) or isinstance(getattr(experiment, kind).name, list):
        return False
    accepted = names.parameters(f"{kind}s", getattr(experiment, kind).name) or {}
    return not (key in accepted and accepted[key].sequence)


def _probes(experiment: Experiment) -> list[str | JsonObject]:
    """The probes as a file has them: a name, or a table where there is more to say."""
    entries = (entry.model_dump(exclude_none=True) for entry in experiment.probes)
    return [entry["name"] if len(entry) == 1 else entry for entry in entries]


def _budget(experiment: Experiment) -> Budget:
    written = experiment.budget
    return Budget() if written is None else Budget(*parse_budget(written))


def of_own_step(resolved: Resolved) -> Resolved:
    """The same of a task with a step of its own, whose text names no optimizer: the default one is
    not used, and any other is refused."""
    return resolved._replace(text=dumps(resolved.experiment, own_step=True))


def dumps(experiment: Experiment, own_step: bool = False) -> str:
    """The experiment as TOML text, complete; `load` gives it back.

    Fields that are None are absent, as None is their default; so are empty tables, and the usual
    score, scale, tolerance and confidence, which files from before them lack. So is an optimizer
    that was not given, with a line that says why, where the task has a step of its own.
    """
    content = {}
    unused = own_step and "optimizer" not in experiment.model_fields_set
    for key, value in own_code.spoken(experiment.model_dump()).items():
        if unused and key == "optimizer":
            continue
        if isinstance(value, Mapping):
            unset = [name for name, v in value.items() if v is None or (name, v) in _UNSAID]
            value = {name: v for name, v in value.items() if name not in unset}
        several = key == "lr_range" and _several(experiment)  # each rate has its own range
        if value != {} and (key, value) not in _USUAL and not several:
            content[key] = NO_GOAL if key == "confidence" and value is None else value
    content["probes"] = _probes(experiment)
    return (f"# Updates: {OWN_STEP}, no optimizer.\n" if unused else "") + toml.dumps(content)


def digest(experiment: Experiment, command: str = "sweep") -> str:
    """SHA-256 (hex) of what decides the recorded numbers: the same for the same experiment.

    The tile width counts, and how many devices share a lane (another number rounds differently);
    devices, segments, memory, name and folder do not, nor where own code lies. A grid and the same
    numbers written out are the same experiment. Score, scale, tolerance and confidence decide what
    a search trains next; of a sweep, and of a study of sweeps, they only read what is recorded, so
    do not count.
    """
    content = own_code.placeless(own_code.spoken(experiment.model_dump()))
    width = content["plan"]["tile_width"]
    content = {key: value for key, value in content.items() if key not in _NOT_IDENTITY}
    content["multipliers"] = _multipliers(experiment)
    for later in ("parametrization", "multipliers"):  # runs from before them keep their digest
        if not content[later]:
            del content[later]
    reads = command in _READING or (command == "study" and is_axis(experiment.lr))
    for name, usual in _USUAL:
        if content[name] == usual or reads:
            del content[name]
    if content["keep"] is None:
        del content["keep"]
    rates = {axis.name: axis.values for axis in _rate_axes(experiment)}
    further = {axis.name: axis.values for axis in _further_axes(experiment)}
    if not experiment.plan.rewrite:  # runs from before there was a choice keep their digest
        content["rewrite"] = False
    if experiment.plan.model_devices > 1:
        content["model_devices"] = experiment.plan.model_devices
    content |= {"tile_width": width, "lr": rates, "axes": further, "fixed": _fixed(experiment)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
