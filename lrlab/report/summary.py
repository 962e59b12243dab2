"""Numbers that figures, page and terminal share: scores, rungs, cost, thinned curves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lrlab.report import data as d
from lrlab.report.data import ReportData


def final(data: ReportData, metric: str) -> np.ndarray:
    """The metric after the last update, f64[L, ..., S]; nan unless the lane's outcome is ok."""
    values = d.last_finite(d.curve(data, metric)[1])
    return np.where(data.outcome == "ok", values, np.nan)


def initial(data: ReportData, metric: str) -> np.ndarray:
    """The metric before the first update, f64[L, ..., S]; nan where it was not recorded."""
    if metric in data.initial:
        return np.asarray(data.initial[metric], dtype=np.float64)
    steps, values = d.curve(data, metric)
    if metric not in data.evaluated and len(steps) and steps[0] == 0:
        return np.asarray(values[0], dtype=np.float64)
    return np.full(data.outcome.shape, np.nan)


def scores(data: ReportData, metric: str) -> np.ndarray:
    """What `find` minimizes, f64[L, ..., S]: min(final, initial), a diverged lane as its initial.

    Mirrored for metrics that are maximized. nan for lanes that were pruned or not run.
    """
    end, start = final(data, metric), initial(data, metric)
    better = np.fmax if d.mode_of(data, metric) == "max" else np.fmin
    value = np.where(data.outcome == "diverged", start, better(end, start))
    return np.where(np.isin(data.outcome, ("ok", "diverged")), value, np.nan)


class LrRow(NamedTuple):
    """One learning rate (with its further lane axes) over its seeds."""

    lr: float
    extra: dict[str, Any]
    index: tuple[int, ...]  # into [L, ...]
    mean: float  # mean score over the lanes that ended or diverged; nan without any
    low: float  # lowest and highest score of a seed
    high: float
    counts: dict[str, int]  # outcome -> lanes
    steps: int  # the most updates any seed made
    diverged_at: int  # median step of divergence, -1 without any


def lr_rows(data: ReportData, metric: str | None = None) -> list[LrRow]:
    """One row per learning rate and further lane axis, ascending in LR; cells not run left out."""
    metric = metric or d.metric_of(data)
    values, made = scores(data, metric), d.steps_trained(data)
    names = list(data.extra)
    rows = []
    for index in np.ndindex(*data.outcome.shape[:-1]):
        outcomes = data.outcome[index]
        kinds, numbers = np.unique(outcomes, return_counts=True)
        counts = {str(k): int(n) for k, n in zip(kinds, numbers, strict=True)}
        if counts.get("not_run", 0) == outcomes.size:
            continue
        seen = values[index][np.isfinite(values[index])]
        steps = data.diverged_at[index][outcomes == "diverged"]
        rows.append(
            LrRow(
                lr=float(data.lr[index[0]]),
                extra={n: data.extra[n][i] for n, i in zip(names, index[1:], strict=True)},
                index=index,
                mean=float(seen.mean()) if seen.size else float("nan"),
                low=float(seen.min()) if seen.size else float("nan"),
                high=float(seen.max()) if seen.size else float("nan"),
                counts={k: n for k, n in counts.items() if k != "not_run"},
                steps=int(made[index].max()),
                diverged_at=int(np.median(steps)) if steps.size else -1,
            )
        )
    return sorted(rows, key=lambda row: row.lr)


def diverged_from(data: ReportData) -> float | None:
    """The LR from which at least half of the lanes of every larger LR diverged; None without one.

    With further lane axes every combination at an LR counts together.
    """
    order = np.argsort(data.lr, kind="stable")
    edge = None
    for i in order[::-1]:
        cell = data.outcome[i]
        run = np.count_nonzero(cell != "not_run")
        if run == 0:
            continue
        if np.count_nonzero(cell == "diverged") * 2 < run:
            break
        edge = float(data.lr[i])
    return edge


class Rung(NamedTuple):
    """The lanes that stopped at one length."""

    steps: int
    lanes: int
    outcomes: dict[str, int]
    lr_low: float
    lr_high: float


