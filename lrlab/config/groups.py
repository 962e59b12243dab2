"""Experiments inside an experiment: the groups of a study, the entries of a comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lrlab.config import names, own_code
from lrlab.config.build import build_one, normalized
from lrlab.config.lanes import is_axis
from lrlab.config.layers import Places, merge, nested
from lrlab.config.options import at
from lrlab.config.schema import PARAMETRIZATIONS, TABLES, Experiment
from lrlab.core.errors import ConfigError
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import JsonObject, Table, show
from lrlab.schedules import label

Path = tuple[str, ...]
_HUBS = ("task.model", "task.data", "task", "optimizer", "schedule")
_NO_AXES = ("task", "compare", "study", "plan", "on", "range_test", "out", "figures", "name",
            "groups", "axes", "multipliers")  # fmt: skip


def groups_of(
    raw: Table,
    places: Mapping[Path, tuple[str, int | None]],
    file: str,
    wrong: dict[Path, str],
) -> dict[str, Experiment]:
    """Group name -> experiment, in order; what is wrong goes to `wrong` at the study's own keys.

    A group is the configuration without `[study]`, with the axis set to one value, and with muP
    where that was asked for; its name is that of its folder.
    """
    study = raw["study"]
    axis, values = study.get("axis"), study.get("values")
    if not isinstance(axis, str) or not isinstance(values, list) or not values:
        return {}  # the schema says so
    path = axis_path(raw, axis)
    if path is None:
        hint = _alike(axis, axes_known(raw))
        wrong.setdefault(("study", "axis"), f"no such field: {axis!r}{hint}")
        return {}
    written = study.get("parametrization", "standard")
    kinds = list(dict.fromkeys([written] if isinstance(written, str) else written))
    if any(kind not in PARAMETRIZATIONS for kind in kinds):
        return {}  # the schema says so
    base = study.get("base", values[0])
    if "base" in study and base not in values:
        wrong.setdefault(("study", "base"), f"must be one of values, got {show(base)}")
        return {}
    if "mup" in kinds and path[:2] != ("task", "model") and not raw.get("parametrization"):
        message = "muP follows the model's size: the axis must be an option of task.model"
        wrong.setdefault(("study", "parametrization"), message)
        return {}
    repeated = [value for value in values if values.count(value) > 1]
    if repeated:
        wrong.setdefault(("study", "values"), f"must not repeat a value, got {show(repeated[0])}")
        return {}
    shared = {key: value for key, value in raw.items() if key not in ("study", "compare")}
    command = "sweep" if is_axis(raw.get("lr")) else "find"
    groups = {}
    for kind in kinds:
        for number, value in enumerate(values):
            table = _with(shared, path, value)
            if kind == "mup":
                own = {path[-1]: base} if path[:2] == ("task", "model") else {}
                old = at(raw, ("parametrization", "base"))
                old = old if isinstance(old, Mapping) else {}
                table["parametrization"] = {"name": "mup", "base": {**old, **own}}
            place = places.get(("study", "values", str(number)), places.get(("study", "values")))
            moved = dict(places) | ({path: place} if place else {})
            name = group_name(path[-1], value, kind if len(kinds) > 1 else None)
            try:
                group = build_one(table, command, moved, file)
            except ConfigError as error:
                for item in error.problems:
                    field = tuple(item.field.split("."))
                    if field[: len(path)] == path:
                        wrong.setdefault(("study", "values", str(number)), item.message)
                    else:
                        wrong.setdefault(field, item.message)
                continue
            groups[name] = group
    return groups


def _with(shared: Table, path: Path, value: object) -> JsonObject:
    """The table with the field at `path` replaced."""
    table = dict(shared)
    for one, other in (("steps", "epochs"), ("epochs", "steps")):
        if path == (one,):
            table.pop(other, None)
    if path == ("steps",):  # an interval between evaluations longer than the run is none
        every = table.get("eval_every")
        if isinstance(every, int) and isinstance(value, int) and every > value:
            table["eval_every"] = value
    return merge(table, nested(path, value))


def axis_path(raw: Table, axis: str) -> Path | None:
    """The field that an axis means: a dotted path, or the last part of one; None: there is none.

    >>> axis_path({"task": {"model": {"name": "mlp"}, "data": {"name": "digits"}}}, "width")
    ('task', 'model', 'width')
    >>> axis_path({"task": {"name": "digits-mlp"}}, "batch_size")
    ('batch_size',)
    """
    accepted = axes_known(raw)
    if axis in accepted:
        return tuple(axis.split("."))
    for name in accepted:
        if name.rpartition(".")[2] == axis:
            return tuple(name.split("."))
    for path in own_code.OWN:  # any option of a function that is not known before it is imported
        before = f"{'.'.join((*path, 'options'))}."
        if own_code.is_own(at(raw, path)) and axis.startswith(before):
            return (*path, "options", *axis.removeprefix(before).split("."))
    if own_code.is_own(at(raw, ("task",))) and axis.isidentifier() and not _alike(axis, accepted):
        return ("task", "options", axis)  # an argument, perhaps with a default; the call says
    external = at(raw, ("task", "external")) is True
    return ("task", axis) if external and axis.isidentifier() else None


def _alike(axis: str, accepted: Sequence[str]) -> str:
    """The hint for a name that is near to a field's; "" where it is near to none."""
    return did_you_mean(axis, [*accepted, *(name.rpartition(".")[2] for name in accepted)])


