"""What is being traced: one lane alone, or a lane that `vmap` lays beside others.

A lane alone must have the bits of the same run written by hand, with the usual functions; lanes
beside each other are free to compute the same numbers in whatever way is fast for many.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_BESIDE: contextvars.ContextVar[bool] = contextvars.ContextVar("beside", default=False)


@contextlib.contextmanager
def beside_others() -> Iterator[None]:
    """What is traced inside is a lane of a tile of several; decorates functions, too.

    >>> with beside_others():
    ...     is_beside_others()
    True
    >>> is_beside_others()
    False
    """
    token = _BESIDE.set(True)
    try:
        yield
    finally:
        _BESIDE.reset(token)


def is_beside_others() -> bool:
    """Whether a lane of a tile of several is being traced."""
    return _BESIDE.get()
