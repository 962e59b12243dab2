"""Errors with fields: nobody reads their words to find out what they are about."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lrlab.core.paths import shown

FieldPath = tuple[str, ...]
"""The keys that lead to a field of the configuration."""

PYTHON = "<python>"
"""The file name of problems found in arguments rather than in a file."""


class FieldError(ValueError):
    """Bad input that is found below the configuration: `path` is where, as far as is known there.

    A model that refuses its depth knows "depth"; whoever knows that it stands in `task.model` puts
    that in front (`within`).

    Args:
        field: the path, with dots between its parts, or the parts (one may have dots of its own).
        message: what is wrong, and what to do.
        also: options beside the last part that may be wrong instead; the place is the first of
            them that the configuration sets.

    >>> FieldError("optimizer.beta", "must be below 1").path
    ('optimizer', 'beta')
    """

    def __init__(
        self, field: str | Sequence[str], message: str, also: str | Sequence[str] = ()
    ) -> None:
        # `args` stay those of the call, by which a copy in another process is made.
        self.path: FieldPath = _parts(field)
        self.also: FieldPath = _parts(also)
        self.text = message

    def __str__(self) -> str:
        return self.text

    @property
    def field(self) -> str:
        """The path with dots between its parts.

        >>> FieldError("optimizer", "gives no transformation").field
        'optimizer'
        """
        return ".".join(self.path)

    @property
    def paths(self) -> tuple[FieldPath, ...]:
        """Every path that the error may be about.

        >>> FieldError("schedule.heights", "are too many", also="places").paths
        (('schedule', 'heights'), ('schedule', 'places'))
        """
        return (self.path, *((*self.path[:-1], name) for name in self.also))

    def reworded(self, message: str) -> FieldError:
        """The same error in other words."""
        again = copy.copy(self)
        again.text = message
        return again

    def put(self, path: FieldPath) -> None:
        """Replaces the path by one that says more."""
        self.path = path


class RunError(ValueError):
    """A run folder that cannot be used as asked; says which (`place`), why and what to do."""

    def __init__(self, place: str | Path, text: str = "") -> None:
        super().__init__(place, text)
        self.place, self.text = (place, text) if text else ("", str(place))

    def __str__(self) -> str:
        return f"{shown(self.place)}: {self.text}" if self.place else self.text


class Unwritable(RunError):
    """A run that could not be written (full disk, permission); what was committed still stands."""


class StreamError(Exception):
    """Data that end or fail during training: says whose, after how many batches, and what to
    do. What was committed still stands."""


class WorkerError(Exception):
    """Lanes whose training failed on every worker that tried: says which, and why. All others are
    recorded. `traceback` is the last worker's; empty where all workers are gone, with their
    cluster: then what was committed stands."""

    def __init__(self, text: str, traceback: str = "") -> None:
        super().__init__(text, traceback)
        self.text, self.traceback = text, traceback

    def __str__(self) -> str:
        return self.text


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


class Interrupted(Exception):
    """Training stopped between segments on request; everything so far is recorded."""


@contextlib.contextmanager
def within(*table: str) -> Iterator[None]:
    """Errors from inside are about `table`: their paths begin with it. A ValueError that knows no
    field becomes one about the table itself.

    >>> with within("task", "model"):
    ...     raise FieldError("depth", "must be at least 1, got 0")
    Traceback (most recent call last):
    lrlab.core.errors.FieldError: must be at least 1, got 0
    """
    try:
        yield
    except FieldError as error:
        error.put((*table, *error.path))
        raise
    except ValueError as error:
        raise FieldError(table, str(error)) from error


def _parts(field: str | Sequence[str]) -> FieldPath:
    return tuple(field.split(".") if field else ()) if isinstance(field, str) else tuple(field)
