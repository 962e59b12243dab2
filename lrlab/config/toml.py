"""TOML text: on which line each key stands, `--set` options, and writing."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping

from lrlab.config.lanes import is_form
from lrlab.core.text import Table

Path = tuple[str, ...]

_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_KEY = re.compile(r"""\s*([A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')\s*""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BARE_STRING = re.compile(r"[^\s\[\]{}\"'#=,](?:[^\[\]{}\"'#,]*[^\s\[\]{}\"'#,])?")
_SIGNS = (",", ";", "|", ".")  # of a table: nobody types quotes within quotes for them


def locate(text: str) -> dict[Path, int]:
    r"""The line (from 1) of every key and list item of a valid TOML text, by path.

    >>> locate("steps = 3\n[task]\ndata = {name = 'digits'}\n")[("task", "data", "name")]
    3
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    arrays: dict[Path, int] = {}

    def note(path: Path, position: int) -> None:
        line = text.count("\n", 0, position) + 1
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], line)

    def keys(position: int) -> tuple[Path, int]:
        result: list[str] = []
        while match := _KEY.match(text, position):
            result.append(_plain(match[1]))
            position = match.end()
            if not text.startswith(".", position):
                break
            position += 1
        return tuple(result), position

    def pair(position: int, prefix: Path) -> int:
        result, end = keys(position)
        path = prefix + result
        note(path, position)
        return value(_BLANK.match(text, end + 1).end(), path)  # type: ignore[union-attr]

    def value(position: int, path: Path) -> int:
        opening = text[position : position + 1]
        if opening not in "[{" or not opening:
            pattern = _STRING if opening in ("'", '"') else _SCALAR
            match = pattern.match(text, position)
            return match.end() if match else len(text)
        position, index = position + 1, 0
        while True:
            position = _BLANK.match(text, position).end()  # type: ignore[union-attr]
            if position >= len(text) or text[position] in "]}":
                return position + 1
            if text[position] == ",":
                position += 1
            elif opening == "{":
                position = pair(position, path)
            else:
                note((*path, str(index)), position)
                position = value(position, (*path, str(index)))
                index += 1

    position = 0
    while True:
        position = _BLANK.match(text, position).end()  # type: ignore[union-attr]
        if position >= len(text):
            return lines
        if text[position] == "[":
            array = text.startswith("[[", position)
            table, end = keys(position + 1 + array)
            note(table, position)
            if array:
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, str(arrays[table]))
                note(table, position)
            position = end + 1 + array
        else:
            position = pair(position, table)


def _plain(key: str) -> str:
    return tomllib.loads(f"v = {key}")["v"] if key[0] in "\"'" else key


def parse_override(text: str) -> tuple[Path, object]:
    """`a.b=value` as (path, value); the value in TOML syntax, or a bare string.

    >>> parse_override("optimizer.name=adam"), parse_override("lr=[1e-3, 0.1]")
    ((('optimizer', 'name'), 'adam'), (('lr',), [0.001, 0.1]))
    >>> parse_override("task.data.decimal=,")
    (('task', 'data', 'decimal'), ',')
    """
    position, path = 0, []
    while match := _KEY.match(text, position):
        path.append(_plain(match[1]))
        position = match.end()
        if not text.startswith(".", position):
            break
        position += 1
    if not path or not text.startswith("=", position):
        raise ValueError(f"must be written key=value or a.b=value, got {text!r}")
    written = text[position + 1 :].strip()
    try:
        return tuple(path), tomllib.loads(f"v = {written}")["v"]
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None
    except tomllib.TOMLDecodeError:
        pass
    except ValueError as error:  # a number of too many digits
        raise ValueError(f"not a TOML value ({error})") from None
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", written):  # .5 and 1. are not TOML
        return tuple(path), float(written)
    if _BARE_STRING.fullmatch(written) or written in _SIGNS:
        return tuple(path), written
    raise ValueError(f"not a TOML value: {written!r}")


def dumps(table: Table) -> str:
    """A mapping as TOML text; entries that are None are left out.

    >>> print(dumps({"steps": 3, "task": {"name": "bowl"}, "lr": {"log": [0.1, 1.0, 3]}}), end="")
    steps = 3
    lr = {log = [0.1, 1.0, 3]}
    <BLANKLINE>
    [task]
    name = "bowl"
    """
    blocks: list[str] = []
    _write(table, (), blocks)
    return "\n".join(block for block in blocks if block)


def _write(table: Table, path: Path, blocks: list[str]) -> None:
    here, below = [], []
    for key, value in table.items():
        if isinstance(value, Mapping) and not is_form(value):
            below.append((key, value))
        elif value is not None:
            here.append(f"{_key(key)} = {written(value)}\n")
    if path and (here or not below):
        here.insert(0, "[" + ".".join(map(_key, path)) + "]\n")
    blocks.append("".join(here))
    for key, value in below:
        _write(value, (*path, key), blocks)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def written(value: object) -> str:
    """A value as TOML text on one line.

    >>> written({"name": "csv", "path": "a b.csv"})
    '{name = "csv", path = "a b.csv"}'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, Mapping):
        items = (f"{_key(k)} = {written(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(items) + "}"
    raise TypeError(f"cannot be written as TOML: {value!r}")
