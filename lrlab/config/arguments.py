"""The Python API's keyword arguments as the table that a TOML file would hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lrlab.config import trackers
from lrlab.config.build import numeric
from lrlab.config.field_words import hint
from lrlab.config.lanes import NO_GOAL, is_axis
from lrlab.config.layers import absolute_paths
from lrlab.config.loading import build
from lrlab.config.schema import Experiment, RangeTestSpec, StudySpec
from lrlab.core.errors import PYTHON, ConfigError, Problem
from lrlab.core.remote import Ray, table_of
from lrlab.core.text import JsonObject, Table, show

_RAMP = tuple(RangeTestSpec.model_fields)
_STUDY = tuple(StudySpec.model_fields)
_OPTIONS = ("optimizer_args", "schedule_args")
_CALL = ("out", "progress")
"""Arguments of the functions that are no part of an experiment."""

_WHOLE = ("log", "callbacks")
"""Arguments that an entry of a comparison does not take: they hand over objects of the whole."""

_BOTH = {
    "name", "task", "optimizer", "schedule", "steps", "epochs", "batch_size", "sampler", "seeds",
    "seed", "lr", "multipliers", "axes", "metric", "score", "tolerance", "keep", "eval_every",
    "eval_steps", "stop_diverged", "precision", "probes", "plan", "on", "parametrization", "log",
    "figures",    *_OPTIONS,
}  # fmt: skip
_FIND = _BOTH | {"lr_range", "confidence", "budget", "groups", "scale"}
_TAKES: Mapping[str, set[str]] = {
    "sweep": _BOTH | {"groups", "callbacks"},
    "find": _FIND | {"callbacks"},
    "compare": _FIND | {"entries"},
    "study": _FIND | {*_STUDY},
    "range-test": {
        "name", "task", "optimizer", "optimizer_args", "sampler", "seed", "multipliers", "axes",
        "stop_diverged", "precision", "plan", "on", "params", "log", "figures",
        *_RAMP,
    },
    "population": {
        "task", "lr", "steps", "optimizer", "batch_size", "schedule", "seed", "metric", "precision",
        *_OPTIONS,
    },
}  # fmt: skip
"""What each function takes besides hyper-parameters; another field of the schema is an error, as
nothing would come of it."""


def from_arguments(command: str = "sweep", **arguments: object) -> Experiment:
    """The experiment that keyword arguments describe, checked like a file.

    `task` is a name, a table, or a `Task` (then the experiment records its name and description
    and counts as made in Python); `optimizer` and `schedule` are names, tables, or functions
    (likewise); `optimizer_args` and `schedule_args` are their options. None means absent.
    Unknown arguments that are hyper-parameters are lane axes. `command="compare"` takes `entries`,
    name -> keyword arguments.

    Raises:
        ConfigError: with every problem found; the field names are the arguments'.

    >>> from_arguments("sweep", task={"name": "mine", "external": True}, lr=[0.1, 0.01]).steps
    2000
    """
    problems: list[Problem] = []
    table = _table(command, arguments, problems)
    for one in (table, *table.get("compare", {}).values()):
        absolute_paths(one, Path.cwd())
    return build(table, command, problems=problems)


def unknown(command: str, arguments: Table, where: str = "") -> dict[str, Problem]:
    """The arguments that `command` has no use for, each with what is wrong.

    What is left may be a hyper-parameter: a number, or a list of them, under a name that is no
    field's.

    >>> [str(one) for one in unknown("sweep", {"lr": [0.1], "optimiser_args": {}}).values()]
    ["optimiser_args: unknown argument of sweep; did you mean 'optimizer_args'?"]
    """
    takes, result = _TAKES.get(command, _FIND), {}
    if where:
        takes = takes - {*_WHOLE}
    # An entry of a comparison has no folder of its own, and a population is not recorded.
    own = () if where or command == "population" else _CALL
    for key, value in arguments.items():
        field = key in Experiment.model_fields or key in (*_OPTIONS, *_CALL, *_WHOLE)
        field = field and not (key == "scale" and numeric(plain(value)))
        if (
            key in takes
            or key in own
            or (not field and not key.endswith("_args") and numeric(plain(value)))
        ):
            continue
        others = [name for name, fields in _TAKES.items() if key in fields]
        close = f" ({_function(others[0])} takes it)" if others else ""
        if not field and not others:
            close = hint(key, sorted({*takes, *own}))
        close = " in a comparison" if where and key in _WHOLE else close
        message = f"unknown argument of {_function(command)}{close}"
        result[key] = Problem(PYTHON, None, f"{where}{key}", message)
    return result


def _function(command: str) -> str:
    return command.replace("-", "_")


def _table(command: str, arguments: Table, problems: list[Problem], where: str = "") -> JsonObject:
    table: JsonObject = {}
    wrong = unknown(command, arguments, where)
    problems += wrong.values()
    for key, value in arguments.items():
        if key == "confidence" and value is None:
            table[key] = NO_GOAL
        if value is None or key in wrong or key in _OPTIONS or key == "progress":
            continue
        if key in ("optimizer", "schedule"):
            table[key] = _spec(value, arguments.get(f"{key}_args"), key)
        elif key == "task":
            table[key] = _task(value)
        elif key == "plan":
            table[key] = _plan(value)
        elif key == "log":
            table[key], unusable = trackers.named(value)
            problems += unusable
        elif key == "on":
            table[key] = table_of(value) if isinstance(value, Ray) else plain(value)
        elif key == "entries":
            table["compare"] = _entries(value, problems)
        elif command == "study" and key in _STUDY:
            table.setdefault("study", {})[key] = plain(value)
        elif command == "range-test" and key in _RAMP:
            table.setdefault("range_test", {})[key] = plain(value)
        else:
            table[key] = plain(value)
    for key in ("optimizer", "schedule"):
        options = arguments.get(f"{key}_args")
        if options is not None and key not in table:
            table[key] = _options(options, key)
        elif options and key == "schedule" and _is_external(table.get(key)):
            # An optimizer's are handed to the function, which takes or refuses them when traced.
            message = "are for a registered schedule, and this one is a function; it may hold them"
            problems.append(Problem(PYTHON, None, f"{where}{key}_args", message))
    if command == "study" and is_axis(table.get("lr")):
        for key in ("budget", "lr_range"):
            if key in table:
                message = "unknown argument of study where lr is given: its groups are sweeps"
                problems.append(Problem(PYTHON, None, key, message))
    return table


def _is_external(table: object) -> bool:
    """Whether this stands for a function or an object of the user's."""
    return isinstance(table, dict) and bool(table.get("external"))


