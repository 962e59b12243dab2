"""How values print where nobody asked for all of them: a line, with sizes in place of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

CHARACTERS = 60
"""Of a text that are shown: a line of a notebook holds a few such fields."""

ENTRIES = 4
"""Of a sequence that are shown one by one: what the eye counts without counting."""


def fields_of(value: NamedTuple) -> str:
    """A NamedTuple as `Name(field=..., ...)`: arrays by dtype and shape, long sequences and tables
    by their length, long texts by their beginning; fields that hold nothing, or the number that
    they have by default, are left out.

    >>> class Curve(NamedTuple):
    ...     name: str
    ...     loss: np.ndarray
    ...     run: str | None = None
    >>> fields_of(Curve("a", np.zeros((3, 4))))
    "Curve(name='a', loss=float64[3, 4])"
    """
    defaults = type(value)._field_defaults
    shown = [
        f"{name}={short(field)}"
        for name, field in value._asdict().items()
        if field is not None
        and not (isinstance(field, (tuple, list, dict, str)) and not field)
        and not (isinstance(field, int) and name in defaults and field == defaults[name])
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def short(value: object) -> str:
    """One value in a few words.

    >>> short(0.012345678), short("x" * 100)[-4:], short({"a": 1, "b": 2}), short(range(9))
    ('0.0123457', "xx…'", '{a, b}', '9 entries')
    """
    if isinstance(value, (bool, np.bool_)) or value is None:
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    if isinstance(value, str):
        return repr(value if len(value) <= CHARACTERS else value[: CHARACTERS - 1] + "…")
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is not None and shape is not None:
        return f"{dtype}[{', '.join(map(str, shape))}]"
    if hasattr(value, "_asdict"):
        return f"{type(value).__name__}(…)"
    if isinstance(value, Mapping):
        keys = list(map(str, value))
        more = f", {len(keys) - ENTRIES} more" if len(keys) > ENTRIES else ""
        return f"{{{', '.join(keys[:ENTRIES])}{more}}}"
    if isinstance(value, (tuple, list, range)):
        if len(value) > ENTRIES or any(hasattr(entry, "_asdict") for entry in value):
            return f"{len(value)} entr{'y' if len(value) == 1 else 'ies'}"
        return f"({', '.join(map(short, value))})"
    text = repr(value)
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…"


def rounded(value: object, digits: int) -> object:
    """Numbers in few digits, in whatever holds them.

    >>> rounded({"a": (0.123456, 2.0)}, 3), rounded(None, 3)
    ({'a': (0.123, 2.0)}, None)
    """
    if isinstance(value, Mapping):
        return {name: rounded(one, digits) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(rounded(one, digits) for one in value)
    return float(f"{value:.{digits}g}") if isinstance(value, (int, float)) else value
