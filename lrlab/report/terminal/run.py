"""A run on the terminal: the answer, loss against learning rate in blocks, a table, the cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.core import text
from lrlab.core.text import number
from lrlab.report.content import data as d
from lrlab.report.content import standing, summary
from lrlab.report.content.data import ReportData
from lrlab.report.content.summary import LrRow, outcome_words
from lrlab.report.terminal.blocks import CROSS, NARROW, STYLES, heights, panel, sparkline
from lrlab.report.terminal.tables import rules_rows, test_curve

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

MOST_ROWS = 24
"""Rows of a table on the terminal; `lrlab show RUN --all` has no such limit."""


def renderable(data: ReportData, every_row: bool = False) -> RenderableType:
    """Something that rich prints: sentence, blocks of loss against rate, rates with outcomes.

    Its width is the console's. `every_row`: no row is left out or put together with others.
    """
    return _Page(data, every_row)


class _Page(NamedTuple):
    data: ReportData
    every_row: bool

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        from rich.text import Text

        data, width = self.data, options.max_width
        answer = data.answer or {}
        none = standing.sentence(data) if data.status else "No answer yet."
        sentence = str(answer.get("sentence") or none)
        if data.test is not None and not data.status:
            sentence = data.test.sentence
        yield panel(sentence, _style(answer), data.title)
        if data.test is not None:
            finished = not data.status
            yield from rules_rows(data.test, width) if finished else test_curve(data.test, width)
            return
        rows = summary.lr_rows(data)
        shown = [row for row in rows if row.lr > 0]
        if not data.extra and len({row.lr for row in shown}) > 1:
            yield from valley(data, shown, width)
        yield _table(data, rows, width, self.every_row)
        facts = [f"{what.lower()} {value}" for what, value, _ in summary.costs(data)]
        yield Text("; ".join(facts), style="dim")


def _style(answer: text.Table) -> str:
    return STYLES.get(str(answer.get("verdict")), "cyan")


def valley(data: ReportData, rows: Sequence[LrRow], width: int) -> Iterator[Text]:
    """Three lines: blocks of the mean score over log LR, the interval with the pick, the ends.

    A rate that was pruned stands with the value it had then; `CROSS`: diverged.
    """
    from rich.text import Text

    metric, answer = d.metric_of(data), data.answer or {}
    count = int(np.clip(width - 4, 16, 64))
    lr = np.array([row.lr for row in rows])
    place = np.log(lr / lr[0]) / np.log(lr[-1] / lr[0]) * (count - 1)
    values, broken = _levels(data, rows, metric)
    columns = np.full(count, np.nan)
    finite = np.flatnonzero(np.isfinite(values))
    if finite.size:
        inside = np.arange(np.ceil(place[finite[0]]), np.floor(place[finite[-1]]) + 1).astype(int)
        columns[inside] = np.interp(inside, place[finite], values[finite])
    if d.direction_of(data, metric) == "min":
        columns = heights(columns)
    nearest = np.abs(np.arange(count)[:, None] - place).argmin(1)
    yield Text(f"{d.judged_by(data, metric)} against learning rate", style="dim")
    blocks = sparkline(columns)
    line = Text("  ")
    for column, block in enumerate(blocks):
        if broken[nearest[column]]:
            line.append(CROSS, style="red")
        else:
            line.append(block, style=_style(answer))
    yield line
    marks, names = ["─"] * count, [" "] * count
    pick, interval = answer.get("lr"), answer.get("interval")

    def column_of(rate: float) -> int:
        at = np.log(rate / lr[0]) / np.log(lr[-1] / lr[0]) * (count - 1)
        return int(np.clip(round(at), 0, count - 1))

    if interval:
        low, high = (column_of(end) for end in interval)
        marks[low : high + 1] = "━" * (high + 1 - low)
    _write(names, 0, number(lr[0]))
    _write(names, count - len(number(lr[-1])), number(lr[-1]))
    if pick:
        marks[column_of(pick)] = "▲"
        _write(names, column_of(pick) - len(number(pick)) // 2, number(pick))
    axis = Text("  ")
    for mark in marks:
        axis.append(mark, style="dim" if mark == "─" else f"bold {_style(answer)}")
    yield axis
    yield Text("  " + "".join(names).rstrip(), style="dim")


def _levels(data: ReportData, rows: Sequence[LrRow], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Per row the mean score, or of pruned lanes the last value; and whether all diverged."""
    last = d.last_finite(d.curve(data, metric)[1])
    levels, broken = [], []
    for row in rows:
        all_diverged = set(row.counts) == {"diverged"}
        here = last[row.place]
        here = here[np.isfinite(here)]
        value = row.mean if np.isfinite(row.mean) else float(here.mean()) if here.size else np.nan
        levels.append(np.nan if all_diverged else value)
        broken.append(all_diverged)
    return np.array(levels), np.array(broken)


