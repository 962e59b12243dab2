"""Reading the layers of a configuration (`extends`, the file, `--set`) into one plain table."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import NamedTuple

from lrlab.config import own_code
from lrlab.config.checks import FILE_SOURCES, NAMED
from lrlab.config.lanes import is_form
from lrlab.config.schema import TABLES
from lrlab.config.toml import Path, locate, parse_override
from lrlab.core.errors import Problem
from lrlab.core.text import JsonObject, Table

Places = dict[Path, tuple[str, int | None]]
OVERRIDE = "--set"
NAMED_TABLES = tuple(path for _, _, path in NAMED)
HUBS = ("hf", "tfds", "openml")
"""Data sources whose `path` is no file."""
PATHS = ("path", "labels")
"""Options of data sources that name files."""


DEEPEST = 100
"""Tables inside each other; no configuration has more than five."""


class Layer(NamedTuple):
    """A plain table, where each of its keys stands, and what could not be read."""

    table: JsonObject
    places: Places
    problems: tuple[Problem, ...] = ()
    broken: bool = False  # a file could not be read, so that what it says is not known


def read(file: File, chain: tuple[File, ...] = ()) -> Layer:
    """A file on top of the one it extends. Problems come back, they are not raised."""
    name = str(file)
    if (wrong := unusable(file)) is not None:
        return _broken(name, None, wrong)
    try:
        text = file.read_text(encoding="utf-8-sig")  # editors put a byte order mark in front
        table = tomllib.loads(text)
        lines = locate(text)
    except RecursionError:
        return _broken(name, 1, "not TOML: brackets are nested too deeply")
    except OSError as error:
        return _broken(name, None, f"cannot be read ({error.strerror})")
    except UnicodeDecodeError as error:
        wide = error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        why = "UTF-16 text; save the file as UTF-8" if wide else str(error)
        line = error.object.count(b"\n", 0, error.start) + 1
        return _broken(name, line, f"not TOML: {why}")
    except ValueError as error:  # not TOML, or a number of too many digits
        # Before Python 3.14 tomllib says the line in its text alone.
        result = re.search(r"at line (\d+)", str(error))
        at_end = getattr(error, "lineno", None) or len(file.read_bytes().splitlines()) or 1
        line = int(result[1]) if result else int(at_end)
        return _broken(name, line, f"not TOML: {error}")
    if any(len(path) > DEEPEST for path in lines):
        return _broken(name, 1, f"tables are nested too deeply (at most {DEEPEST})")
    layer = Layer(table, {path: (name, line) for path, line in lines.items()})
    parent = table.pop("extends", None)
    entries = table.get("compare")
    for one in (table, *(entries.values() if isinstance(entries, dict) else ())):
        absolute_paths(one, file.parent)
    if parent is None:
        return layer
    line = lines[("extends",)]
    if not isinstance(parent, str):
        problem = Problem(name, line, "extends", "must be the path of a TOML file")
        return layer._replace(problems=(problem,))
    shown = file.parent / File(parent).expanduser()
    if (wrong := unusable(shown)) is not None:
        problem = Problem(name, line, "extends", f"{wrong}: {shown}")
        return layer._replace(problems=(problem,), broken=True)
    below_file = shown.resolve()
    if below_file in (*chain, file.resolve()):
        circle = " -> ".join(part.name for part in (*chain, file.resolve(), below_file))
        return layer._replace(problems=(Problem(name, line, "extends", f"a circle: {circle}"),))
    return over(read(shown, (*chain, file.resolve())), layer)


def unusable(file: File) -> str | None:
    """Why a path is no configuration file; None: it is one."""
    try:
        if file.is_dir():
            return "is a folder, not a configuration file"
        return None if file.is_file() else "no such configuration file"
    except (OSError, ValueError) as error:  # too long, or with a character that no path has
        return f"no such configuration file ({getattr(error, 'strerror', None) or error})"


def _broken(name: str, line: int | None, message: str) -> Layer:
    return Layer({}, {}, (Problem(name, line, "", message),), broken=True)


def absolute_paths(table: object, folder: File) -> None:
    """Paths of data and weights are relative to the file that names them, where they exist there;
    own code is looked for beside it."""
    if not isinstance(table, dict):
        return
    own_code.beside(table, folder)
    task = _table(table, "task")
    if task is None:
        return
    if "params" in task:
        task["params"] = _beside(task["params"], folder)
    source, colon, rest = str(task.get("name", "")).partition(":")
    path, dash, model = rest.rpartition("-")  # as in csv:my.csv-mlp
    if colon and dash and source in FILE_SOURCES:
        task["name"] = f"{source}:{_beside(path, folder)}-{model}"
    data = _table(task, "data")
    if data is None:
        return
    name = data.get("name")
    if isinstance(name, str) and name.partition(":")[0] in FILE_SOURCES and ":" in name:
        data["name"], _, rest = name.partition(":")
        data.setdefault("path", rest)
    for key in PATHS if data.get("name") not in HUBS else ():
        if key in data:
            data[key] = _beside(data[key], folder)


def _table(parent: JsonObject, key: str) -> JsonObject | None:
    """The table at `key`, or None; a text stands for a table with that name."""
    table = parent.get(key)
    if isinstance(table, str):
        parent[key] = table = {"name": table}
    return table if isinstance(table, dict) else None


def _beside(path: object, folder: File) -> object:
    """A relative path, where it exists, made absolute: from `folder` on, else from the working
    folder, so that it is found again from any other."""
    if not isinstance(path, str) or File(path).is_absolute():
        return path
    value = File(os.path.expanduser(path))
    place = next((place for place in (folder / value, value) if os.path.exists(place)), None)
    return path if place is None else str(place.resolve())


def override(layer: Layer, settings: Sequence[str]) -> Layer:
    """`--set` options on top, in order, names before options: `--set optimizer.b1=0.8 --set
    optimizer.name=adamw` is the same the other way round. A table given whole replaces, and so does
    a list."""
    for number, text in sorted(enumerate(settings, start=1), key=lambda one: not _names(one[1])):
        try:
            path, value = parse_override(text)
        except ValueError as error:
            problem = Problem(OVERRIDE, number, text.partition("=")[0].strip(), str(error))
            layer = layer._replace(problems=(*layer.problems, problem))
            continue
        places: Places = {path[:n]: (OVERRIDE, number) for n in range(len(path), 0, -1)}
        if isinstance(value, dict):  # replaces: remove first, then merge
            layer = layer._replace(table=_without(layer.table, path))
        kept = {p: place for p, place in places.items() if p == path or p not in layer.places}
        layer = over(layer, Layer(nested(path, value), kept))
    return layer


def _names(setting: str) -> bool:
    """Whether a `--set` option names an optimizer, schedule, model, data source or task.

    >>> _names("optimizer.name=adam"), _names("optimizer=adam"), _names("optimizer.b1=0.8")
    (True, True, False)
    """
    written, _, value = setting.partition("=")
    path = tuple(written.strip().split("."))
    named = path[:-1] if path[-1] == "name" else path
    return named in NAMED_TABLES and not value.lstrip().startswith("{")


def nested(path: Path, value: object) -> JsonObject:
    """The table that holds `value` at `path`, and nothing else.

    >>> nested(("plan", "devices"), 2)
    {'plan': {'devices': 2}}
    """
    *above, last = path
    table: JsonObject = {last: value}
    for key in reversed(above):
        table = {key: table}
    return table


def over(below: Layer, above: Layer) -> Layer:
    """`above` merged onto `below`: tables key by key, everything else replaced."""
    table = dict(below.table)
    for one, other in (("steps", "epochs"), ("epochs", "steps")):
        if one in above.table and other not in above.table:
            table.pop(other, None)
    return Layer(
        merge(table, above.table),
        {**below.places, **above.places},
        (*below.problems, *above.problems),
        below.broken or above.broken,
    )


def merge(below: Table, above: Table, path: Path = ()) -> JsonObject:
    """Nested tables merged; a lane form (`{log = [...]}`) counts as a value.

    Another name brings its own options: where `above` names another optimizer (schedule, model,
    data source, task), the options that belonged to the former are dropped.

    >>> merge({"optimizer": {"name": "adamw", "b1": 0.8}, "lr": {"log": [1, 2, 3]}},
    ...       {"optimizer": {"name": "sgd"}, "lr": 0.1})
    {'optimizer': {'name': 'sgd'}, 'lr': 0.1}
    """
    result = dict(below)
    for key, value in above.items():
        old, here = result.get(key), (*path, key)
        if here in NAMED_TABLES:  # the shorthand `optimizer = "adam"`
            old = {"name": old} if isinstance(old, str) else old
            value = {"name": value} if isinstance(value, str) else value
        if not isinstance(value, Mapping) or (is_form(value) and here not in TABLES):
            result[key] = value
            continue
        old = old if isinstance(old, Mapping) and (not is_form(old) or here in TABLES) else {}
        if here in own_code.OWN:
            old = own_code.replaced(old, value)
        if here in NAMED_TABLES and "name" in value:
            old = _of_any_name(here, old, value["name"])
        result[key] = merge(old, value, here)
    return result


def _of_any_name(path: Path, old: Table, name: object) -> JsonObject:
    """What stays of a named table when `name` takes over: all of it, or what is no option."""
    fields = TABLES[path].model_fields
    if not old or old.get("name", fields["name"].default) == name:
        return dict(old)
    keep = set(fields) - {"path", "external", *own_code.KEYS} if path != ("task",) else set()
    return {key: value for key, value in old.items() if key in keep}


def _without(table: JsonObject, path: Path) -> JsonObject:
    head, *rest = path
    if not rest:
        return {key: value for key, value in table.items() if key != head}
    below = table.get(head)
    return {**table, head: _without(below, tuple(rest))} if isinstance(below, dict) else table
