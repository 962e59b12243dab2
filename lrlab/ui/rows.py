"""One run as a row of the list: from its small files alone, so that thousands cost little."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from lrlab import runs
from lrlab.core.errors import RunError
from lrlab.core.files import read_json
from lrlab.core.text import JsonObject, Table, interval, number, rounded
from lrlab.report.content import data as d
from lrlab.report.content import standing, summary
from lrlab.report.content.reading import read_live
from lrlab.runs.summary import best_mean, mean_scores
from lrlab.search.range_test import middle
from lrlab.ui.places import PARTS, Place

SPARK_POINTS = 40
"""Points of a row's line, at most: about one for each two of its pixels."""

OPTIMIZER = re.compile(
    r'^\[optimizer\]\n(?:(?!\[).*\n)*?(?:name|python) = "([^"\n]*)"', re.MULTILINE
)
"""The optimizer in a configuration as lrlab writes it. Reading all of it as TOML takes a third of a
millisecond, and nothing follows from it but a word in a list of thousands."""

SENTENCE = 300
"""Characters of a sentence in a row; the run's own page has it whole."""


def row_of(place: Place) -> JsonObject:
    """A run in JSON's own types: what a list shows, filters and sorts by. Whatever is wrong with
    its files becomes the state "damaged" and a sentence.

    Of a run that is under way this has what `run.json` says; `live_row` adds the rest.
    """
    row: JsonObject = {
        "run": place.name, "name": place.folder.name, "parent": place.parent, "state": "damaged",
        "command": "", "task": "", "optimizer": "", "started": None, "sentence": "",
    }  # fmt: skip
    try:
        # Not `status_of`, which checks the seal: the run's own page does, and thousands cost less.
        info = read_json(place.folder / "run.json")
        state = runs.state(place.folder, info)
        row |= {
            "state": state,
            "command": _text(info.get("command")),
            "task": _text(info.get("title") or info.get("name")),
            "optimizer": _optimizer(place),
            "started": _text(info.get("started")) or None,
            "metric": _text(info.get("metric")),
        }
        if state == "finished":
            row |= _answer(read_json(place.folder / "summary.json"), info)
        elif state == "running":
            row["sentence"] = "Training; nothing is committed yet."
    except (RunError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        row |= {"state": "damaged", "sentence": str(error)[:SENTENCE]}
    return row


def live_row(place: Place, row: JsonObject) -> JsonObject:
    """The row of an unfinished run with what its last commit holds: how far, the best so far."""
    if row["command"] in PARTS or row["state"] in ("finished", "damaged"):
        return row
    try:
        data = read_live(place.folder)
    except (ValueError, OSError):  # nothing is committed yet, or in this instant
        return row
    best = standing.best_so_far(data)
    points = [(one.lr, one.mean) for one in summary.best_rows(data)]
    return row | {
        "done": round(standing.share(data), 4),
        "sentence": standing.sentence(data)[:SENTENCE],
        "lr": rounded(best.lr) if best else None,
        "best": rounded(best.mean) if best else None,
        "metric": d.metric_of(data),
        "spark": spark(points),
    }


def _answer(content: Table, info: Table) -> JsonObject:
    """What a finished run came to."""
    inner = content.get("best")
    best = inner if isinstance(inner, Mapping) else content
    mode = dict(info.get("modes") or {}).get(str(content.get("metric")), "min")
    points = mean_scores(best.get("evidence") or content.get("evidence") or (), mode)
    lr, ends = best.get("lr"), best.get("interval")
    several = isinstance(lr, Mapping)
    if several:
        row = {"rates": ", ".join(f"{name} {number(one)}" for name, one in lr.items())}
    elif content.get("entries") or content.get("groups"):
        row = {"rates": _of_parts(content)}
    elif content.get("suggestions"):
        row = {"rates": _of_rules(content["suggestions"])}
    else:
        row = {"lr": rounded(lr), "interval": list(map(rounded, ends)) if ends else None}
    return {
        **row,
        "verdict": _text(best.get("verdict")),
        "metric": _text(content.get("metric")),
        "best": rounded(best_mean(content, mode)),
        "seconds": rounded(content.get("seconds")),
        "cost": rounded(best.get("cost", content.get("cost"))),
        "sentence": _text(best.get("sentence") or content.get("sentence"))[:SENTENCE],
        "spark": [] if several else spark(points),
    }


def _of_parts(content: Table) -> str:
    """The rates that a comparison or a study came to, in words: of its first entry (the best), or
    from the lowest to the highest of its groups."""
    if entries := content.get("entries"):
        return f"{entries[0].get('name')} {number(entries[0].get('lr'))}"
    rates = [group["lr"] for group in content["groups"] if group.get("lr") is not None]
    ends = (min(rates), max(rates)) if rates and not isinstance(rates[0], Mapping) else None
    return interval(ends) if ends else "-"


def _of_rules(suggestions: Mapping[str, Sequence[float | None]]) -> str:
    """From the lowest to the highest of a range test's rules, each by its median over seeds.

    >>> _of_rules({"a": [0.1, None], "b": [1.0, 1.0], "c": [None, None]})
    '0.1 to 1'
    """
    seen = ([rate for rate in rates if rate is not None] for rates in suggestions.values())
    middles = [middle(np.array(rates)) for rates in seen if rates]
    return interval((min(middles), max(middles))) if middles else "-"


def spark(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    """A small line of score over the log of the learning rate, both from 0 to 1; heights in log
    where all are positive.

    >>> spark([(0.1, 1.0), (1.0, 10.0), (10.0, 100.0)])
    [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]
    >>> spark([(0.1, 1.0)])
    []
    """
    points = [(lr, y) for lr, y in points if lr > 0 and math.isfinite(y)]
    if len(points) < 2:
        return []
    if len(points) > SPARK_POINTS:
        last = len(points) - 1
        points = [points[round(i * last / (SPARK_POINTS - 1))] for i in range(SPARK_POINTS)]
    positive = all(y > 0 for _, y in points)
    x = [math.log(lr) for lr, _ in points]
    y = [math.log(y) if positive else y for _, y in points]
    return [[round(u, 3), round(v, 3)] for u, v in zip(_unit(x), _unit(y), strict=True)]


def _unit(values: Sequence[float]) -> list[float]:
    low, span = min(values), (max(values) - min(values)) or 1.0
    return [(value - low) / span for value in values]


def _optimizer(place: Place) -> str:
    """The optimizer's name in the configuration; "" where it has none, or cannot be read."""
    try:
        text = (place.folder / "config.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    found = None if "[compare" in text else OPTIMIZER.search(text)
    return found[1] if found else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