def axes_known(raw: Table) -> list[str]:
    """Every field that a study could go over, as dotted paths."""
    accepted = [name for name in Experiment.model_fields if name not in _NO_AXES]
    task = at(raw, ("task", "name"))
    parts = (names.recipe(task) or {}) if isinstance(task, str) else {}
    kinds = {"task.model": "models", "task.data": "data", "task": "tasks",
             "optimizer": "optimizers", "schedule": "schedules"}  # fmt: skip
    for hub in _HUBS:
        path = tuple(hub.split("."))
        name = at(raw, (*path, "name")) or parts.get(path[-1])
        if name is None and path in TABLES and len(path) == 1:
            name = TABLES[path].model_fields["name"].default
        if hub == "task" and parts:
            continue  # the options of its model and data are listed above
        options = names.parameters(kinds[hub], name) if isinstance(name, str) else None
        fields = ["name"] if len(path) == 1 and hub != "task" else []
        if hub == "task.data":
            fields += [key for key in TABLES[path].model_fields if key not in ("name", "path")]
        if own_code.is_own(own := at(raw, path)):
            written = own.get("options")  # type: ignore[union-attr]
            fields, options = [], [f"options.{key}" for key in written or ()]
        accepted += [f"{hub}.{key}" for key in dict.fromkeys([*fields, *(options or ())])]
    return accepted


def group_name(field: str, value: object, kind: str | None) -> str:
    """A group's folder name.

    >>> group_name("width", 64, "mup"), group_name("width", [32, 16], None)
    ('mup-width-64', 'width-32-16')
    """
    text = "-".join(map(str, value)) if isinstance(value, list) else str(value)
    parts = [*([kind] if kind else []), field, text]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts))


def entries_of(
    raw: Table, places: Places, file: str, wrong: dict[Path, str]
) -> dict[str, Experiment]:
    """Each `[compare.NAME]` table on top of what the entries share, as an experiment of its own."""
    shared = {key: value for key, value in raw.items() if key != "compare"}
    entries = {}
    for name, entry in raw["compare"].items():
        if not isinstance(entry, Mapping):
            continue  # the schema says so
        above: dict[Path, tuple[str, int | None]] = {
            path[2:]: place for path, place in places.items() if path[:2] == ("compare", name)
        }
        written = normalized(entry, "entry")
        below = dict(shared)
        if written.get("steps") is not None:
            below.pop("epochs", None)
        try:
            entries[name] = build_one(merge(below, written), "find", {**places, **above}, file)
        except ConfigError as error:
            for item in error.problems:
                path = tuple(item.field.split("."))
                if any(path[: len(p)] == p for p in above if p) or path[0] in entry:
                    wrong.setdefault(("compare", name, *path), item.message)
    return entries


def show_value(value: object) -> str:
    """A value of the axis: whole numbers without a point.

    >>> show_value(64.0), show_value("full"), show_value([32, 16])
    ('64', 'full', '32-16')
    """
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return label(value)  # the same words as in legends
    if isinstance(value, (list, tuple)):
        return "-".join(map(show_value, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
