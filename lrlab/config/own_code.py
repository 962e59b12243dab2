"""Own code in a configuration: `python = "module:function"` with `options`. Nothing is imported.

`[task]`, `[task.model]`, `[optimizer]` and `[schedule]` take these keys in place of a name.
`folder` is where the module is looked for first: that of the file that says `python`. `name`
becomes what `python` says, which is no registered name, as those have no colon.
"""

from __future__ import annotations

from collections.abc import Mapping
from os.path import expanduser
from pathlib import Path as File

from lrlab.config.options import Found, Path, at
from lrlab.core.own_sources import wrong_place
from lrlab.core.paths import resolved
from lrlab.core.text import JsonObject, Table

OWN: tuple[Path, ...] = (("task",), ("task", "model"), ("optimizer",), ("schedule",))
"""The tables that may name own code."""

KEYS = ("python", "options", "folder")
"""The keys that say it."""

WEIGHTS = ("params", "trainable")
"""The keys of `[task]` about weights from a file, and what is trained of them."""

PARTS = ("model", "data", "loss", "metrics", *WEIGHTS)
"""The keys of `[task]` that its function takes the place of."""


def is_own(table: object) -> bool:
    """Whether a table names own code.

    >>> is_own({"python": "mine:make"}), is_own({"name": "adam"})
    (True, False)
    """
    return isinstance(table, Mapping) and table.get("python") is not None


def beside(table: object, folder: File) -> None:
    """Puts the folder of the file into every table that names own code; a folder that is there is
    relative to it."""
    for path in OWN:
        one = at(table, path)
        place = one.get("folder", "") if isinstance(one, dict) and is_own(one) else None
        if isinstance(place, str) and "\0" not in place:  # what is wrong with others is said later
            one["folder"] = str(resolved(folder / expanduser(place)))  # type: ignore[index]


def named(raw: JsonObject) -> None:
    """Fills in the `name` of own code in a table whose first level is a copy."""
    for path in OWN:
        one, parent = at(raw, path), at(raw, path[:-1])
        python = one.get("python") if isinstance(one, Mapping) else None
        if isinstance(python, str) and isinstance(parent, dict):
            parent[path[-1]] = {"name": python, **one}  # type: ignore[dict-item]


def check(raw: Table) -> Found:
    """What is wrong with the keys about own code, as far as the file alone says."""
    for path in OWN:
        table = at(raw, path)
        if not isinstance(table, Mapping):
            continue
        python = table.get("python")
        if python is None:
            if table.get("options"):
                message = "goes with python; the options of a name stand beside it"
                yield (*path, "options"), message
            continue
        if wrong := wrong_place(python):
            yield (*path, "python"), wrong
            continue
        if "\0" in str(table.get("folder")):
            yield (*path, "folder"), "is no path"
        if table.get("name", python) != python:
            yield (*path, "name"), f"cannot stand beside python = {python!r}; give one of them"
        for key, value in table.items():
            if key in (*KEYS, "name", "external") or value is None:
                continue
            what = "unknown key"
            if path == ("task",) and key in PARTS:
                what = "cannot stand beside python: the function gives the whole task"
            yield (*path, key), f"{what}; what {python} takes is written options.{key} = ..."
    axes, options = raw.get("axes"), at(raw, ("optimizer", "options"))
    for key in axes if isinstance(axes, Mapping) and isinstance(options, Mapping) else ():
        if key in options:  # type: ignore[operator]
            yield ("axes", key), f"{key} is already given by optimizer.options.{key}"


def replaced(old: Table, new: Table) -> JsonObject:
    """What stays of a table under one that names other own code, or a name in its place."""
    if is_own(new) and new["python"] != old.get("python"):
        return {}
    if "name" in new and is_own(old) and new["name"] != old["python"]:
        return {key: value for key, value in old.items() if key not in (*KEYS, "name")}
    return dict(old)


def spoken(content: JsonObject) -> JsonObject:
    """The content of an experiment, its keys about own code and weights removed where they say
    nothing."""
    for path in OWN:
        table = at(content, path)
        keys = (*KEYS, *WEIGHTS) if path == ("task",) else KEYS
        for key in keys if isinstance(table, dict) else ():
            if not table.get(key):  # type: ignore[union-attr]
                table.pop(key, None)  # type: ignore[union-attr]
    return content


def placeless(content: JsonObject) -> JsonObject:
    """The content of an experiment without the folders of own code and the file of weights: where
    these lie decides nothing, and a run's identity has a digest of the weights."""
    entries = content.get("compare")
    for one in (content, *(entries.values() if isinstance(entries, dict) else ())):
        for path in OWN:
            table = at(one, path)
            if isinstance(table, dict) and is_own(table):
                table.pop("folder", None)
        task = at(one, ("task",))
        if isinstance(task, dict) and isinstance(task.get("params"), str):
            task["params"] = True
    return content
