"""From a plain table to an `Experiment`, or to every problem in it at once."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeGuard

from pydantic import ValidationError

from lrlab import optimizers, schedules
from lrlab.config import names, own_code, trackers
from lrlab.config.checks import check
from lrlab.config.field_words import ALMOST, hint, nearest, usual
from lrlab.config.lanes import is_form, values
from lrlab.config.layers import NAMED_TABLES, Places
from lrlab.config.schema import TABLES, Experiment
from lrlab.config.toml import Path
from lrlab.core.errors import PYTHON, ConfigError, Problem
from lrlab.core.synonyms import OPTIMIZER, SCHEDULE, did_you_mean
from lrlab.core.text import JsonObject, Table, show

EXTRA_AXES = ("init_scale",)
"""Lane axes that belong to the engine rather than to an optimizer or a schedule."""

BELOW = ("task.model", "task.data", "task.loss", "task.metrics", "plan.devices",
         "plan.tile_width", "plan.segment_steps", "plan.model_devices")  # fmt: skip
"""Keys of tables that people look for at the top."""

ARGUMENTS = ("optimizer_args", "schedule_args", "progress")
"""Arguments that a file has other words for."""


def build_one(
    table: Table, command: str, places: Places | None = None, file: str = PYTHON
) -> Experiment:
    """A plain table as an `Experiment`, without what it may hold inside (`groups` adds that).

    Raises:
        ConfigError: with every problem found.
    """
    places = {} if places is None else places
    raw = normalized(table, command)
    experiment, wrong = checked(raw, command, file)
    return completed(experiment, wrong, places, file)


def checked(raw: Table, command: str, file: str) -> tuple[Experiment | None, dict[Path, str]]:
    """A normalized table against the schema and the registries: the experiment, where the schema
    holds, and what is wrong by path."""
    wrong: dict[Path, str] = {}
    experiment = None
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        for item in error.errors():
            message = describe(dict(item), raw, file == PYTHON)
            wrong.setdefault(tuple(map(str, item["loc"])), message)
    for path, message in itertools.chain(check(raw, command), _unknown_axes(raw)):
        wrong.setdefault(path, message)
    return experiment, wrong


def completed(
    experiment: Experiment | None,
    wrong: Mapping[Path, str],
    places: Places,
    file: str,
    problems: Sequence[Problem] = (),
    entries: Mapping[str, Experiment] | None = None,
) -> Experiment:
    """The experiment with the places of its fields and what it holds inside.

    Raises:
        ConfigError: `wrong` by path, each with its place, and `problems`.
    """
    if wrong or problems or experiment is None:
        here = [_problem(path, message, places, file) for path, message in wrong.items()]
        order = sorted((*problems, *here), key=lambda p: (p.file, p.line or 0))
        raise ConfigError(dict.fromkeys(order))
    experiment._places.update(places)
    experiment._file = file
    experiment._entries.update(entries or {})
    return experiment


def problem(experiment: Experiment, field: str | Path, message: str) -> Problem:
    """A problem found later (in the data, say), with the place where `field` was written; a field
    whose last part has dots of its own is a tuple."""
    path = tuple(field.split(".")) if isinstance(field, str) else field
    return _problem(path, message, experiment._places, experiment._file)


def _problem(path: Path, message: str, places: Places, file: str) -> Problem:
    if path[:1] == ("axes",) and path[1:2] in places:
        path = path[1:]
    for length in range(len(path), -1, -1):  # the last one: a task's name, which has no lines
        if path[:length] in places:
            where = places[path[:length]]
            return Problem(where[0], where[1], ".".join(path), message)
    return Problem(file, None if file == PYTHON else 1, ".".join(path), message)


def normalized(table: Table, command: str) -> JsonObject:
    """Shorthands spelled out, loose lane axes gathered under `axes`, seeds of a range test."""
    raw = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()
    }
    for *above, last in sorted(NAMED_TABLES, key=len):
        parent: object = raw
        for key in above:
            parent = parent.get(key) if isinstance(parent, dict) else None
        short = (str, list) if last == "schedule" else str
        if isinstance(parent, dict) and isinstance(parent.get(last), short):
            parent[last] = {"name": parent[last]}
    own_code.named(raw)
    task = raw.get("task")
    if isinstance(task, dict) and isinstance(task.get("trainable"), str):
        task["trainable"] = [task["trainable"]]
    if "log" in raw:
        raw["log"] = trackers.tables(raw["log"])
    if isinstance(raw.get("probes"), (list, tuple)):
        raw["probes"] = [{"name": e} if isinstance(e, str) else e for e in raw["probes"]]
    # A number under that name is somebody's hyper-parameter: the field holds a word.
    loose = [
        key
        for key in raw
        if key not in Experiment.model_fields or (key == "scale" and numeric(raw[key]))
    ]
    if loose:
        # What a user's task or optimizer reads is found by tracing it; what neither reads is
        # refused.
        accepted, anything = _hyperparameters(raw)
        fields = Experiment.model_fields

        def may_be_axis(key: str) -> bool:
            own = key not in fields and _means(key, fields)
            return anything and numeric(raw[key]) and not own

        axes = raw.get("axes", {})
        twice = axes if isinstance(axes, Mapping) else {}  # what is given twice stays and is said
        here = [key for key in loose if key not in twice]
        moved = {key: raw.pop(key) for key in here if key in accepted or may_be_axis(key)}
        if moved and isinstance(axes, Mapping):
            raw["axes"] = {**axes, **moved}
    if isinstance(raw.get("parametrization"), str):
        raw["parametrization"] = {"name": raw["parametrization"]}
    if raw.get("epochs") is not None and "steps" not in raw:
        raw["steps"] = None
    optimizer = raw.get("optimizer")
    one_rate = command in ("sweep", "plan", "preview")
    if one_rate and isinstance(optimizer, dict) and raw.get("lr") is None:
        named = None if _external(optimizer) else optimizer.get("name")
        raw["lr"] = None
        if isinstance(named, str) and names.known("optimizers", named):
            raw["lr"] = optimizers.default_lr(named)
    lr = raw.get("lr")
    if command in ("find", "compare") and "lr_range" not in raw and (is_form(lr) or _rates(lr)):
        try:
            rates = values(lr)
            raw["lr_range"] = [min(rates), max(rates)]
        except (TypeError, ValueError):
            pass  # the schema says what is wrong with lr
    if command == "range-test":
        ramp = raw.get("range_test", {})
        if isinstance(ramp, Mapping):
            shared = {key: raw[key] for key in ("seeds", "batch_size") if key in raw}
            raw["range_test"] = {**shared, **ramp}
    return raw


def _means(key: str, fields: Collection[str]) -> bool:
    """Whether a key is so near to a field that it is rather that than a hyper-parameter of the
    user's optimizer. Short names are near to many (`lr2`, `temp`)."""
    return usual(key) is not None or (
        len(key) > 3 and nearest(key, fields, cutoff=0.75) is not None
    )