def rungs(data: ReportData) -> list[Rung]:
    """How far the lanes went: one row per length at which lanes were pruned or ended, ascending.

    Diverged lanes are one row of their own (steps -1): they stop anywhere.
    """
    made = d.steps_trained(data)
    lr = np.broadcast_to(
        data.lr.reshape((-1,) + (1,) * (data.outcome.ndim - 1)), data.outcome.shape
    )
    place = np.where(data.outcome == "diverged", -1, made)
    run = data.outcome != "not_run"
    rows = []
    for steps in np.unique(place[run]):
        here = run & (place == steps)
        names, numbers = np.unique(data.outcome[here], return_counts=True)
        outcomes = {str(k): int(n) for k, n in zip(names, numbers, strict=False)}
        low, high = float(lr[here].min()), float(lr[here].max())
        rows.append(Rung(int(steps), int(here.sum()), outcomes, low, high))
    return rows


def costs(data: ReportData) -> list[tuple[str, str, str]]:
    """(what, value, remark) rows of the cost table; nothing is left out to look cheaper."""
    made, full = d.steps_trained(data), max(d.full_steps(data), 1)
    run = data.outcome != "not_run"
    answer = data.answer or {}
    rows = [
        (
            "Lanes trained",
            f"{int(run.sum()):,}",
            "a lane is one learning rate with one seed",
        ),
        (
            "Lane-steps kept",
            f"{int(made.sum()):,}",
            "updates that are in the recorded curves",
        ),
    ]
    for outcome in ("diverged", "pruned"):
        lanes = data.outcome == outcome
        if lanes.any():
            share = f"{int(lanes.sum())} lanes, {int(made[lanes].sum()):,} of those lane-steps"
            rows.append((f"Spent on {outcome} lanes", share, "included above"))
    cost = answer.get("cost")
    if cost is not None:
        remark = f"all lane-steps trained, divided by the {full:,} steps of one run"
        rows.append(("Full-length runs", number(cost), remark))
    else:
        rows.append(("Full-length runs", number(made.sum() / full), "lane-steps kept / steps"))
    seconds = answer.get("seconds")
    if seconds is not None:
        rows.append(("Wall time", duration(seconds), "start to answer, compilation included"))
        if cost:
            each = duration(float(seconds) / float(cost))
            rows.append(("Wall time per full-length run", each, "wall time / full-length runs"))
    return rows


def thin(steps: np.ndarray, values: np.ndarray, points: int = 400) -> tuple[Any, Any]:
    """Min-max thinning of one curve: at most about `points` points, every extreme kept.

    Args:
        steps: int[N]. values: f[N]; entries that are not finite are dropped.

    Returns:
        (steps, values): the first and last finite entry and, of each of `points / 2` equal
        stretches, its lowest and highest entry, so that no spike is lost.

    >>> x = np.arange(1000); y = np.ones(1000); y[123] = 50.0
    >>> kept, shown = thin(x, y, 20)
    >>> len(kept) <= 22, shown.max()
    (True, np.float64(50.0))
    """
    steps, values = np.asarray(steps), np.asarray(values, dtype=np.float64)
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) <= max(points, 4):
        return steps[finite], values[finite]
    seen = values[finite]
    edges = np.linspace(0, len(seen), max(points // 2, 1) + 1).astype(int)[:-1]
    width = np.diff(np.append(edges, len(seen)))
    stretch = np.repeat(np.arange(len(edges)), width)
    order = np.lexsort((seen, stretch))  # within a stretch from lowest to highest
    ends = np.cumsum(width)
    keep = np.unique(np.concatenate([order[ends - width], order[ends - 1], [0, len(seen) - 1]]))
    return steps[finite][keep], seen[keep]


def number(value: Any) -> str:
    """A number for people: three significant digits, no padding.

    >>> number(0.0316227), number(1e-5), number(120000.0), number(float("nan")), number(20)
    ('0.0316', '1e-5', '1.2e5', '-', '20')
    """
    if isinstance(value, str):
        return value  # a lane axis of names
    if value is None or not np.isfinite(value):
        return "-"
    digits, _, power = f"{float(value):.3g}".partition("e")
    return f"{digits}e{int(power)}" if power else digits


def duration(seconds: Any) -> str:
    """Seconds for people.

    >>> duration(0.0042), duration(12.34), duration(754), duration(7325)
    ('4.2 ms', '12.3 s', '12 min 34 s', '2 h 2 min')
    """
    value = float(seconds)
    if value < 1:
        return f"{value * 1000:.3g} ms"
    if value < 60:
        return f"{value:.3g} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
