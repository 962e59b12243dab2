"""What is wrong with a configuration, and where: all problems are reported at once."""

from __future__ import annotations

import difflib
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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` where something close is known, else `""`.

    >>> did_you_mean("cosin", ["cosine", "linear"])
    "; did you mean 'cosine'?"
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        close = [name for name in known if name.lower() == word.lower()]
    return f"; did you mean {close[0]!r}?" if close else ""


def show(value: Any) -> str:
    """A value as a person would write it in TOML, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
