"""`lrlab show RUN --lr RATE`: the lanes at the trained learning rate that is nearest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.errors import ConfigError, Problem
from lrlab.core.paths import short
from lrlab.core.text import JsonObject, number
from lrlab.report.content import data as content
from lrlab.report.content.data import ReportData
from lrlab.report.terminal.blocks import heights, sparkline

WIDTH = 40
"""Blocks of a curve: with the numbers beside it, it fits in 120 columns."""


class Lane(NamedTuple):
    """One lane: where it stands in the record, its further axes, seed, end."""

    place: tuple[int, ...]
    extra: dict[str, float | str]
    seed: int
    outcome: str
    steps: int
    diverged_at: int


class Lines(NamedTuple):
    """The lanes at a rate for people: a sentence, the columns and rows of a table, what stands
    below it."""

    sentence: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    caption: str


def rate_lines(data: ReportData, asked: float) -> Lines:
    """The lanes at the rate nearest to `asked`: outcome, score, the curve of what decides.

    Raises:
        ConfigError: as `nearest`.
    """
    rate, lanes, others = nearest(data, asked)
    metric = content.metric_of(data)
    steps, values = content.curve(data, metric)
    near = ", ".join(number(other) for other in others)
    said = "" if number(rate) == number(asked) else f", the nearest to {number(asked)}"
    beside = f" (beside it: {near})" if near else ""
    sign = content.sign_of(data, metric)
    rows = []
    for lane in lanes:
        curve = np.asarray(values[(slice(None), *lane.place)], np.float64)
        seen = curve[np.isfinite(curve)]
        last = number(seen[-1], 4) if seen.size else "-"
        best = number(sign * (sign * seen).min(), 4) if seen.size else "-"
        end = f" (step {lane.diverged_at:,})" if lane.diverged_at >= 0 else ""
        further = [number(value) for value in lane.extra.values()]
        cells = (f"{lane.outcome}{end}", f"{lane.steps:,}", last, best, blocks(curve))
        rows.append((str(lane.seed), *further, *cells))
    columns = ("seed", *data.extra, "outcome", "steps", f"last {metric}", "best", "curve")
    ends = f"from step {int(steps[0]):,} to {int(steps[-1]):,}" if len(steps) else "none recorded"
    return Lines(
        f"{data.rate_name} {number(rate, 6)}{said}{beside}",
        columns,
        rows,
        f"Curves of {metric}, {ends}; in a log scale where nothing is negative",
    )


def rate_json(data: ReportData, asked: float, run: str) -> JsonObject:
    """The same as a JSON object, with every curve of these lanes."""
    rate, lanes, _ = nearest(data, asked)
    return {
        "run": short(run),
        "asked": asked,
        "lr": rate,
        "lanes": [
            {
                "seed": lane.seed,
                **({"at": lane.extra} if lane.extra else {}),
                "outcome": lane.outcome,
                "steps": lane.steps,
                "diverged_at": lane.diverged_at,
                "history": {name: _history(data, name, lane) for name in data.record.metrics},
            }
            for lane in lanes
        ],
    }


def _history(data: ReportData, name: str, lane: Lane) -> JsonObject:
    steps, values = content.curve(data, name)
    curve = np.asarray(values[(slice(None), *lane.place)], np.float64)
    seen = np.isfinite(curve)
    return {"steps": steps[seen].tolist(), "values": curve[seen].tolist()}


def nearest(data: ReportData, asked: float) -> tuple[float, list[Lane], list[float]]:
    """The trained rate nearest to the one asked for, as a ratio, its lanes, and its neighbors.

    Raises:
        ConfigError: no learning rate, or a run in which no lane has one rate.
    """
    if not math.isfinite(asked) or asked < 0:
        raise ConfigError([Problem("--lr", None, "", f"must be 0 or more, got {asked:g}")])
    ran = data.outcome != "not_run"
    rates = sorted({float(lr) for lr, lanes in zip(data.lr, ran, strict=True) if lanes.any()})
    if data.test is not None:
        what = "in a range test the rate changes at every step: `lrlab export RUN -f curves`"
        raise ConfigError([Problem("--lr", None, "", what)])
    if not rates:
        raise ConfigError([Problem("--lr", None, "", "no lane has run yet")])
    rate = min(rates, key=lambda lr: distance(lr, asked))
    at = rates.index(rate)
    return rate, _lanes(data, rate, ran), rates[max(at - 1, 0) : at] + rates[at + 1 : at + 2]


def distance(lr: float, asked: float) -> float:
    """How far two rates are apart: as a ratio; 0 is near to itself alone.

    >>> distance(0.1, 0.1), distance(0.0, 0.1), round(distance(0.1, 1.0), 3)
    (0.0, inf, 2.303)
    """
    if lr == asked:
        return 0.0
    if lr <= 0:
        return math.inf
    return abs(math.log(lr / asked)) if asked > 0 else lr


def _lanes(data: ReportData, rate: float, ran: np.ndarray) -> list[Lane]:
    steps, diverged, lanes = content.steps_trained(data), data.record.diverged_at, []
    for place in map(tuple, np.argwhere(ran)):
        first, *middle, last = place
        if data.lr[first] != rate:
            continue
        extra = {n: v[i].item() for (n, v), i in zip(data.extra.items(), middle, strict=True)}
        end = int(diverged[place])
        outcome = str(data.outcome[place])
        lanes.append(Lane(place, extra, int(data.seeds[last]), outcome, int(steps[place]), end))
    return lanes


def blocks(values: Sequence[float] | np.ndarray) -> str:
    """A curve in `WIDTH` blocks at most: the mean of what falls into each.

    >>> len(blocks(np.arange(1000.0))), blocks([2.0, 1.0])
    (40, '█▁')
    """
    x = np.asarray(values, np.float64)
    parts = np.array_split(x, min(WIDTH, max(len(x), 1)))
    means = [
        part[np.isfinite(part)].mean() if np.isfinite(part).any() else np.nan for part in parts
    ]
    return sparkline(heights(np.array(means)))
