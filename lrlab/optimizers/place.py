"""Where the options of a registered optimizer stand in an experiment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lrlab.core.errors import FieldError, within


@contextlib.contextmanager
def of_the_table() -> Iterator[None]:
    """Errors from inside are about an experiment's `optimizer`; multipliers stand beside it.

    >>> with of_the_table():
    ...     raise FieldError("multipliers", "would be lost")
    Traceback (most recent call last):
    lrlab.core.errors.FieldError: would be lost
    """
    try:
        with within("optimizer"):
            yield
    except FieldError as error:
        if error.path[:2] == ("optimizer", "multipliers"):
            error.put(error.path[1:])
        raise
