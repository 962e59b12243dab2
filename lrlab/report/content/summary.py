"""Numbers that figures, page and terminal share: scores, rungs, cost, thinned curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab.report.content import data as d
from lrlab.report.content.data import ReportData, Stage
from lrlab.report.content.selection import with_rates
from lrlab.search.differences import digits


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


def fewer(data: ReportData, lanes: int) -> ReportData:
    """The run with evenly chosen learning rates, so that about `lanes` lanes are left at most; the
    rate nearest to the recommended one is among them. As it is where it has no more."""
    per_rate = max(data.outcome[0].size, 1) if len(data.lr) else 1
    most = max(lanes // per_rate, 2)
    if len(data.lr) <= most:
        return data
    order = np.argsort(data.lr, kind="stable")
    keep = set(order[np.unique(np.linspace(0, len(order) - 1, most).round().astype(int))].tolist())
    pick = (data.answer or {}).get("lr")
    if pick:
        keep.add(int(np.abs(np.log(np.fmax(data.lr, 1e-300) / pick)).argmin()))
    return with_rates(data, np.array(sorted(keep)))


def best_rows(data: ReportData, metric: str | None = None) -> list[LrRow]:
    """One row per learning rate with a score: of its further lane axes the best combination."""
    metric = metric or d.metric_of(data)
    sign = 1.0 if d.mode_of(data, metric) == "min" else -1.0
    found: dict[float, LrRow] = {}
    for row in lr_rows(data, metric):
        if np.isfinite(row.mean):
            before = found.get(row.lr)
            if before is None or sign * row.mean < sign * before.mean:
                found[row.lr] = row
    return list(found.values())


def shown_digits(data: ReportData, rows: Sequence[LrRow], metric: str) -> int:
    """Significant digits that tell the rows' means apart."""
    sign = 1.0 if d.mode_of(data, metric) == "min" else -1.0
    return digits([sign * row.mean for row in rows])


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
    """A point of a search at which lanes were pruned, or the end of a training call."""

    stage: int  # from 1
    steps: int  # updates done
    entered: int  # lanes that set out for this point
    diverged: int  # of those, on the way
    pruned: int  # of those, here
    pruned_lr: tuple[float, float] | None  # lowest and highest rate that was pruned
    kept: int  # lanes that went on, or finished
    kept_lr: tuple[float, float] | None


def rungs(data: ReportData) -> list[Rung]:
    """What was pruned when: per training call of a search, a row per rung and one for its end."""
    stages = data.stages or [_one_stage(data)]
    rows = []
    for number, stage in enumerate(stages, 1):
        pruned, diverged = stage.outcome == "pruned", stage.outcome == "diverged"
        left = np.ones(len(stage.lr), bool)
        ends = [*np.unique(stage.steps[pruned]), None]
        for end in ends:
            cut = left & pruned & (stage.steps == end) if end is not None else left & False
            lost = left & diverged & ((stage.steps <= end) if end is not None else True)
            going = left & ~cut & ~lost
            if end is None and not left.any():
                continue
            steps = int(stage.steps[going].max(initial=0) if end is None else end)
            row = Rung(
                number, steps, int(left.sum()), int(lost.sum()), int(cut.sum()),
                _ends(stage.lr[cut]), int(going.sum()), _ends(stage.lr[going]),
            )  # fmt: skip
            rows.append(row)
            left = going
    return rows


def _one_stage(data: ReportData) -> Stage:
    ran = data.outcome != "not_run"
    lr = np.broadcast_to(data.lr.reshape((-1,) + (1,) * (ran.ndim - 1)), ran.shape)
    return Stage(lr[ran], d.steps_trained(data)[ran], data.outcome[ran])


def _ends(lr: np.ndarray) -> tuple[float, float] | None:
    return (float(lr.min()), float(lr.max())) if lr.size else None


def costs(data: ReportData) -> list[tuple[str, str, str]]:
    """(what, value, remark) rows of the cost table; nothing is left out to look cheaper."""
    full = max(d.full_steps(data), 1)
    stages = data.stages or [_one_stage(data)]
    steps = np.concatenate([stage.steps for stage in stages])
    outcome = np.concatenate([stage.outcome for stage in stages])
    answer = data.answer or {}
    rows = [
        ("Lanes trained", f"{len(steps):,}", "a lane is one learning rate with one seed"),
        ("Lane-steps", f"{int(steps.sum()):,}", "updates of all lanes together"),
    ]
    for kind in ("pruned", "diverged"):
        lanes = outcome == kind
        if lanes.any():
            share = f"{int(steps[lanes].sum()):,} in {int(lanes.sum())} lanes"
            rows.append((f"Spent on {kind} lanes", share, "included above"))
    paid = answer.get("cost")
    paid = float(paid) if paid is not None else float(steps.sum()) / full
    rows.append(("Full-length runs", number(paid), f"lane-steps / the {full:,} of one run"))
    seconds = answer.get("seconds")
    if seconds is not None:
        rows.append(("Wall time", duration(seconds), "start to answer, compilation included"))
        if paid:
            each = duration(float(seconds) / paid)
            rows.append(("Per full-length run", each, "wall time / full-length runs"))
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


def number(value: Any, significant: int = 3) -> str:
    """A number for people: three significant digits, no padding.

    >>> number(0.0316227), number(1e-5), number(120000.0), number(float("nan")), number(20)
    ('0.0316', '1e-5', '1.2e5', '-', '20')
    """
    if isinstance(value, str):
        return value  # a lane axis of names
    if value is None or not np.isfinite(value):
        return "-"
    digits, _, power = f"{float(value):.{significant}g}".partition("e")
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
