"""What types cannot say: names and options against the registries, fields against fields."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as File

from lrlab.config import multipliers, names, own_code, trackers
from lrlab.config.field_checks import check_fields
from lrlab.config.field_words import hint
from lrlab.config.lanes import MAX_LANES, is_axis, is_form, length_of
from lrlab.config.options import Found, Path, at, dates, probes, wrong_with
from lrlab.config.rates import searched
from lrlab.config.schema import TABLES, Experiment
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import Table, show
from lrlab.tasks import LOSSES

NAMED: tuple[tuple[str, str, Path], ...] = (
    ("optimizer", "optimizers", ("optimizer",)),
    ("schedule", "schedules", ("schedule",)),
    ("task", "tasks", ("task",)),
    ("model", "models", ("task", "model")),
    ("data source", "data", ("task", "data")),
)
FILE_SOURCES = ("npz", "csv", "text", "idx", "fashion_mnist")
"""Data sources whose `path` is a file or folder of this machine."""
LISTED = {"optimizers", "schedules", "tasks", "models"}

_PLAIN = {
    "axes": re.compile(r"[^\W_][\w.+-]{0,79}"),
    "groups": re.compile(r"[^\W_][\w.+-]{0,79}"),
    "compare": re.compile(r"[^\W_][\w.+()=,% -]{0,79}"),
}
_TAKEN = {
    "axes": ("seed", "step", "eval_step", "outcome", "diverged_at", "steps_trained", "last_loss"),
    "groups": (),
    "compare": ("figures", "stages", "checkpoint", "history.zarr", "lock", "report.html",
                "run.json", "config.toml", "summary.json", "checksums.json"),
}  # fmt: skip
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever ending they have."""
COMMANDS = ("sweep", "find", "range-test", "compare", "study", "plan", "preview")


def check(raw: Table, command: str) -> Found:
    """Every mistake in a normalized configuration that `schema` does not catch, as (path, message).

    `raw` need not be valid: what has the wrong type is passed over here, the schema names it.
    """
    yield from own_code.check(raw)
    for word, kind, path in NAMED:
        table = at(raw, path)
        if isinstance(table, Mapping):
            for one in _each_schedule(table) if path == ("schedule",) else [table]:
                yield from _named(word, kind, path, _with_name(raw, path, one))
    yield from dates(raw)
    yield from _several(at(raw, ("schedule",)))
    yield from _task(at(raw, ("task",)))
    yield from _axes(raw)
    yield from _learning_rate(raw, command)
    yield from multipliers.check(raw)
    yield from check_fields(raw)
    yield from probes(_list(raw.get("probes")))
    yield from trackers.check(raw.get("log"))
    yield from _plain_names(raw)
    yield from _lanes(raw)
    yield from _parametrization(raw)
    if command == "compare" and not raw.get("compare"):
        more = "or --set compare.NAME.optimizer=adam for each"
        yield ("compare",), f"compare needs entries: write [compare.NAME] tables, {more}"
    if command == "study" and not raw.get("study"):
        more = "or --set study.axis=batch_size --set 'study.values=[32, 128]'"
        yield ("study",), f"study needs a [study] table with axis and values, {more}"


def _parametrization(raw: Table) -> Found:
    """muP needs a base, made of the model's own options."""
    spec = raw.get("parametrization")
    if not isinstance(spec, Mapping) or spec.get("name") != "mup":
        return
    base, path = spec.get("base"), ("parametrization", "base")
    if not base:
        yield path, "is missing: the model's options at the base, for example base = {width = 64}"
    model = _model_name(raw)
    options = (None if model is None else names.parameters("models", model)) or {}
    for key in base if isinstance(base, Mapping) and options else ():
        if key not in options:
            close = hint(key, options, ("task", "model"))
            takes = ", ".join(options)
            yield (*path, key), f"unknown option of model {model!r}{close} (it takes: {takes})"


def _model_name(raw: Table) -> str | None:
    """The architecture that a configuration names, itself or through its task."""
    name = at(raw, ("task", "model", "name"))
    task = at(raw, ("task", "name"))
    if name is None and isinstance(task, str):
        name = (names.recipe(task) or {}).get("model")
    return name if isinstance(name, str) else None


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _named(word: str, kind: str, path: Path, table: Table) -> Found:
    name = _name_of(path, table)
    if table.get("external") is True or name is None or own_code.is_own(table):
        return
    of_kind = names.REGISTRIES[kind]
    if not names.known(kind, name):
        close = did_you_mean(name, of_kind.entries, of_kind.name_words)
        more = f" (known: `lrlab ls {kind}`)" if kind in LISTED else ""
        if not more and not close:
            more = f"; known: {', '.join(of_kind.entries)}"
        yield (*path, "name"), f"unknown {word} {name!r}{close}{more}"
        return
    accepted = names.parameters(kind, name)
    fields = TABLES[path].model_fields
    for option, value in table.items():
        if option in fields:
            continue
        if accepted is not None and option not in accepted:
            mine = [*accepted, *fields]
            several = bool(of_kind.option_words)
            close = names.meant(kind, option, mine) if several else hint(option, mine, path)
            takes = ", ".join(accepted) or "nothing"
            yield (*path, option), f"unknown option of {word} {name!r}{close} (it takes: {takes})"
            continue
        problem = wrong_with(option, value, (accepted or {}).get(option), kind)
        if problem:
            yield (*path, option), problem


