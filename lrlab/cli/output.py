"""What the commands print: one JSON object, or words and tables for people."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lrlab.core.files import jsonable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""What would move a terminal's cursor or change its colors; line ends may."""


def emit(payload: Mapping[str, object]) -> None:
    """One JSON object on standard output; what is not finite becomes null."""
    print(json.dumps(jsonable(payload), allow_nan=False))


def only_json() -> contextlib.AbstractContextManager[object]:
    """Whatever libraries print inside goes to standard error."""
    return contextlib.redirect_stdout(sys.stderr)


def console() -> Console:
    """Where people read results: standard output, wide when it is not a terminal."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str
) -> Table:
    """A quiet table: no box, the first column in bold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    result = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for number, column in enumerate(columns):
        last = number == len(columns) - 1
        result.add_column(column, no_wrap=not last, style="bold cyan" if number == 0 else "")
    for row in rows:
        result.add_row(*(Text(_CONTROL.sub("?", str(cell))) for cell in row))
    return result


def words(value: object) -> str:
    """A value for people: short numbers, long lists cut.

    >>> words(12345), words([0.1, 1e-05]), words({"lr": list(range(9))})
    ('12,345', '0.1, 1e-05', 'lr: 0, 1, 2, 3, 4, 5, 6, 7, ... (9 in all)')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        first = ", ".join(map(words, value[:8]))
        return first if len(value) <= 8 else f"{first}, ... ({len(value)} in all)"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {words(entry)}" for key, entry in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
