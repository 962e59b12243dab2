"""The Python API's keyword arguments as the table that a TOML file would hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrlab.config.loading import build
from lrlab.config.problems import PYTHON, ConfigError, Problem, show
from lrlab.config.schema import Experiment, RangeTestSpec, StudySpec

_IGNORED = ("progress", "params")
_RAMP = tuple(RangeTestSpec.model_fields)
_STUDY = tuple(StudySpec.model_fields)


def from_arguments(command: str = "sweep", **arguments: Any) -> Experiment:
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
    return build(_table(command, arguments), command)


def _table(command: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in arguments.items():
        if value is None or key in _IGNORED or key.endswith("_args"):
            continue
        if key in ("optimizer", "schedule"):
            table[key] = _spec(value, arguments.get(f"{key}_args"), key)
        elif key == "task":
            table[key] = _task(value)
        elif key == "plan":
            table[key] = _plan(value)
        elif key == "entries":
            table["compare"] = {str(name): _table("find", entry) for name, entry in value.items()}
        elif command == "study" and key in _STUDY:
            table.setdefault("study", {})[key] = plain(value)
        elif command == "range-test" and key in _RAMP:
            table.setdefault("range_test", {})[key] = plain(value)
        else:
            table[key] = plain(value)
    for key in ("optimizer", "schedule"):
        if arguments.get(f"{key}_args") is not None and key not in table:
            table[key] = _options(arguments[f"{key}_args"], key)
    return table


def _options(given: Any, kind: str) -> dict[str, Any]:
    """`optimizer_args` and the like as a plain table."""
    if given is None or isinstance(given, Mapping):
        return dict(plain(given or {}))
    message = f"must be a mapping of options to values, got {show(given)}"
    raise ConfigError([Problem(PYTHON, None, f"{kind}_args", message)])


def _spec(value: Any, options: Any, kind: str) -> Any:
    given = _options(options, kind)
    # Several schedules are a list; an `Optimizer`, like Optax's transformations, is a tuple too.
    if isinstance(value, str) or type(value) in (list, tuple):
        return {"name": plain(value), "external": False, **given}
    if isinstance(value, Mapping):
        return {**plain(value), **given}
    made = hasattr(value, "init") and hasattr(value, "update")  # an optax transformation
    if callable(value) or hasattr(value, "make") or made:
        return {"name": getattr(value, "__name__", type(value).__name__), "external": True, **given}
    return value


def _task(value: Any) -> Any:
    if not hasattr(value, "functions"):
        return plain(value)
    source = getattr(value, "source", None) or {}
    return {"name": str(value.name), "external": True, "source": _told(source)}


def _plan(value: Any) -> Any:
    if not hasattr(value, "_asdict"):
        return plain(value)
    fields = value._asdict()
    return {
        key: plain(fields[key]) for key in fields if key != "reasons" and fields[key] is not None
    }


def plain(value: Any) -> Any:
    """NumPy and JAX arrays, tuples and mappings as what TOML holds.

    >>> import numpy as np
    >>> plain({"lr": np.array([0.1, 1.0]), "seeds": range(2), "n": np.int64(3)})
    {'lr': [0.1, 1.0], 'seeds': [0, 1], 'n': 3}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, (list, tuple, range)):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    return value


def _told(value: Any) -> Any:
    """A description for the record: whatever TOML cannot hold becomes text."""
    value = plain(value)
    if isinstance(value, dict):
        return {key: _told(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_told(entry) for entry in value if entry is not None]
    return value if isinstance(value, (bool, int, float, str)) else str(value)