def numeric(value: object) -> bool:
    """Whether a value may be a hyper-parameter: a number, or a lane form."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number or isinstance(value, list) or is_form(value)


def _rates(lr: object) -> TypeGuard[list[float]]:
    return isinstance(lr, (list, tuple)) and len(lr) > 1


def _external(spec: object) -> bool:
    """Whether this is a function or object of the user's."""
    return isinstance(spec, Mapping) and (spec.get("external") is True or own_code.is_own(spec))


def _parameters(raw: Table, key: str) -> Table | None:
    """The parameters of the optimizer or schedule that `raw` names, for keys at the top level."""
    spec = raw.get(key, {})
    default = TABLES[(key,)].model_fields["name"].default
    name = spec.get("name", default) if isinstance(spec, Mapping) else None
    if _external(spec):
        return {}
    if isinstance(name, list):
        return schedules.COMMON
    return names.parameters(f"{key}s", name) if isinstance(name, str) else {}


def _hyperparameters(raw: Table) -> tuple[set[str], bool]:
    """The lane axes that `raw` can have at its top, and whether there may be others: parameters of
    the user's own function cannot be known."""
    taken = [_parameters(raw, key) for key in ("optimizer", "schedule")]
    unknown = None in taken or _external(raw.get("optimizer")) or _external(raw.get("task"))
    return {*EXTRA_AXES, *(key for names in taken for key in names or ())}, unknown


def _unknown_axes(raw: Table) -> Iterator[tuple[Path, str]]:
    """Entries of `[axes]` that neither optimizer nor schedule has."""
    accepted, anything = _hyperparameters(raw)
    axes = raw.get("axes")
    for key in axes if isinstance(axes, Mapping) and not anything else ():
        if key not in accepted:
            yield (
                ("axes", key),
                f"unknown axis: neither optimizer nor schedule has it{hint(key, accepted)}",
            )


def _meant(key: str, fields: list[str], raw: Table) -> str:
    """What an unknown key at the top level may have been meant as: a field, or an option of the
    optimizer or the schedule."""
    if usual(key) is not None:
        return hint(key, fields)
    every = list(fields)
    for kind, words in (("optimizer", OPTIMIZER), ("schedule", SCHEDULE)):
        options = _parameters(raw, kind) or {}
        own = [name for name in words.get(key, ()) if name in options or name in fields]
        if own:
            return did_you_mean(key, own, words)
        every += options
    if nearest(key, every, cutoff=ALMOST) is not None:
        return hint(key, every)
    # What another optimizer or schedule has is rather meant than what only looks alike.
    hints = (names.meant(kind, key, ()) for kind in ("optimizers", "schedules"))
    return next((one for one in hints if one), "") or hint(key, every)


_TYPES = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "finite_number": "must be finite",
    "too_short": "must not be empty",
}
_LIMITS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def describe(error: JsonObject, raw: Table | None = None, python: bool = False) -> str:
    """One of pydantic's errors in our words; `raw`: the table that it is about; `python`: keys at
    the top are arguments."""
    kind, value, context = error["type"], error.get("input"), error.get("ctx", {})
    if kind == "extra_forbidden":
        *table, key = map(str, error["loc"])
        model = TABLES.get(tuple(table))
        fields = [] if model is None else list(model.model_fields)
        axes = None if raw is None else raw.get("axes")
        if not table and isinstance(axes, Mapping) and key in axes:
            return f"{key} is already given by axes.{key}"
        if not table:
            further = EXTRA_AXES if raw is None else _hyperparameters(raw)[0]
            fields = [*fields, *further, *(ARGUMENTS if python else BELOW)]
            what = "argument" if python else "key"
            return f"unknown {what}{_meant(key, fields, raw or {})}"
        return f"unknown key{hint(key, fields, tuple(table))}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind in _TYPES:
        return f"{_TYPES[kind]}, got {show(value)}"
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return f"must be {words} {show(context[name])}, got {show(value)}"
    if kind == "literal_error":
        allowed = str(context["expected"])
        close = did_you_mean(str(value), allowed.replace("'", "").replace(" or ", ", ").split(", "))
        return f"must be {allowed}, got {show(value)}{close}"
    return f"{error['msg']}, got {show(value)}"
