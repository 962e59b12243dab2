"""Whether a program is being compiled just now, and for how long: for progress lines."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

_BEGAN: list[float] = []
"""When each compilation that is under way began, in seconds of `time.monotonic`. Other threads only
look."""


@contextlib.contextmanager
def under_way() -> Iterator[None]:
    """A compilation, while the context lasts."""
    began = time.monotonic()
    _BEGAN.append(began)
    try:
        yield
    finally:
        _BEGAN.remove(began)


def seconds() -> float | None:
    """How long the oldest compilation that is under way has taken; None: there is none.

    >>> with under_way():
    ...     seconds() >= 0
    True
    """
    began = list(_BEGAN)
    return time.monotonic() - min(began) if began else None
