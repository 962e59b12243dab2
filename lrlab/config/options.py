"""Options of registered things: whether a value can stand where a default stands."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Iterator, Mapping

from lrlab.config import names
from lrlab.config.lanes import is_form, lane_form
from lrlab.core.registry import Parameter
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import show
from lrlab.schedules.lengths import LENGTHS, in_words

Path = tuple[str, ...]
Found = Iterator[tuple[Path, str]]


def wrong_with(option: str, value: object, expected: Parameter | None, kind: str) -> str:
    """What is wrong with an option's value, judged by the default it stands in for."""
    if kind == "schedules" and _in_words(option, value):
        return ""
    if too_long := [number for number in _whole_numbers(value) if abs(number) >= 2**63]:
        return f"must be below 2^63, got {show(too_long[0])}; with a point it may be larger"
    default = None if expected is None else expected.default
    swept = kind in ("optimizers", "schedules") and (is_form(value) or isinstance(value, list))
    if expected is not None and expected.sequence and (swept or isinstance(value, list)):
        return "" if isinstance(value, list) else f"must be a list, got {show(value)}"
    whole = isinstance(default, int) and kind != "schedules"  # a schedule's 1 is a float's
    if swept:
        if isinstance(default, (bool, str)) or whole:
            return "cannot be a lane axis, as it shapes the program: give one value"
        try:
            lane_form(value)
        except ValueError as error:
            return str(error)
        return ""
    if isinstance(value, list) and expected is None:
        return ""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be finite, got {show(value)}"
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else f"must be true or false, got {show(value)}"
    if whole:
        fits = isinstance(value, (int, float)) and number and float(value).is_integer()
        return "" if fits else f"must be a whole number, got {show(value)}"
    if isinstance(default, (int, float)) and not number:
        return f"must be a number, got {show(value)}"
    if isinstance(default, str) and not isinstance(value, str):
        return f"must be a string, got {show(value)}"
    return ""


def _in_words(parameter: str, value: object) -> bool:
    """Whether `value` is a length such as "3 epochs" for a schedule's parameter that is one."""
    every = value if isinstance(value, list) else [value]
    return parameter in LENGTHS and any(map(in_words, every))


def _whole_numbers(value: object) -> Iterator[int]:
    """The whole numbers in a value, which no array holds from 2^63 on."""
    if isinstance(value, int):
        yield value
    for entry in value if isinstance(value, list) else ():
        yield from _whole_numbers(entry)


def dates(value: object, path: Path = ()) -> Found:
    """Dates and times, which TOML has and no field takes."""
    if isinstance(value, (datetime.date, datetime.time)):
        yield path, f'must not be a date or a time, got {value}; a text is written "{value}"'
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from dates(entry, (*path, str(key)))
    elif isinstance(value, list):
        for entry in value:
            yield from dates(entry, path)


def probes(entries: Iterable[object]) -> Found:
    """What is wrong with the list of probes."""
    taken: set[str] = set()
    for position, entry in enumerate(entries):
        place = ("probes", str(position))
        if not isinstance(entry, Mapping) or not isinstance(name := entry.get("name"), str):
            continue
        if not names.known("probes", name):
            hint = did_you_mean(name, names.REGISTRIES["probes"].entries)
            yield place, f"unknown probe {name!r}{hint} (known: `lrlab ls probes`)"
            continue
        if name in taken:
            yield place, f"probe {name!r} is listed twice"
        taken.add(name)
        accepted = names.parameters("probes", name) or {}
        for option, value in entry.items():
            if option in ("name", "every"):
                continue
            if option not in accepted:
                hint, takes = did_you_mean(option, accepted), ", ".join(accepted)
                message = f"unknown option of probe {name!r}{hint} (it takes: {takes})"
                yield (*place, option), message
                continue
            problem = wrong_with(option, value, accepted[option], "probes")
            if problem:
                yield (*place, option), problem


def at(raw: object, path: Path) -> object:
    """The value at `path`, or None."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw
