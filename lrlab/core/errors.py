"""Errors that know what they are about, so that nobody reads their words to find out."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence

Path = tuple[str, ...]


class FieldError(ValueError):
    """Bad input, found below the configuration: `path` is where, as far as it is known there.

    A model that refuses its depth knows "depth"; whoever knows that it stands in `task.model` puts
    that in front (`within`).

    Args:
        field: the path, with dots between its parts, or the parts (one may have dots of its own).
        message: what is wrong, and what to do.
        also: options beside the last part that may be wrong instead; the place is the first of all
            that was given.

    >>> FieldError("optimizer.beta", "must be below 1").path
    ('optimizer', 'beta')
    """

    def __init__(
        self, field: str | Sequence[str], message: str, also: str | Sequence[str] = ()
    ) -> None:
        # `args` stay those of the call, by which a copy in another process is made.
        self.path: Path = _parts(field)
        self.also: Path = _parts(also)
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
    def paths(self) -> tuple[Path, ...]:
        """Every path that the error may be about.

        >>> FieldError("schedule.heights", "are two many", also="places").paths
        (('schedule', 'heights'), ('schedule', 'places'))
        """
        return (self.path, *((*self.path[:-1], name) for name in self.also))

    def reworded(self, message: str) -> FieldError:
        """The same error in other words."""
        again = copy.copy(self)
        again.text = message
        return again

    def put(self, path: Path) -> None:
        """Says more of where it is: `path` in place of what was known below."""
        self.path = path


class Interrupted(Exception):
    """Training stopped between segments because it was asked to; everything so far is recorded."""


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


def _parts(field: str | Sequence[str]) -> Path:
    return tuple(field.split(".") if field else ()) if isinstance(field, str) else tuple(field)
