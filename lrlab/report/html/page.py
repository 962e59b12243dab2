"""The report as one HTML file that needs nothing else: no network, no fonts, no library."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.core.text import Json, Table, counted, interval, number, percent
from lrlab.core.tolerance import is_informative, level_of
from lrlab.report.content import data as d
from lrlab.report.content import standing, summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style
from lrlab.report.html import tables
from lrlab.report.html.document import Document, asset
from lrlab.report.html.document import escaped as text
from lrlab.report.html.payload import comparison_of, payload_of
from lrlab.search import rules
from lrlab.search.range_test import middle
from lrlab.search.verdict import EDGE

if TYPE_CHECKING:
    from lrlab.search.range_test import RangeCurves

LANES = 2000
"""Lanes that a page shows; of longer grids it takes evenly chosen learning rates, and says so."""

SCRIPTS = ("plot.js", "figures.js", "search.js", "page.js")

HELP = (
    "Hover for values, click to isolate a lane, shift-click for more, drag to zoom, double click "
    "to zoom out, Escape to show all."
)
"""What stands at the foot of every page with figures."""


class Pieces(NamedTuple):
    """The HTML of a section around its figures: `facts` above them, `tables` below."""

    facts: str
    tables: str


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
    # Inside a script element only "<" could end it; in JSON strings it may be written as an escape.
    numbers = compact(numbers_of(several)).replace("<", "\\u003c")
    title = text(title_of(several))
    script = "\n".join(asset(name) for name in SCRIPTS)
    return Document(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title} - lrlab</title>\n<style>\n{asset('page.css')}</style>\n</head>\n<body>\n"
        f'<main>\n<div class="top"><span>lrlab report: {title}</span>'
        '<button id="theme" title="light or dark">light / dark</button></div>\n'
        f"{body(pieces_of(several), overview_of(several, compared))}\n"
        f"<footer>Written by lrlab. {HELP}</footer>\n</main>\n"
        '<div id="tip" role="status"></div>\n'
        "<noscript>The figures need JavaScript; the answer and the tables do not.</noscript>\n"
        f"<script>window.lrlab={numbers};</script>\n"
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def title_of(several: Sequence[ReportData]) -> str:
    """What a page of these runs is called."""
    trained = [data for data in several if data.test is None] or several
    return trained[0].title if len(trained) == 1 else "Comparison of runs"


def compact(value: Table) -> str:
    """Strict JSON without a space.

    >>> compact({"a": [1, None]})
    '{"a":[1,null]}'
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def numbers_of(several: Sequence[ReportData]) -> dict[str, Json]:
    """What the page's script draws: `runs`, and their `comparison`."""
    return {
        "runs": [payload_of(few) for few in map(_shown, several)],
        "comparison": comparison_of(several),
    }


def body(pieces: Sequence[Pieces], overview: Pieces | None) -> str:
    """The page between its head and its foot: what compares the runs, then a section for each."""
    sections = [("comparison", "", overview)] if overview else []
    sections += [(f"run{index}", ' class="run"', of) for index, of in enumerate(pieces)]
    return "\n".join(
        f'<section{kind} id="{name}"><div class="facts">{of.facts}</div>\n'
        f'<div class="charts"></div>\n<div class="tables">{of.tables}</div></section>'
        for name, kind, of in sections
    )


def pieces_of(several: Sequence[ReportData]) -> list[Pieces]:
    """The HTML of each run's section."""
    named = len(several) > 1
    return [Pieces(_facts(data, named), _tables(data)) for data in several]


def overview_of(several: Sequence[ReportData], compared: Table | None = None) -> Pieces | None:
    """What stands above several runs: who wins, one figure, one table. None for one run."""
    runs = sum(data.test is None for data in several)
    if runs < 2:
        return None
    sentence = str((compared or {}).get("sentence") or f"{runs} runs, side by side.")
    return Pieces(f"<h1>{text(sentence)}</h1>", tables.ranking(several, compared))


def _shown(data: ReportData) -> ReportData:
    return summary.fewer(data, LANES) if data.test is None else data


def _facts(data: ReportData, named: bool) -> str:
    name = f'<p class="name">{text(data.title)}</p>' if named else ""
    sentence = (data.answer or {}).get("sentence")
    if data.test is not None and not data.status:
        sentence = data.test.sentence
    if not sentence and data.status:
        sentence = standing.sentence(data)
    sentence = sentence or "This run has no answer yet; its curves are below."
    return "\n".join([f"{name}<h1>{text(sentence)}</h1>", _cards(data), _left_out(data)])


def _tables(data: ReportData) -> str:
    parts: list[str] = []
    if data.test is not None and not data.status:
        parts += ["<h2>What every rule suggests</h2>", tables.rules(data.test)]
    if ridge := tables.ridge(data):
        parts += ["<h2>The best rate at each value</h2>", ridge]
    if not style.is_ramp(data):
        parts += ["<h2>Every learning rate</h2>", tables.learning_rates(_shown(data))]
    if rungs := tables.search(data):
        parts += ["<h2>The search, rung by rung</h2>", rungs]
    parts += ["<h2>What it cost</h2>", tables.costs(data)]
    parts += ["<h2>Do it again</h2>", tables.repeat(data)]
    return "\n".join(parts)


def _left_out(data: ReportData) -> str:
    few = _shown(data)
    if few is data:
        return ""
    return (
        f'<p class="note">Figures and table show {len(few.lr):,} of {len(data.lr):,} learning '
        "rates, evenly chosen; the answer and the cost are those of all.</p>"
    )


def _cards(data: ReportData) -> str:
    if data.status:
        cards = _standing_cards(data)
    else:
        cards = _answer_cards(data) if data.test is None else _test_cards(data.test)
    if not data.status:
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
    tolerance = answer.get("tolerance")
    level = level_of(tolerance, answer.get("resolved"))
    kept = f"costs at most {percent(tolerance)}" if tolerance else "is as good"
    good = f"At most {percent(level)} worse" if level else "As good"
    if verdict == EDGE:  # beyond may be better
        good += " than the best tried"
    span = ("", good, interval(ends, lambda end: number(end, 2)), wide)
    first = [
        (f"main {verdict}", "Learning rate", number(lr) if lr else "none", verdict),
        *([span] if is_informative(tolerance, answer.get("resolved")) else []),
        *([("", "Confidence", percent(sure), f"that {number(lr)} {kept}")] if sure else []),
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


def _standing_cards(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Of a run that is under way: the best so far (of a ramp its rate), progress, time left."""
    best, now = standing.best_so_far(data), data.standing
    left, edge = standing.time_left(data), summary.diverged_from(data)
    metric = d.judged_by(data, d.metric_of(data))
    lanes = f"{now.alive:,} of {now.lanes:,}" if now is not None else "-"
    first = [
        ("main", "Best so far", number(best.lr) if best else "-", "learning rate"),
        ("", f"Best mean {metric}", number(best.mean) if best else "-", "as the lanes are now"),
    ]
    where = "half of the lanes or more" if edge else "nowhere yet"
    if (test := data.test) is not None:
        reached = standing.rate_reached(data)
        ramp = ("main", "Learning rate now", number(reached) if reached else "-", "of the ramp")
        first = [ramp] if test.kind == "ramp" else []
    return [
        *first,
        ("", "Done", standing.percent_done(data), standing.stage_words(data) or "of all updates"),
        ("", "Time left", left or "-", "at the pace so far" if left else data.status),
        ("", "Lanes alive", lanes, standing.stage_words(data) or "not diverged"),
        *([] if style.is_ramp(data) else [("", "Diverges from", number(edge), where)]),
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