def _entries(given: object, problems: list[Problem]) -> JsonObject:
    """A comparison's entries, each a table of `find`'s arguments."""
    if not isinstance(given, Mapping):
        message = f"must be a mapping, name -> arguments of find, got {show(given)}"
        problems.append(Problem(PYTHON, None, "entries", message))
        return {}
    entries = {}
    for name, entry in given.items():
        if isinstance(entry, Mapping):
            entries[str(name)] = _table("find", entry, problems, f"entries.{name}.")
        else:
            message = f"must be a mapping of find's arguments to values, got {show(entry)}"
            problems.append(Problem(PYTHON, None, f"entries.{name}", message))
    return entries


def _options(given: object, kind: str) -> JsonObject:
    """`optimizer_args` and the like as a plain table."""
    if given is None or isinstance(given, Mapping):
        return plain_table(given or {})
    message = f"must be a mapping of options to values, got {show(given)}"
    raise ConfigError([Problem(PYTHON, None, f"{kind}_args", message)])


def _spec(value: object, options: object, kind: str) -> object:
    written = _options(options, kind)
    # Several schedules are a list; an `Optimizer`, like Optax's transformations, is a tuple too.
    if isinstance(value, str) or type(value) in (list, tuple):
        return {"name": plain(value), "external": False, **written}
    if isinstance(value, Mapping):
        return {**plain_table(value), **written}
    built = hasattr(value, "init") and hasattr(value, "update")  # an optax transformation
    if callable(value) or hasattr(value, "make") or built:
        return {
            "name": getattr(value, "__name__", type(value).__name__),
            "external": True,
            **written,
        }
    return value


def _task(value: object) -> object:
    if not hasattr(value, "functions"):
        return plain(value)
    source = getattr(value, "source", None) or {}
    return {"name": str(getattr(value, "name", "")), "external": True, "source": _described(source)}


_SAID_OF_A_PLAN = ("reasons", "tile_width_source")
"""What a plan says of itself: the same numbers handed over again are given ones."""


def _plan(value: object) -> object:
    asdict = getattr(value, "_asdict", None)
    if asdict is None:
        return plain(value)
    fields = asdict()
    return {
        key: plain(fields[key])
        for key in fields
        if key not in _SAID_OF_A_PLAN and fields[key] is not None
    }


def plain(value: object) -> object:
    """NumPy and JAX arrays, tuples and mappings as what TOML holds.

    >>> import numpy as np
    >>> plain({"lr": np.array([0.1, 1.0]), "seeds": range(2), "n": np.int64(3)})
    {'lr': [0.1, 1.0], 'seeds': [0, 1], 'n': 3}
    """
    if isinstance(value, Mapping):
        return plain_table(value)
    if isinstance(value, (list, tuple, range)):
        return [plain(entry) for entry in value]
    tolist = getattr(value, "tolist", None)
    return value if tolist is None or not hasattr(value, "dtype") else tolist()


def plain_table(table: Mapping[object, object]) -> JsonObject:
    """A mapping as TOML holds it, without what is None."""
    return {str(key): plain(entry) for key, entry in table.items() if entry is not None}


def _described(value: object) -> object:
    """A description for the record: whatever TOML cannot hold becomes text."""
    value = plain(value)
    if isinstance(value, dict):
        return {key: _described(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_described(entry) for entry in value if entry is not None]
    return value if isinstance(value, (bool, int, float, str)) else str(value)
