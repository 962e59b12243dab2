"""The report as one HTML file that needs nothing else: no network, no fonts, no library."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.text import Table, counted, interval, number, percent
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style
from lrlab.report.html import tables
from lrlab.report.html.document import Document, asset
from lrlab.report.html.document import escaped as text
from lrlab.report.html.payload import comparison_of, payload_of
from lrlab.search import rules
from lrlab.search.range_test import middle

if TYPE_CHECKING:
    from lrlab.search.range_test import RangeCurves

LANES = 2000
"""Lanes that a page shows; of longer grids it takes evenly chosen learning rates, and says so."""

SCRIPTS = ("plot.js", "figures.js", "search.js", "page.js")


def write_html(
    runs: ReportData | Sequence[ReportData],
    path: str | os.PathLike[str],
    compared: Table | None = None,
) -> Path:
    """Writes the report of one or several runs; returns its path. See `page`."""
    return page(runs, compared).save(path)


def page(runs: ReportData | Sequence[ReportData], compared: Table | None = None) -> Document:
    """The report of one or several runs. Every string that a user can set is escaped.

    Args:
        compared: the `summary.json` of a comparison of the runs.

    Raises:
        ValueError: there is no run to show.
    """
    several = [runs] if isinstance(runs, ReportData) else list(runs)
    if not several:
        raise ValueError("report: no run to show")
    shown = [summary.fewer(data, LANES) if data.test is None else data for data in several]
    payload = {
        "runs": [payload_of(data) for data in shown],
        "comparison": comparison_of(several),
    }
    # Inside a script element only "<" could end it; in JSON strings it may be written as an escape.
    numbers = json.dumps(payload, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    sections = "\n".join(
        _section(data, few, i, len(several) > 1)
        for i, (data, few) in enumerate(zip(several, shown, strict=True))
    )
    trained = [data for data in several if data.test is None] or several
    title = text(trained[0].title if len(trained) == 1 else "Comparison of runs")
    script = "\n".join(asset(name) for name in SCRIPTS)
    return Document(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title} - lrlab</title>\n<style>\n{asset('page.css')}</style>\n</head>\n<body>\n"
        f'<main>\n<div class="top"><span>lrlab report: {title}</span>'
        '<button id="theme" title="light or dark">light / dark</button></div>\n'
        f"{_overview(several, compared)}{sections}\n"
        "<footer>Written by lrlab. Hover for values, click to isolate a lane, shift-click for "
        "more, drag to zoom, double click to zoom out, Escape to show all.</footer>\n</main>\n"
        '<div id="tip" role="status"></div>\n'
        "<noscript>The figures need JavaScript; the answer and the tables do not.</noscript>\n"
        f"<script>window.lrlab={numbers};</script>\n"
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _overview(several: Sequence[ReportData], compared: Table | None) -> str:
    """What stands above several runs: who wins, one figure, one table."""
    runs = sum(data.test is None for data in several)
    if runs < 2:
        return ""
    sentence = str((compared or {}).get("sentence") or f"{runs} runs, side by side.")
    return (
        f'<section id="comparison"><h1>{text(sentence)}</h1>\n'
        f'<div class="charts"></div>\n{tables.ranking(several, compared)}</section>\n'
    )


def _section(data: ReportData, few: ReportData, index: int, named: bool) -> str:
    name = f'<p class="name">{text(data.title)}</p>' if named else ""
    sentence = (data.answer or {}).get("sentence")
    if data.test is not None:
        sentence = data.test.sentence
    sentence = sentence or "This run has no answer yet; its curves are below."
    parts = [
        f'<section class="run" id="run{index}">{name}<h1>{text(sentence)}</h1>',
        _cards(data),
        _left_out(data, few),
        '<div class="charts"></div>',
    ]
    if data.test is not None:
        parts += ["<h2>What every rule suggests</h2>", tables.rules(data.test)]
    if ridge := tables.ridge(data):
        parts += ["<h2>The best rate at each value</h2>", ridge]
    if not style.is_ramp(data):
        parts += ["<h2>Every learning rate</h2>", tables.learning_rates(few)]
    if rungs := tables.search(data):
        parts += ["<h2>The search, rung by rung</h2>", rungs]
    parts += ["<h2>What it cost</h2>", tables.costs(data)]
    parts += ["<h2>Do it again</h2>", tables.repeat(data), "</section>"]
    return "\n".join(parts)


def _left_out(data: ReportData, few: ReportData) -> str:
    if few is data:
        return ""
    return (
        f'<p class="note">Figures and table show {len(few.lr):,} of {len(data.lr):,} learning '
        "rates, evenly chosen; the answer and the cost are those of all.</p>"
    )


def _cards(data: ReportData) -> str:
    cards = _answer_cards(data) if data.test is None else _test_cards(data.test)
    cards.append(("", "Cost", tables.cost_of(data), "full-length runs"))
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card {text(kind)}"><small>{text(label)}</small><b>{text(value)}</b>'
            f"<i>{text(note)}</i></div>"
            for kind, label, value, note in cards
        )
        + "</div>"
    )


def _answer_cards(data: ReportData) -> list[tuple[str, str, str, str]]:
    answer = data.answer or {}
    verdict = str(answer.get("verdict") or "")
    lr, ends = answer.get("lr"), answer.get("interval")
    metric = d.metric_of(data)
    means = [row.mean for row in summary.best_rows(data, metric)]
    best = (min if d.direction_of(data, metric) == "min" else max)(means) if means else None
    wide = f"a factor of {number(ends[1] / ends[0], 2)}" if ends else ""
    seeds = int(max((sum(row.counts.values()) for row in summary.lr_rows(data)), default=0))
    edge = summary.diverged_from(data)
    sure = answer.get("confidence")
    level = max(answer.get("tolerance") or 0.0, answer.get("resolved") or 0.0)
    first = [
        (f"main {verdict}", "Learning rate", number(lr) if lr else "none", verdict),
        (
            "",
            f"At most {percent(level)} worse" if level else "As good",
            interval(ends, lambda end: number(end, 2)),
            wide,
        ),
        *([("", "Confidence", percent(sure), f"that {number(lr)} is")] if sure else []),
    ]
    if several := answer.get("rates"):
        first = [
            (
                f"main {verdict}",
                f"Learning rate {name}",
                number(one),
                interval(both, lambda end: number(end, 2)),
            )
            for name, (one, both) in several.items()
        ]
    return [
        *first,
        (
            "",
            f"Best mean {d.judged_by(data, metric)}",
            number(best),
            f"up to {counted(seeds, 'seed')} per rate",
        ),
        ("", "Diverges from", number(edge), "half of the lanes or more" if edge else "nowhere"),
    ]


def _test_cards(test: RangeCurves) -> list[tuple[str, str, str, str]]:
    picks = {name: test.suggest(name) for name in rules.NAMES}
    seen = {name: middle(some) for name, some in picks.items() if np.isfinite(some).any()}
    if not seen:
        return [("main none", "Rules", "none", "suggest a learning rate")]
    low, high = min(seen, key=lambda name: seen[name]), max(seen, key=lambda name: seen[name])
    return [
        ("main", "Rules disagree by", f"x {number(seen[high] / seen[low], 2)}", "highest / lowest"),
        ("", "Lowest", number(seen[low], 2), low),
        ("", "Highest", number(seen[high], 2), high),
        ("", "Seeds", str(len(test.seeds)), f"{len(test.lr)} learning rates, {test.kind}"),
    ]
