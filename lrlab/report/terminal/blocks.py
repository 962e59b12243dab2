"""The parts that the terminal's pages share: blocks of eight heights, a sentence in a box."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rich.panel import Panel

BLOCKS = "▁▂▃▄▅▆▇█"
"""Eight heights, the lowest first."""

CROSS = "\N{MULTIPLICATION SIGN}"
"""In place of a block where every lane diverged."""

STYLES = {"interior": "green", "flat": "green", "edge": "yellow", "noisy": "yellow", "none": "red"}
"""Verdict -> color: as it should be, with doubt, nothing."""

ZERO_BELOW = 10.0
"""In a logarithm, by what factor a zero lies below the lowest positive loss."""

NARROW = 80
"""Columns below which a table leaves out what matters least."""


def printable(text: str) -> str:
    r"""Text that moves no cursor and changes no color, whoever wrote it.

    >>> printable("a\x1b[31mb")
    'a?[31mb'
    """
    return "".join("?" if unicodedata.category(c) in ("Cc", "Cf") else c for c in text)


def sparkline(values: Sequence[float] | np.ndarray) -> str:
    """Values as blocks of eight heights; a space where there is none.

    >>> sparkline([0.0, 0.5, 1.0, float("nan")])
    '▁▅█ '
    """
    x = np.asarray(values, np.float64)
    seen = x[np.isfinite(x)]
    if not seen.size:
        return " " * len(x)
    low, span = seen.min(), np.ptp(seen) or 1.0
    heights = np.where(np.isfinite(x), (x - low) / span * (len(BLOCKS) - 1), -1)
    return "".join(" " if h < 0 else BLOCKS[int(h + 0.5)] for h in heights)


def panel(sentence: str, style: str, title: str = "") -> Panel:
    """A sentence in a box."""
    from rich.panel import Panel
    from rich.text import Text

    head = Text(printable(title)) if title else None
    return Panel(Text(sentence, style="bold"), border_style=style, title=head, title_align="left")


def heights(values: np.ndarray) -> np.ndarray:
    """Losses in log, so that the valley shows and not only the cliff; a zero lies at the bottom.
    As they are where some are negative; nan stays nan.

    >>> sparkline(heights(np.array([1.0, 0.0, 100.0, np.nan])))
    '▃▁█ '
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size or np.nanmin(values) < 0:
        return values
    return np.log(np.maximum(values, positive.min() / ZERO_BELOW))
