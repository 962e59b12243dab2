"""Multipliers of the learning rate by parameter: pattern of paths -> number or lane axis."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import PlainValidator

from lrlab.config.lanes import is_axis, lane_form, values
from lrlab.core.text import JsonObject, Table, show

Path = tuple[str, ...]
LONGEST = 60
"""Characters of a pattern in the name of its axis."""


def axis_name(pattern: str) -> str:
    """The lane axis of a pattern's multipliers: a name for arrays and files.

    >>> axis_name("readout"), axis_name("block_*/kernel"), axis_name("^(in|out)/")
    ('multiplier_readout', 'multiplier_block.kernel', 'multiplier_in-out')
    """
    parts = [re.sub(r"[^\w+]+", "-", part).strip("-_") for part in pattern.split("/")]
    return f"multiplier_{'.'.join(filter(None, parts))[:LONGEST] or 'all'}"


def swept(raw: Table) -> Iterator[tuple[Path, object]]:
    """The lane axes among the multipliers of a table that need not be valid."""
    table = raw.get("multipliers")
    for pattern, form in table.items() if isinstance(table, Mapping) else ():
        if is_axis(form):
            yield ("multipliers", str(pattern)), form


def check(raw: Table) -> Iterator[tuple[Path, str]]:
    """What is wrong with the multipliers beside the rest of a configuration."""
    optimizer = raw.get("optimizer")
    options = optimizer.get("multipliers") if isinstance(optimizer, Mapping) else None
    if isinstance(options, Mapping):
        for pattern, form in options.items():
            if is_axis(form):
                message = "cannot be a lane axis here; write it in [multipliers]"
                yield ("optimizer", "multipliers", str(pattern)), message
        if raw.get("multipliers"):
            yield ("multipliers",), "are already given by optimizer.multipliers"
    paths = [path for path, _ in swept(raw)]
    named = Counter(axis_name(pattern) for _, pattern in paths)
    for path in paths:
        name = axis_name(path[1])
        if named[name] > 1:
            yield path, f"two patterns would make an axis {name!r}; write one of them otherwise"


def _multipliers(value: object) -> JsonObject:
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table, pattern of paths = number or list, got {show(value)}")
    result = {}
    for pattern, form in value.items():
        if not isinstance(pattern, str) or not pattern:
            raise ValueError(f"a pattern must be a word of parameter paths, got {show(pattern)}")
        try:
            result[pattern] = lane_form(form)
            if min(values(result[pattern])) < 0:
                raise ValueError(f"must be at least 0, got {show(form)}")
        except ValueError as error:
            raise ValueError(f"{pattern!r}: {error}") from None
    return result


Multipliers = Annotated[JsonObject, PlainValidator(_multipliers)]
