"""A cell of a table as a number."""

from __future__ import annotations

import re
from collections.abc import Mapping

_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?\s*")

_WORDS: Mapping[str, float] = {
    "True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0
}  # fmt: skip


def number_of(cell: str) -> float | None:
    """A cell as a number; true and false are 1 and 0; None: it is none.

    >>> number_of(" 1e3"), number_of("TRUE"), number_of("1_000"), number_of("two")
    (1000.0, 1.0, None, None)
    """
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return _WORDS.get(cell.strip())


def has_comma(cell: str) -> bool:
    """Whether a cell is a number with a decimal comma.

    >>> has_comma("1,5"), has_comma("1.5"), has_comma("1,000,000")
    (True, False, False)
    """
    return _DECIMAL_COMMA.fullmatch(cell) is not None


def with_point(cell: str) -> str:
    """A number with a decimal comma as one with a point; any other cell as it is."""
    return cell.replace(",", ".") if has_comma(cell) else cell


def label_number(cell: str) -> float | None:
    """A cell as a number, one with a decimal comma too: that is no word."""
    return 0.0 if has_comma(cell) else number_of(cell)


def is_whole(cell: str) -> bool:
    """Whether a cell is a whole number in digits.

    >>> is_whole(" -3"), is_whole("3.0")
    (True, False)
    """
    cell = cell.strip()
    return cell.removeprefix("-").isdecimal() and cell.isascii()
