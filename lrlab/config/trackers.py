"""`log`: the trackers of a run and their options, as a table, a list or a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from lrlab import loggers
from lrlab.config.options import Found, wrong_with
from lrlab.core import registry
from lrlab.core.errors import PYTHON, ConfigError, Problem
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import JsonObject, Table, show
from lrlab.loggers.protocol import Logger

LogLike: TypeAlias = "str | Table | Logger | Sequence[str | Table | Logger]"
"""What `log=` takes: a tracker's name, a table of its options with its `name`, a logger; or several
of these."""


def tables(value: object) -> object:
    """What stands under `log` as a table of options by tracker; what cannot be read as one stays,
    for `check` to name.

    >>> tables(["wandb", {"tracker": "mlflow", "uri": "sqlite:///a.db"}])
    {'wandb': {}, 'mlflow': {'uri': 'sqlite:///a.db'}}
    >>> tables({"wandb": True, "mlflow": False})
    {'wandb': {}}
    """
    if isinstance(value, Mapping):
        of_bool = {True: {}, False: None}
        spread = {
            name: of_bool[options] if isinstance(options, bool) else options
            for name, options in value.items()
        }
        return {name: options for name, options in spread.items() if options is not None}
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)):
        return value
    result: dict[str, object] = {}
    for entry in listed:
        name = entry.get(KEY) if isinstance(entry, Mapping) else entry
        if not isinstance(name, str) or name in result:
            return value
        options = entry if isinstance(entry, Mapping) else {}
        result[name] = {key: one for key, one in options.items() if key != KEY}
    return result


KEY = "tracker"
"""The key of an entry with options that says which tracker it is; `name` is the tracker run's."""


def _table(value: object) -> object:
    if isinstance(value, Mapping):
        return value
    form = '["wandb", {tracker = "mlflow", experiment = "mine"}]'
    raise ValueError(f"must list trackers, each once, as {form}; got {show(value)}")


Trackers = Annotated[dict[str, JsonObject], BeforeValidator(_table)]
"""Tracker -> its options."""


def check(value: object) -> Found:
    """What is wrong with the table of trackers (see `tables`)."""
    for name, options in value.items() if isinstance(value, Mapping) else ():
        if not registry.has(loggers.REGISTRY, name):
            known = ", ".join(loggers.NAMES)
            close = did_you_mean(str(name), loggers.NAMES)
            yield ("log", str(name)), f"unknown tracker {name!r}{close}; known: {known}"
            continue
        if not isinstance(options, Mapping):
            yield ("log", name), f"must be true or a table of options, got {show(options)}"
            continue
        accepted = registry.parameters(loggers.REGISTRY, name)
        for option, given in options.items():
            path = ("log", name, str(option))
            if option not in accepted:
                close, takes = did_you_mean(str(option), accepted), ", ".join(accepted)
                yield path, f"unknown option of tracker {name!r}{close} (it takes: {takes})"
            elif wrong := wrong_with(option, given, accepted[option], "loggers"):
                yield path, wrong


def named(log: LogLike) -> tuple[list[object], list[Problem]]:
    """The trackers of `log=` that a file could name; and what is wrong with the other entries."""
    kept, problems = [], []
    for place, entry in enumerate(_listed(log)):
        if isinstance(entry, (str, Mapping)):
            kept.append(entry)
        elif isinstance(entry, type) or not isinstance(entry, Logger):
            what = "is a class, write its call" if isinstance(entry, type) else f"got {show(entry)}"
            message = f"must be a tracker's name, a table with its options, or a logger; {what}"
            problems.append(Problem(PYTHON, None, f"log[{place}]", message))
    return kept, problems


def own_loggers(log: LogLike) -> tuple[Logger, ...]:
    """The loggers of `log=` that only Python can hand over.

    Raises:
        ConfigError: an entry that is nothing to log to.
    """
    problems = named(log)[1]
    if problems:
        raise ConfigError(problems)
    return tuple(entry for entry in _listed(log) if isinstance(entry, Logger))


def _listed(log: LogLike) -> list[object]:
    if isinstance(log, Sequence) and not isinstance(log, str):
        return list(log)
    return [] if log is None else [log]
