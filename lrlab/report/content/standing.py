"""A run that is under way, in words: how far it is, and what is best so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.core.text import counted, duration, number
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData

WORDS = {
    "running": "Training",
    "interrupted": "Interrupted",
    "failed": "Failed",
    "stopped": "Stopped: its process has ended",
}
"""A run's state -> how a sentence about it begins."""


class Best(NamedTuple):
    """The learning rate with the best mean of a metric so far, and that mean."""

    lr: float
    mean: float
    metric: str


def best_so_far(data: ReportData) -> Best | None:
    """The best mean score over the lanes as they are; None where none has a score, and of a range
    test, which chooses by its curves."""
    if data.test is not None:
        return None
    metric = d.metric_of(data)
    sign = d.sign_of(data, metric)
    rows = [row for row in summary.best_rows(data, metric) if row.lr > 0]
    row = min(rows, key=lambda row: sign * row.mean, default=None)
    return None if row is None else Best(row.lr, row.mean, metric)


def share(data: ReportData) -> float:
    """How much of the stage that is under way is done, from 0 to 1."""
    standing = data.standing
    return standing.done / standing.total if standing is not None and standing.total else 0.0


def percent_done(data: ReportData) -> str:
    """`share` in whole percent; 100 % is the end alone."""
    return f"{min(int(100 * share(data)), 99)} %"


def time_left(data: ReportData) -> str:
    """How long it still takes, in words; "" where that is not known or nothing runs."""
    standing = data.standing
    if standing is None or standing.left is None or data.status != "running":
        return ""
    return f"about {duration(max(round(standing.left), 1))}" if standing.left else ""


def rate_reached(data: ReportData) -> float | None:
    """How far up its ladder a ramp is; None of anything else, and before its first loss."""
    test = data.test
    if test is None or test.kind != "ramp":
        return None
    reached = np.flatnonzero(np.isfinite(test.loss).any(axis=0))
    return float(test.lr[reached[-1]]) if len(reached) else None


def stage_words(data: ReportData) -> str:
    """Which stage of a search is under way; "" for what has one stage."""
    searching = data.standing is not None and data.manifest.get("command") == "find"
    return f"stage {data.standing.stage}" if searching and data.standing is not None else ""


def sentence(data: ReportData) -> str:
    """What a report of an unfinished run says first."""
    words = WORDS.get(data.status, data.status.capitalize() or "Unfinished")
    if data.standing is None:
        return f"{words}; nothing is committed yet."
    stage, left = stage_words(data), time_left(data)
    of = f" of {stage}" if stage else ""
    parts = [f"{words}, {percent_done(data)}{of} done"]
    if data.status != "running":
        parts = [f"{words}, at {percent_done(data)}{of}"]
    if left:
        parts.append(f"{left} left{of}")
    best = best_so_far(data)
    text = ", ".join(parts) + "."
    if best is not None:
        metric = d.judged_by(data, d.metric_of(data))
        text += f" Best so far: learning rate {number(best.lr)}, mean {metric} {number(best.mean)}."
    if reached := rate_reached(data):
        text += f" The ramp is at learning rate {number(reached)}."
    return text


def line(data: ReportData) -> str:
    """One line for a terminal without a cursor: progress, lanes, what is best, time left."""
    standing = data.standing
    if standing is None:
        return sentence(data)
    stage, left, best = stage_words(data), time_left(data), best_so_far(data)
    parts = [f"{stage + ', ' if stage else ''}{percent_done(data)} done"]
    parts.append(f"{standing.alive:,} of {counted(standing.lanes, 'lane')} alive")
    if best is not None:
        metric = d.judged_by(data, d.metric_of(data))
        parts.append(f"best {metric} {number(best.mean)} at lr {number(best.lr)}")
    if reached := rate_reached(data):
        parts.append(f"at lr {number(reached)}")
    if left:
        parts.append(f"{left} left")
    return ", ".join(parts)