def _each_schedule(table: Table) -> list[Table]:
    """A schedule's table for each of those that a list names, with what they share."""
    several = table.get("name")
    if not isinstance(several, list):
        return [table]
    shared = {key: value for key, value in table.items() if key != "name"}
    return [
        {**shared, **(entry if isinstance(entry, Mapping) else {"name": entry})}
        for entry in several
    ]


def _several(table: object) -> Found:
    """Schedules side by side are a table of values: nothing in them is left to sweep."""
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), list):
        return
    for one in _each_schedule(table):
        accepted = names.parameters("schedules", str(one.get("name"))) or {}
        for key, value in one.items():
            if is_axis(value) and key in accepted and not accepted[key].sequence:
                yield (
                    ("schedule", key),
                    "cannot be a lane axis beside a list of schedules: list a table for each value",
                )
        if one.get("low_momentum") is not None:
            yield ("schedule", "low_momentum"), "needs one schedule, not a list of them"


def _name_of(path: Path, table: Table) -> str | None:
    name = table.get("name", TABLES[path].model_fields["name"].default)
    return name if isinstance(name, str) else None


def _with_name(raw: object, path: Path, table: Table) -> Table:
    """`task.model` and `task.data` beside `task.name` are about that task's own."""
    task = at(raw, ("task", "name"))
    if len(path) == 1 or "name" in table or not isinstance(task, str):
        return table
    parts = names.recipe(task)
    return {**table, "name": parts[path[-1]]} if parts else table


def _task(task: object) -> Found:
    if not isinstance(task, Mapping):
        return
    for key in task if "name" not in task else ():
        if key not in (fields := TABLES[("task",)].model_fields):
            yield ("task", key), f"unknown key{hint(key, fields, ('task',))}"
    has = [key for key in ("model", "data") if key in task]
    if "name" not in task and len(has) < 2:
        if has:
            other = "data" if has == ["model"] else "model"
            yield ("task", other), f"task.{has[0]} needs task.{other} beside it"
        else:
            yield ("task",), "must have a name (see `lrlab ls tasks`), or a model and data"
    for part in has:
        if isinstance(task[part], Mapping) and "name" not in task and "name" not in task[part]:
            kind = "models" if part == "model" else "data"
            accepted = ", ".join(names.REGISTRIES[kind].entries)
            yield ("task", part, "name"), f"is missing; known: {accepted}"
    yield from _data(at(task, ("data",)))
    params = task.get("params")
    if isinstance(params, str) and not _may_be_weights(place := os.path.expanduser(params)):
        yield ("task", "params"), f"no such file: {os.path.abspath(place)}"
    yield from _loss(task)
    fractions = (at(task, ("data", f"{split}_fraction")) for split in ("valid", "test"))
    numbers = [value for value in fractions if isinstance(value, (int, float))]
    if len(numbers) == 2 and sum(numbers) >= 1:
        yield (
            ("task", "data", "test_fraction"),
            "valid and test fractions leave nothing to train on",
        )


def _may_be_weights(place: str) -> bool:
    """Whether a file is there, or the folder of weights by seed that it would be one of."""
    above, seed = os.path.split(place)
    of_seed = seed.isdecimal() and os.path.exists(os.path.join(above, "_METADATA"))
    return os.path.exists(place) or of_seed


def _loss(task: Table) -> Found:
    losses, loss = LOSSES.entries, task.get("loss")
    if isinstance(loss, str) and loss not in losses and task.get("external") is not True:
        accepted = f"{did_you_mean(loss, losses)} (known: {', '.join(losses)})"
        yield ("task", "loss"), f"unknown loss {loss!r}{accepted}"


def _data(data: object) -> Found:
    """A file that a source reads must be there."""
    if not isinstance(data, Mapping):
        return
    name = data.get("name")
    name, _, rest = name.partition(":") if isinstance(name, str) else ("", "", "")
    if name not in FILE_SOURCES:
        return
    path = data.get("path", rest or None)
    if path is None and name != "fashion_mnist":
        yield ("task", "data", "path"), f"is missing: the file that {name!r} reads"
    if isinstance(path, str) and not File(path).expanduser().exists():
        yield ("task", "data", "path"), f"no such file: {File(path).expanduser().absolute()}"


