"""What a notebook shows of a value: a small card, without script, in the notebook's own colors.

Colors are the text's own at some opacity, and one accent that stands out on white and on black.
Every name is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lrlab.core.text import Table, counted, interval, number, percent, rate
from lrlab.core.tolerance import is_informative, level_of
from lrlab.report.content import tidy
from lrlab.report.html.document import escaped
from lrlab.report.html.sparks import Spark, drawn
from lrlab.search import Comparison, rules
from lrlab.search.range_test import RangeCurves, middle
from lrlab.search.verdict import EDGE
from lrlab.types import Answer, Interval

if TYPE_CHECKING:
    from lrlab.results.sweep import Result

ACCENT = "#ea580c"

VERDICT_COLORS = {
    "interior": "#16a34a", "flat": "#16a34a", "edge": "#ca8a04", "noisy": "#ca8a04",
    "none": "#dc2626",
}  # fmt: skip
"""Of a verdict's word; each has a contrast of 3 to 1 at least, to white and to black."""

FAINT = 'style="opacity:.7;font-size:90%"'

MOST_ROWS = 40
"""Rows of a table in a card; the value's `to_pandas` has all."""


def answer_card(answer: Answer, title: str = "") -> str:
    """An answer: the rate, its interval, how sure, the curve, and the evidence folded away."""
    facts: list[tuple[str, str]] = []
    if isinstance(answer.lr, Mapping):
        ends = answer.interval if isinstance(answer.interval, Mapping) else {}
        facts += [
            (f"learning rate {name}", f"{rate(one)} ({interval(ends.get(name), rate)})")
            for name, one in answer.lr.items()
        ]
    else:
        facts.append(("learning rate", rate(answer.lr)))
        known = is_informative(answer.tolerance, answer.resolved)
        if known and answer.interval is not None and not isinstance(answer.interval, Mapping):
            level = level_of(answer.tolerance, answer.resolved)
            cost = f"costs at most {percent(level)}" if level else "as good"
            if answer.verdict == EDGE:  # beyond may be better
                cost += " more than the best tried"
            facts.append((cost, interval(answer.interval, rate)))
    facts += [(name, _cell(value)) for name, value in (answer.details.get("at") or {}).items()]
    if answer.confidence:
        sure, tolerance = "sure", answer.tolerance
        if tolerance and level_of(tolerance, answer.resolved) > tolerance:
            sure = f"sure of {percent(tolerance)}"  # and not of what the interval is for
        facts.append((sure, percent(answer.confidence)))
    facts.append(("cost", f"{answer.cost:.3g} full runs"))
    rows = [
        (
            ", ".join(f"{k} {number(v)}" for k, v in row["lr"].items())
            if isinstance(row["lr"], Mapping)
            else number(row["lr"]),
            number(_mean(row["scores"])),
            counted(len(row["seeds"]), "seed"),
            _counts(row["outcome"]),
        )
        for row in answer.evidence
    ]
    table = _folded(
        counted(len(rows), "learning rate") + " tried",
        ("learning rate", f"mean {answer.metric}", "seeds", "outcome"),
        rows,
    )
    return _card(title, answer.verdict, answer.sentence, facts, drawn(_spark(answer)) + table)


def result_card(result: Result) -> str:
    """A sweep: its answer, and what became of its lanes."""
    counts = _counts(result.outcome.ravel().tolist())
    shape = " x ".join(
        [*(f"{len(v)} {k}" for k, v in result.axes.items()), counted(len(result.seeds), "seed")]
    )
    title = f"{result.name}: {shape}; {counts}"
    try:
        answer = result.best()
    except ValueError as error:  # a notebook shows what there is
        return _card(title, "", str(error), [], "")
    return answer_card(answer, title)


def comparison_card(comparison: Comparison) -> str:
    """A comparison: its sentence, and a row per setting."""
    shown = comparison.digits()
    rows = [
        (
            row.title,
            _rates(row.answer.lr),
            _ends(row.answer.interval),
            number(row.mean, shown),
            "-" if np.isnan(row.probability) else f"{row.probability:.2f}",
            f"{row.answer.cost:.3g}",
            row.answer.verdict,
        )
        for row in comparison.rows
    ]
    columns = ("setting", "learning rate", "as good", f"mean {comparison.metric}", "P best",
               "cost", "verdict")  # fmt: skip
    return _card("Comparison", "", comparison.sentence, [], _table(columns, rows))


def study_card(payload: Table) -> str:
    """A study's JSON object: its sentence, and a row per group."""
    rows = [
        (
            _cell(group["value"]),
            group["parametrization"],
            rate(group["lr"]),
            interval(group["interval"], rate),
            number(group["best_mean"]),
            group["verdict"],
        )
        for group in payload["groups"]
    ]
    columns = (str(payload["axis"]), "parametrization", "best rate", "as good",
               f"mean {payload['metric']}", "verdict")  # fmt: skip
    return _card(f"Study of {payload['axis']}", "", payload["sentence"], [], _table(columns, rows))


