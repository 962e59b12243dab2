"""Names for functions, in messages and records."""

from __future__ import annotations

import functools


def label(function: object) -> str:
    """A name for a function in messages and records.

    >>> label(functools.partial(sum, start=1)), label("mse")
    ('sum(start=1)', 'mse')
    """
    if isinstance(function, str):
        return function
    if isinstance(function, functools.partial):
        options = ", ".join(f"{key}={_shown(value)}" for key, value in function.keywords.items())
        return f"{label(function.func)}({options})"
    return getattr(function, "__name__", repr(function))


def _shown(value: object) -> str:
    """Numbers and words as they are; of others their kind, which is the same in every process."""
    plain = isinstance(value, (str, int, float, bool)) or value is None
    return repr(value) if plain else type(value).__name__
