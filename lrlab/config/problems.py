"""What is wrong with a configuration, and where: all problems are reported at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

PYTHON = "<python>"
"""The file name of problems found in arguments rather than in a file."""


class Problem(NamedTuple):
    """One mistake. `line` counts from 1; for `--set` it counts the options; None for arguments."""

    file: str
    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        where = "" if self.file == PYTHON else self.file
        if where and self.line is not None:
            where = f"{where}:{self.line}"
        return ": ".join(part for part in (where, self.field, self.message) if part)


class ConfigError(ValueError):
    """Bad input, found before anything is compiled or written; `problems` lists every mistake.

    >>> str(ConfigError([Problem("a.toml", 3, "steps", "must be at least 1, got 0")]))
    'a.toml:3: steps: must be at least 1, got 0'
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def show(value: Any) -> str:
    """A value as a person would write it in TOML, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