def _axes(raw: Table) -> Found:
    """Every axis has one place."""
    taken: dict[str, Path] = {"lr": ("lr",), "seed": ("seeds",)}
    lr = raw.get("lr")
    if isinstance(lr, Mapping) and not is_form(lr):
        taken |= {f"lr_{name}": ("lr", name) for name in lr}
    taken |= {multipliers.axis_name(path[-1]): path for path, _ in multipliers.swept(raw)}
    for path in (("axes",), ("optimizer",), ("schedule",)):
        table = at(raw, path)
        for key, value in table.items() if isinstance(table, Mapping) else ():
            if key in ("name", "external") and path != ("axes",):
                continue
            if key in taken and (
                path == ("axes",) or is_axis(value) or taken[key] == ("axes", key)
            ):
                yield (*path, key), f"{key} is already given by {'.'.join(taken[key])}"
            taken.setdefault(key, (*path, key))


def _learning_rate(raw: Table, command: str) -> Found:
    lr: object = raw.get("lr")
    if command == "sweep" and lr is None:
        yield ("lr",), "sweep needs learning rates, for example lr = {log = [1e-5, 1.0, 33]}"
    if command == "range-test":
        for path, value in _swept(raw):
            yield path, f"{command} takes one value, sweep takes several; got {show(value)}"
    rates: Table = lr if isinstance(lr, Mapping) and not is_form(lr) else {}
    if command in ("find", "compare", "study"):
        yield from searched(rates, raw, command)
    if command == "find" and isinstance(lr, (int, float)) and "lr_range" not in raw:
        yield ("lr",), "find searches a range: write lr_range = [low, high], or use sweep"
    groups = raw.get("groups")
    if not isinstance(groups, Mapping):
        groups = {}
    task = at(raw, ("task",))
    theirs = at(raw, ("task", "external")) is True or own_code.is_own(task)
    own_step = theirs and not groups  # the rates of a step of one's own have names alone
    for name in rates if not own_step else ():
        if name not in groups:
            yield ("lr", name), f"no group {name!r} in groups{did_you_mean(name, groups)}"
    for name in groups:
        if name not in rates:
            yield ("groups", name), f"group {name!r} has no learning rate: write lr.{name} = ..."


def _swept(raw: Table) -> Iterator[tuple[Path, object]]:
    """Every lane axis but the learning rate."""
    yield from multipliers.swept(raw)
    for path in (("axes",), ("optimizer",), ("schedule",)):
        table = at(raw, path)
        if not isinstance(table, Mapping):
            continue
        name = None if path == ("axes",) else _name_of(path, table)
        accepted = None if name is None else names.parameters(f"{path[0]}s", name)
        for key, value in table.items():
            whole = (accepted or {}).get(key)
            if is_axis(value) and not (whole is not None and whole.sequence):
                yield (*path, key), value


def _plain_names(raw: Table) -> Found:
    """Names that become arrays or folders of a run: nothing that leads elsewhere."""
    for table, what in (("axes", "an axis"), ("groups", "a group"), ("compare", "an entry")):
        named, seen = raw.get(table), dict[str, str]()
        for name in named if isinstance(named, Mapping) else ():
            if not isinstance(name, str) or not _PLAIN[table].fullmatch(name):
                yield (
                    (table, str(name)),
                    f"{show(name)} cannot name {what}: use letters, digits and . _ + - "
                    + ("( ) = , % and spaces " if table == "compare" else "")
                    + "(80 at most), a letter or digit first",
                )
            elif name.lower() in _TAKEN[table]:
                yield (table, name), f"{name!r} is a name that every run uses itself"
            elif _DEVICE.fullmatch(name) or name[-1] in ". ":
                yield (table, name), f"{name!r} is no name of a file on Windows; choose another"
            elif other := seen.get(name.lower()):
                message = f"{name!r} and {other!r} differ in case alone; they would be one folder"
                yield (table, name), f"{message} on macOS and Windows"
            else:
                seen[name.lower()] = name


def _lanes(raw: Table) -> Found:
    """So many lanes that their numbers could not be counted or held are a mistake."""
    total = 1
    rates = raw.get("lr")
    groups = rates.values() if isinstance(rates, Mapping) and not is_form(rates) else [rates]
    parts = [*groups, *(value for _, value in _swept(raw))]
    for value in parts:
        total *= length_of(value)
    seeds = raw.get("seeds", Experiment.model_fields["seeds"].default)
    total *= max(1, seeds) if isinstance(seeds, int) else length_of(seeds)
    if total > MAX_LANES:
        yield ("seeds",), f"makes {total:,} lanes; at most {MAX_LANES:,} can be trained in a run"
