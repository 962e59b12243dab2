"""Numbers as people read them, and as a page's script does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsFloat, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""What JSON can hold."""

Table: TypeAlias = Mapping[str, Any]
"""A table as TOML, JSON or keyword arguments hold it: what its values are is checked where they are
used."""

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object that is made here, to be written or printed."""

OWN_STEP = "the task's own step"
"""What stands where others name their optimizer (`Task.step`)."""

JSON_DIGITS = 5
"""Significant digits of a plotted number in JSON: finer than a pixel, and a third of the bytes."""


def number(value: SupportsFloat | str | None, significant: int = 3) -> str:
    """A number in few digits, without padding; "-" for none and nan. Names stay as they are.

    >>> number(0.0316227), number(1e-5), number(120000.0), number(float("nan")), number(20)
    ('0.0316', '1e-5', '1.2e5', '-', '20')
    """
    if isinstance(value, str):
        return value
    if value is None or not math.isfinite(value):
        return "-"
    digits, _, power = f"{float(value):.{significant}g}".partition("e")
    return f"{digits}e{int(power)}" if power else digits


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun, in the singular or the plural (the noun with an s, unless given).

    >>> counted(1, "seed"), counted(2000, "seed"), counted(3, "batch", "batches")
    ('1 seed', '2,000 seeds', '3 batches')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def rate(value: float | None) -> str:
    """A recommended learning rate in the two digits that a person types; "-" for none.

    >>> rate(0.031622), rate(1e-05), rate(3.0), rate(None)
    ('0.032', '1e-05', '3', '-')
    """
    return "-" if value is None else f"{value:.2g}"


def interval(ends: Sequence[float] | None, shown: Callable[[float], str] = number) -> str:
    """Two ends in words, or "-" for none.

    >>> interval((0.01, 0.1)), interval((0.0123, 0.1), rate), interval(None)
    ('0.01 to 0.1', '0.012 to 0.1', '-')
    """
    return " to ".join(map(shown, ends)) if ends else "-"


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(0.0042), duration(12.34), duration(754), duration(7325)
    ('4.2 ms', '12.3 s', '12 min 34 s', '2 h 2 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def spaced(name: str) -> str:
    """A name of the configuration in words.

    >>> spaced("weight_decay")
    'weight decay'
    """
    return name.replace("_", " ")


def rounded(value: SupportsFloat | str | None) -> float | str | None:
    """A number in `JSON_DIGITS` digits for JSON; None for what is not finite. Names stay.

    >>> rounded(0.123456789), rounded(float("nan")), rounded("cosine")
    (0.12346, None, 'cosine')
    """
    if isinstance(value, str):
        return str(value)
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.{JSON_DIGITS}g}")


def show(value: object) -> str:
    """A value as a person would write it in TOML, shortened.

    >>> show([0.1, 1e-05]), show("sgd")
    ('[0.1, 1e-05]', '"sgd"')
    """
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def first_line(error: BaseException, longest: int = 200) -> str:
    r"""An exception in one line: its kind, and the first line that it says, cut to so many
    characters.

    >>> first_line(ValueError("no such axis\nat 3")), first_line(KeyError())
    ('ValueError: no such axis', 'KeyError')
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:longest]}" if lines else type(error).__name__


def percent(share: float) -> str:
    """A share as a person writes it.

    >>> percent(0.01), percent(0.0234), percent(0.996), percent(1.0)
    ('1 %', '2.3 %', '99.6 %', '100 %')
    """
    value = 100 * share
    return f"{value:.3g} %" if 99 < value < 100 else f"{float(f'{value:.2g}'):g} %"


def flattened(table: Table, prefix: str = "") -> JsonObject:
    """The values of nested tables by their paths; an empty table is a value.

    >>> flattened({"steps": 60, "task": {"name": "a", "model": {}}})
    {'steps': 60, 'task.name': 'a', 'task.model': {}}
    """
    result: JsonObject = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            result |= flattened(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result
