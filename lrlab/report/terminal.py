"""A run on the terminal: the answer, a sparkline of loss against learning rate, a table."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrlab.report import data as d
from lrlab.report import summary
from lrlab.report.data import ReportData
from lrlab.report.summary import number

BLOCKS = "▁▂▃▄▅▆▇█"

STYLES = {"interior": "green", "flat": "green", "edge": "yellow", "noisy": "yellow", "none": "red"}


def printable(text: str) -> str:
    """Text that moves no cursor and changes no color, whoever wrote it.

    >>> printable("a\\x1b[31mb")
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


def renderable(data: ReportData) -> Any:
    """Something that rich prints: sentence, sparkline, learning rates with their outcomes."""
    from rich import box
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    answer = data.answer or {}
    metric = d.metric_of(data)
    rows = summary.lr_rows(data, metric)
    style = STYLES.get(str(answer.get("verdict")), "cyan")
    sentence = str(answer.get("sentence") or "No answer yet.")
    parts: list[Any] = [
        Panel(Text(sentence, style="bold"), border_style=style, title=Text(printable(data.title)))
    ]
    means = [row.mean for row in rows]
    if rows and not data.extra and np.isfinite(means).any():
        line = Text(f"{metric} from lr {number(rows[0].lr)} ", style="dim")
        # Heights in log where the loss is positive: the valley shows, not only the cliff.
        shown = np.log(means) if np.nanmin(means) > 0 else np.asarray(means)
        line.append(sparkline(shown), style=style)
        line.append(f" to {number(rows[-1].lr)}", style="dim")
        parts.append(line)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("learning rate", justify="right")
    for name in data.extra:
        table.add_column(name, justify="right")
    for name in (f"mean {metric}", "lowest", "highest", "steps"):
        table.add_column(name, justify="right")
    table.add_column("outcome")
    interval = answer.get("interval") or (np.inf, -np.inf)
    for row in rows:
        inside = interval[0] * 0.999 <= row.lr <= interval[1] * 1.001
        outcome = ", ".join(f"{n} {kind}" for kind, n in row.counts.items())
        if row.diverged_at >= 0:
            outcome += f" (step {row.diverged_at})"
        color = "red" if "diverged" in row.counts else "bold" if inside else "dim"
        table.add_row(
            ("▸ " if inside else "") + number(row.lr),
            *(number(row.extra[name]) for name in data.extra),
            number(row.mean),
            number(row.low),
            number(row.high),
            f"{row.steps:,}",
            outcome,
            style=color,
        )
    parts.append(table)
    facts = [f"{what.lower()}: {value}" for what, value, _ in summary.costs(data)]
    parts.append(Text("; ".join(facts), style="dim"))
    return Group(*parts)
