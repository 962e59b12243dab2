"""How values print where nobody asked for all of them: a line, with sizes in place of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

LONGEST = 60
"""Characters of a text that are shown."""

FEW = 4
"""Entries of a sequence that are shown one by one."""


def fields_of(value: Any) -> str:
    """A NamedTuple as `Name(field=..., ...)`: arrays by dtype and shape, long sequences and tables
    by their length, long texts by their beginning; fields that hold nothing are left out.

    >>> from typing import NamedTuple
    >>> class Curve(NamedTuple):
    ...     name: str
    ...     loss: np.ndarray
    ...     run: str | None = None
    >>> fields_of(Curve("a", np.zeros((3, 4))))
    "Curve(name='a', loss=float64[3, 4])"
    """
    shown = [
        f"{name}={short(given)}"
        for name, given in value._asdict().items()
        if given is not None and not (isinstance(given, (tuple, list, dict, str)) and not given)
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def short(value: Any) -> str:
    """One value in a few words.

    >>> short(0.012345678), short("x" * 100)[-4:], short({"a": 1, "b": 2}), short(range(9))
    ('0.0123457', "xx…'", '{a, b}', '9 entries')
    """
    if isinstance(value, (bool, np.bool_)) or value is None:
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[: LONGEST - 1] + "…")
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    if hasattr(value, "_asdict"):
        return f"{type(value).__name__}(…)"
    if isinstance(value, Mapping):
        keys = list(map(str, value))
        more = f", {len(keys) - FEW} more" if len(keys) > FEW else ""
        return f"{{{', '.join(keys[:FEW])}{more}}}"
    if isinstance(value, (tuple, list, range)):
        if len(value) > FEW or any(hasattr(entry, "_asdict") for entry in value):
            return f"{len(value)} entr{'y' if len(value) == 1 else 'ies'}"
        return f"({', '.join(map(short, value))})"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
