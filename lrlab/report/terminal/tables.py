"""A range test and a comparison on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from lrlab.report.content.summary import number
from lrlab.report.terminal.run import NARROW, heights, panel, sparkline
from lrlab.search.differences import digits


def rules_table(test: Any, title: str = "") -> Any:
    """A `RangeTest` as something that rich prints: every rule's picks as dots over log LR."""
    return _Rules(test, title)


class _Rules(NamedTuple):
    test: Any
    title: str

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        yield panel(self.test.sentence, "cyan", self.title)
        yield from rules_rows(self.test, options.max_width)


def rules_rows(test: Any, width: int) -> Iterator[Any]:
    """A row per rule: median, spread between seeds, dots over log LR; or why it says nothing."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from lrlab.search import rules
    from lrlab.search.range_test import ADVICE, middle

    count = int(np.clip(width - (64 if width >= NARROW else 47), 10, 44))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    ends = f"{number(test.lr[0])} to {number(test.lr[-1])}"
    for name, right in (("rule", 0), ("median", 1), ("seeds", 1)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column(ends if width >= NARROW else "", no_wrap=True)
    curve = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan
                      for c in np.asarray(test.loss, np.float64).T])  # fmt: skip
    wanted = np.linspace(0, len(curve) - 1, count).round().astype(int)
    height = sparkline(heights(curve[wanted]))
    table.add_row(f"{test.split} loss", "", "", height, style="dim")
    edges = np.log(test.lr[[0, -1]])
    for name in rules.NAMES:
        found = test.suggest(name)
        seen = found[np.isfinite(found)]
        if not seen.size:
            why = next(iter(test.reasons.get(name, {}).values()), "no suggestion")
            table.add_row(name, "-", "", Text(why, style="dim"))
            continue
        strip = [" "] * count
        at = (np.log(seen) - edges[0]) / (edges[1] - edges[0]) * (count - 1)
        for column in np.clip(at.round(), 0, count - 1).astype(int):
            strip[column] = "●"
        some = f" ({len(found) - len(seen)} none)" if len(seen) < len(found) else ""
        spread = number(seen.min()) + (f" to {number(seen.max())}" if len(seen) > 1 else "")
        if width < NARROW:
            spread = f"x{seen.max() / seen.min():.2g}"
        table.add_row(name, number(middle(seen)), spread + some, "".join(strip))
    yield table
    for remark in test.remarks():
        yield Text(remark, style="yellow")
    yield Text(ADVICE, style="dim")


def comparison(found: Mapping[str, Any]) -> Any:
    """The `summary.json` of a comparison as something that rich prints."""
    return _Comparison(found)


def _ending(entry: Mapping[str, Any]) -> str:
    """The verdict, and the further values that a search chose."""
    from lrlab.search.naming import in_words

    at = entry.get("at")
    return str(entry.get("verdict") or "") + (f", {in_words(at)}" if at else "")


class _Comparison(NamedTuple):
    found: Mapping[str, Any]

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        found, wide = self.found, options.max_width >= NARROW
        sentence = str(found.get("sentence") or "No comparison yet.")
        yield panel(sentence, "green" if found.get("winner") else "yellow")
        columns = ("", "lr", "as good", f"mean {found.get('metric') or ''}", "behind the best by",
                   "cost", "verdict")  # fmt: skip
        keep = range(len(columns)) if wide else (0, 1, 3, 6)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        means = [entry.get("mean") for entry in found.get("entries") or ()]
        shown = digits([mean for mean in means if mean is not None])
        for i in keep:
            side = "left" if i in (0, 6) else "right"
            table.add_column(columns[i], justify=side, no_wrap=i > 0)
        for entry in found.get("entries") or ():
            low_high = entry.get("interval")
            pair = (found.get("versus") or {}).get(entry["name"])
            gap = (
                f"{number(-pair['interval'][1])} to {number(-pair['interval'][0])}" if pair else "-"
            )
            cells = (
                Text(str(entry["name"])),
                number(entry.get("lr")),
                f"{number(low_high[0])} to {number(low_high[1])}" if low_high else "-",
                number(entry.get("mean"), shown),
                gap,
                number(entry.get("cost")),
                _ending(entry),
            )
            style = "bold" if entry["name"] == found.get("winner") else ""
            table.add_row(*(cells[i] for i in keep), style=style)
        yield table
        if wide:
            yield Text("behind the best by: 95 % interval, paired by seed", style="dim")