def _write(line: list[str], start: int, words: str) -> None:
    """`words` into a line of single characters where it touches nothing."""
    start = max(0, min(start, len(line) - len(words)))
    around = line[max(0, start - 1) : start + len(words) + 1]
    if set(around) <= {" "}:
        line[start : start + len(words)] = words


def _table(data: ReportData, rows: Sequence[LrRow], width: int, every_row: bool) -> Table:
    from rich import box
    from rich.table import Table

    metric, answer = d.metric_of(data), data.answer or {}
    wide = width >= NARROW
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    table.add_column(
        data.rate_name if wide else next(iter(data.record.axes)), justify="right", no_wrap=True
    )
    for name in data.extra:
        table.add_column(name, justify="right")
    heads = (f"mean {metric}", "lowest", "highest", "steps") if wide else (metric,)
    for name in heads:
        table.add_column(name, justify="right", no_wrap=wide)
    table.add_column("outcome")
    groups = [[row] for row in rows] if every_row or data.extra else _together(rows)
    left = 0
    if not every_row and len(groups) > MOST_ROWS:
        groups, left = _nearest(data, groups, metric), len(groups)
        left -= len(groups)
    shown = summary.shown_digits(data, rows, metric)
    for group in groups:
        row, last = group[0], group[-1]
        inside = summary.recommended(row, answer)
        color = "red" if "diverged" in row.counts else "bold" if inside else "dim"
        rate = number(row.lr) + (f" to {number(last.lr)}" if last is not row else "")
        cells = [*(number(v, shown) for v in (row.mean, row.low, row.high)), _steps(group)]
        table.add_row(
            ("▸ " if inside else "") + rate,
            *(number(row.extra[name]) for name in data.extra),
            *cells[: len(heads)],
            outcome_words(group),
            style=color,
        )
    if left:
        table.caption = f"{left} more rows: lrlab show RUN --all"
    return table


def _together(rows: Sequence[LrRow]) -> list[list[LrRow]]:
    """Neighboring rates that came to the same end without a score, as one row."""
    groups: list[list[LrRow]] = []
    for row in rows:
        if groups and _same_end(groups[-1][-1], row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _same_end(a: LrRow, b: LrRow) -> bool:
    kinds = {*a.counts, *b.counts}
    return kinds == {"diverged"} or (kinds == {"pruned"} and a.steps == b.steps)


def _nearest(data: ReportData, groups: list[list[LrRow]], metric: str) -> list[list[LrRow]]:
    """The best rows and those that stand for several rates, in their order."""
    sign = d.sign_of(data, metric)
    means = np.array([group[0].mean * sign for group in groups])
    means = np.where([len(group) > 1 for group in groups], -np.inf, means)
    best = np.argsort(np.where(np.isnan(means), np.inf, means), kind="stable")[:MOST_ROWS]
    return [groups[i] for i in sorted(best)]


def _steps(group: Sequence[LrRow]) -> str:
    low, high = min(row.steps for row in group), max(row.steps for row in group)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
