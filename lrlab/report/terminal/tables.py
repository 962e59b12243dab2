"""A range test and a comparison on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.core import text
from lrlab.core.scale import GAIN
from lrlab.core.text import interval, number
from lrlab.report.terminal.blocks import NARROW, heights, panel, sparkline
from lrlab.search import rules
from lrlab.search.differences import digits
from lrlab.search.entries import BEHIND, behind
from lrlab.search.naming import in_words
from lrlab.search.range_test import ADVICE, middle

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from lrlab.search.range_test import RangeCurves


MOST_BLOCKS = 64
"""Columns of a curve on its own: as wide as the blocks of loss against rate."""


def rules_table(test: RangeCurves, title: str = "") -> RenderableType:
    """A range test as something that rich prints: every rule's picks as dots over log LR."""
    return _Rules(test, title)


class _Rules(NamedTuple):
    test: RangeCurves
    title: str

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield panel(self.test.sentence, "cyan", self.title)
        yield from rules_rows(self.test, options.max_width)


def rules_rows(test: RangeCurves, width: int) -> Iterator[RenderableType]:
    """A row per rule: median, spread between seeds, dots over log LR; or why it says nothing."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    count = int(np.clip(width - (64 if width >= NARROW else 47), 10, 44))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    ends = interval(test.lr[[0, -1]].tolist())
    for name, right in (("rule", 0), ("median", 1), ("seeds", 1)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column(ends if width >= NARROW else "", no_wrap=True)
    table.add_row(f"{test.split} loss", "", "", _curve(test, count), style="dim")
    edges = np.log(test.lr[[0, -1]])
    for name in rules.NAMES:
        picks = test.suggest(name)
        seen = picks[np.isfinite(picks)]
        if not seen.size:
            why = next(iter(test.reasons.get(name, {}).values()), "no suggestion")
            table.add_row(name, "-", "", Text(why, style="dim"))
            continue
        strip = [" "] * count
        at = (np.log(seen) - edges[0]) / (edges[1] - edges[0]) * (count - 1)
        for column in np.clip(at.round(), 0, count - 1).astype(int):
            strip[column] = "●"
        some = f" ({len(picks) - len(seen)} none)" if len(seen) < len(picks) else ""
        spread = number(seen.min()) + (f" to {number(seen.max())}" if len(seen) > 1 else "")
        if width < NARROW:
            spread = f"x{seen.max() / seen.min():.2g}"
        table.add_row(name, number(middle(seen)), spread + some, "".join(strip))
    yield table
    for remark in test.remarks():
        yield Text(remark, style="yellow")
    yield Text(ADVICE, style="dim")


def test_curve(test: RangeCurves, width: int) -> Iterator[RenderableType]:
    """Three lines of a test that is under way: the median loss in blocks over the ladder of rates,
    and its ends."""
    from rich.text import Text

    count = int(np.clip(width - 4, 16, MOST_BLOCKS))
    low, high = (number(end) for end in test.lr[[0, -1]])
    yield Text(f"{test.split}_loss against learning rate, median over seeds", style="dim")
    yield Text(f"  {_curve(test, count)}", style="cyan")
    yield Text(f"  {low}{high.rjust(count - len(low))}", style="dim")


def _curve(test: RangeCurves, count: int) -> str:
    """The median loss over seeds as `count` blocks over the ladder; blank where there is none."""
    curve = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan
                      for c in np.asarray(test.loss, np.float64).T])  # fmt: skip
    wanted = np.linspace(0, len(curve) - 1, count).round().astype(int)
    return sparkline(heights(curve[wanted]))


def comparison(summary: text.Table) -> RenderableType:
    """The `summary.json` of a comparison as something that rich prints."""
    return _Comparison(summary)


def _ending(entry: text.Table) -> str:
    """The verdict, and the further values that a search chose."""
    at = entry.get("at")
    return str(entry.get("verdict") or "") + (f", {in_words(at)}" if at else "")


class _Comparison(NamedTuple):
    summary: text.Table

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        summary, wide = self.summary, options.max_width >= NARROW
        sentence = str(summary.get("sentence") or "No comparison yet.")
        yield panel(sentence, "green" if summary.get("winner") else "yellow")
        scale = summary.get("scale", GAIN)
        columns = ("", "lr", "as good", f"mean {summary.get('metric') or ''}", BEHIND[scale],
                   "cost", "verdict")  # fmt: skip
        keep = range(len(columns)) if wide else (0, 1, 3, 6)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        means = [entry.get("mean") for entry in summary.get("entries") or ()]
        shown = digits([mean for mean in means if mean is not None])
        for i in keep:
            side = "left" if i in (0, 6) else "right"
            table.add_column(columns[i], justify=side, no_wrap=i > 0)
        for entry in summary.get("entries") or ():
            pair = (summary.get("versus") or {}).get(entry["name"])
            gap = interval(behind(pair["interval"], scale)) if pair else "-"
            cells = (
                Text(str(entry["name"])),
                number(entry.get("lr")),
                interval(entry.get("interval")),
                number(entry.get("mean"), shown),
                gap,
                number(entry.get("cost")),
                _ending(entry),
            )
            style = "bold" if entry["name"] == summary.get("winner") else ""
            table.add_row(*(cells[i] for i in keep), style=style)
        yield table
        if wide:
            yield Text(f"{BEHIND[scale]}: 95 % interval, paired by seed", style="dim")