def range_card(curves: RangeCurves) -> str:
    """A range test: its sentence, the mean curve, and what each rule suggests."""
    rows = []
    for name in rules.NAMES:
        picks = curves.suggest(name)
        some = picks[np.isfinite(picks)]
        spread = f"{rate(some.min())} to {rate(some.max())}" if len(some) else "-"
        rows.append((name, rate(middle(some)) if len(some) else "-", spread))
    title = (
        f"Range test ({curves.kind}, {curves.split} loss): {len(curves.lr)} rates, "
        f"{counted(len(curves.seeds), 'seed')}"
    )
    losses = np.where(np.isfinite(curves.loss), curves.loss, np.nan)
    known = np.isfinite(losses).any(0)
    mean = np.nanmean(losses[:, known], 0) if known.any() else np.empty(0)
    spark = drawn(Spark(curves.lr[known], mean))
    table = _folded(counted(len(rows), "rule"), ("rule", "median", "between seeds"), rows)
    return _card(title, "", curves.sentence, [], spark + table)


def _spark(answer: Answer) -> Spark:
    """The curve of an answer about one rate: the fit, or the means where there is none."""
    if isinstance(answer.lr, Mapping):
        return Spark(np.empty(0), np.empty(0))
    seen = [
        (float(row["lr"]), _mean(row["scores"]))
        for row in answer.evidence
        if not isinstance(row["lr"], Mapping) and row["lr"] > 0
    ]
    points = np.array([pair for pair in seen if np.isfinite(pair[1])]).reshape(-1, 2)
    fit = tidy.fit_of(answer)
    lr, mean = fit.get("lr", points[:, 0]), fit.get("mean", points[:, 1])
    ends = None if isinstance(answer.interval, Mapping) else answer.interval
    return Spark(lr, mean, points, answer.lr, ends, ACCENT)


def _card(
    title: str, verdict: str, sentence: str, facts: Sequence[tuple[str, str]], rest: str
) -> str:
    color = VERDICT_COLORS.get(verdict, ACCENT)
    head = f'<span style="opacity:.7">{escaped(title)}</span>' if title else ""
    if verdict:
        head += (
            f'<span style="float:right;color:{color};font-weight:600;margin-left:1em">'
            f"{escaped(verdict)}</span>"
        )
    head = f'<div style="font-size:90%">{head}</div>' if head else ""
    cells = "".join(
        '<div style="margin:0 1.8em .2em 0">'
        f'<div style="opacity:.7;font-size:85%">{escaped(name)}</div>'
        f'<div style="font-weight:600">{escaped(value)}</div></div>'
        for name, value in facts
    )
    cells = f'<div style="display:flex;flex-wrap:wrap;margin:.5em 0">{cells}</div>' if cells else ""
    return (
        f'<div style="border-left:3px solid {color};padding:.3em 0 .3em 1em;margin:.3em 0;'
        f'max-width:52em;line-height:1.4">{head}'
        f'<div style="margin:.2em 0;font-size:105%">{escaped(sentence)}</div>{cells}{rest}</div>'
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    style = 'style="text-align:left;padding:.15em 1.2em .15em 0;background:none"'
    head = "".join(f"<th {style}>{escaped(name)}</th>" for name in columns)
    body = "".join(
        '<tr style="background:none">'
        + "".join(f"<td {style}>{escaped(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return (
        '<table style="border-collapse:collapse;margin:.4em 0;font-size:92%"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _folded(summary: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table that opens on a click; of long ones the beginning."""
    if not rows:
        return ""
    more = len(rows) - MOST_ROWS
    note = f"<div {FAINT}>and {more:,} more: to_pandas() has all</div>" if more > 0 else ""
    return (
        f'<details style="margin-top:.3em"><summary {FAINT}>'
        f"{escaped(summary)}</summary>{_table(columns, rows[:MOST_ROWS])}{note}</details>"
    )


def _ends(ends: Interval | Mapping[str, Interval] | None) -> str:
    return "-" if isinstance(ends, Mapping) else interval(ends, rate)


def _rates(lr: float | Mapping[str, float] | None) -> str:
    if isinstance(lr, Mapping):
        return ", ".join(f"{name} {rate(one)}" for name, one in lr.items())
    return rate(lr)


def _counts(outcomes: Sequence[str]) -> str:
    """How many came to which end, in words.

    >>> _counts(["ok", "diverged", "ok"])
    '2 ok, 1 diverged'
    """
    return ", ".join(f"{outcomes.count(name):,} {name}" for name in dict.fromkeys(outcomes))


def _mean(scores: Sequence[float | None]) -> float:
    known = [score for score in scores if score is not None and np.isfinite(score)]
    return float(np.mean(known)) if known else float("nan")


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, (int, float)) else str(value)
