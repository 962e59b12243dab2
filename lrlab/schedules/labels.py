"""Schedules in words, for legends."""

from __future__ import annotations

from collections.abc import Sequence

from lrlab.core.text import Table

Entry = str | Table
"""A schedule's name, or a table of its name and what is given with it."""


def label(entry: Entry) -> str:
    """A schedule in words, for legends: its name and what was given with it.

    >>> label({"name": "wsd", "cooldown": 0.3})
    'wsd, cooldown 0.3'
    """
    if isinstance(entry, str):
        return entry
    return ", ".join(str(v) if k == "name" else f"{k} {_short(v)}" for k, v in entry.items())


def labels(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The labels of several schedules, each its own: equal ones are counted.

    >>> labels(["linear", {"name": "wsd", "cooldown": 0.3}, "linear"])
    ('linear', 'wsd, cooldown 0.3', 'linear (2)')
    """
    result: list[str] = []
    for words in map(label, entries):
        count = 1 + sum(one == words or one.startswith(f"{words} (") for one in result)
        result.append(words if count == 1 else f"{words} ({count})")
    return tuple(result)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
