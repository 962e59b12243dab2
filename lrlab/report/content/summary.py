"""Numbers that figures, page and terminal share: scores, rungs, cost, thinned curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.axes import RATE_PREFIX
from lrlab.core.records import DIVERGED, NOT_RUN, OK
from lrlab.core.score import LAST
from lrlab.core.text import Table, counted, duration, number, percent
from lrlab.core.worker_use import usage_of
from lrlab.report.content import data as d
from lrlab.report.content.data import ReportData
from lrlab.report.content.selection import with_rates
from lrlab.search.differences import digits
from lrlab.search.scores import grid_scores


def final(data: ReportData, metric: str) -> np.ndarray:
    """The metric after the last update, f64[L, ..., S]; nan unless the lane's outcome is ok."""
    values = d.last_finite(d.curve(data, metric)[1])
    return np.where(data.record.outcome == OK, values, np.nan)


def ended(data: ReportData, metric: str) -> np.ndarray:
    """What a lane is judged by, f64[L, ..., S]: the metric after the last update, or the run's
    other score; nan unless the lane's outcome is ok."""
    if data.score == LAST:
        return final(data, metric)
    losses = grid_scores(data.record, metric, data.score).values
    losses = np.asarray(losses, np.float64).reshape(-1, *data.record.outcome.shape)
    values = losses[-1]
    if data.training is not None:
        values = np.where(data.training, d.last_finite(losses), values)
    return np.where(data.record.outcome == OK, values, np.nan)


def initial(data: ReportData, metric: str) -> np.ndarray:
    """The metric before the first update, f64[L, ..., S]; nan where it was not recorded."""
    record = data.record
    if metric in record.initial:
        return np.asarray(record.initial[metric], dtype=np.float64)
    steps, values = d.curve(data, metric)
    if record.metrics[metric].axis == "step" and len(steps) and steps[0] == 0:
        return np.asarray(values[0], dtype=np.float64)
    return np.full(record.outcome.shape, np.nan)


def scores(data: ReportData, metric: str) -> np.ndarray:
    """What `find` minimizes, f64[L, ..., S]: min(score, initial), a diverged lane as its initial.

    Mirrored for metrics that are maximized. nan for lanes that were pruned or not run.
    """
    end, start = ended(data, metric), initial(data, metric)
    better = np.fmax if d.direction_of(data, metric) == "max" else np.fmin
    outcome = data.record.outcome
    value = np.where(outcome == DIVERGED, start, better(end, start))
    return np.where(np.isin(outcome, (OK, DIVERGED)), value, np.nan)


class LrRow(NamedTuple):
    """One learning rate (with its further lane axes) over its seeds."""

    lr: float
    extra: dict[str, float | str]
    place: tuple[int, ...]  # into [L, ...]
    mean: float  # mean score over the lanes that ended or diverged; nan without any
    low: float  # lowest and highest score of a seed
    high: float
    counts: dict[str, int]  # outcome -> lanes
    steps: int  # the most updates of any seed
    diverged_at: int  # median step of divergence, -1 without any


def lr_rows(data: ReportData, metric: str | None = None) -> list[LrRow]:
    """One row per learning rate and further lane axis, ascending in LR; cells not run left out."""
    metric = metric or d.metric_of(data)
    values, trained = scores(data, metric), d.steps_trained(data)
    outcome, diverged_at, extra = data.outcome, data.record.diverged_at, data.extra
    rows = []
    for index in np.ndindex(*outcome.shape[:-1]):
        outcomes = outcome[index]
        kinds, numbers = np.unique(outcomes, return_counts=True)
        counts = {str(k): int(n) for k, n in zip(kinds, numbers, strict=True)}
        if counts.get("not_run", 0) == outcomes.size:
            continue
        seen = values[index][np.isfinite(values[index])]
        steps = diverged_at[index][outcomes == "diverged"]
        rows.append(
            LrRow(
                lr=float(data.lr[index[0]]),
                extra={n: v[i].item() for (n, v), i in zip(extra.items(), index[1:], strict=True)},
                place=index,
                mean=float(seen.mean()) if seen.size else float("nan"),
                low=float(seen.min()) if seen.size else float("nan"),
                high=float(seen.max()) if seen.size else float("nan"),
                counts={k: n for k, n in counts.items() if k != "not_run"},
                steps=int(trained[index].max()),
                diverged_at=int(np.median(steps)) if steps.size else -1,
            )
        )
    return sorted(rows, key=lambda row: row.lr)


def outcome_words(group: Sequence[LrRow]) -> str:
    """What became of the lanes of one or several rates.

    >>> outcome_words([LrRow(1.0, {}, (0,), 1.0, 1.0, 1.0, {"diverged": 3, "ok": 1}, 9, 8)])
    '3 diverged (step 8), 1 ok'
    """
    counts: dict[str, int] = {}
    for row in group:
        for kind, count in row.counts.items():
            counts[kind] = counts.get(kind, 0) + count
    ends = sorted({row.diverged_at for row in group if row.diverged_at >= 0})
    steps = f" (step {ends[0]}{f' to {ends[-1]}' if len(ends) > 1 else ''})" if ends else ""
    return ", ".join(
        f"{count} {kind}" + (steps if kind == "diverged" else "") for kind, count in counts.items()
    )


def inside(rate: float, interval: Sequence[float] | None) -> bool:
    """Whether a rate lies in an interval, its ends included whatever rounding made of them.

    >>> inside(0.1, (0.01, 0.09999)), inside(0.1, None)
    (True, False)
    """
    return bool(interval) and interval[0] / ENDS <= rate <= interval[1] * ENDS


def recommended(row: LrRow, answer: Table) -> bool:
    """Whether a row's learning rate is in the answer's interval; of several rates whether all are,
    as far as each is an axis of its own."""
    if not inside(row.lr, answer.get("interval")):
        return False
    others = list((answer.get("rates") or {}).items())[1:]
    return all(
        inside(float(row.extra[f"{RATE_PREFIX}{name}"]), ends)
        for name, (_, ends) in others
        if f"{RATE_PREFIX}{name}" in row.extra
    )


def fewer(data: ReportData, lanes: int) -> ReportData:
    """The run with evenly chosen learning rates, so that about `lanes` lanes are left at most; the
    rate nearest to the recommended one is among them. As it is where it has no more."""
    per_rate = max(data.record.outcome[0].size, 1) if len(data.lr) else 1
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
    sign = d.sign_of(data, metric)
    best: dict[float, LrRow] = {}
    for row in lr_rows(data, metric):
        if np.isfinite(row.mean):
            before = best.get(row.lr)
            if before is None or sign * row.mean < sign * before.mean:
                best[row.lr] = row
    return list(best.values())


def answer_place(data: ReportData) -> tuple[int, ...] | None:
    """The places on the further lane axes that the answer recommends; None without such an answer.
    They need not be those of the best mean, which few seeds may have made."""
    answer = data.answer or {}
    at = answer.get("at") or (answer.get("details") or {}).get("at") or {}
    if not data.extra or not all(name in at for name in data.extra):
        return None
    places = []
    for name, values in data.extra.items():
        same = values == at[name] if values.dtype.kind in "USO" else np.isclose(values, at[name])
        if not same.any():
            return None
        places.append(int(np.argmax(same)))
    return tuple(places)


def shown_digits(data: ReportData, rows: Sequence[LrRow], metric: str) -> int:
    """Significant digits that tell the rows' means apart."""
    sign = d.sign_of(data, metric)
    return digits([sign * row.mean for row in rows])


def diverged_from(data: ReportData) -> float | None:
    """The LR from which at least half of the lanes of every larger LR diverged; None without one.

    With further lane axes every combination at an LR counts together.
    """
    order = np.argsort(data.lr, kind="stable")
    edge = None
    for i in order[::-1]:
        cell = data.record.outcome[i]
        run = np.count_nonzero(cell != NOT_RUN)
        if run == 0:
            continue
        if np.count_nonzero(cell == DIVERGED) * 2 < run:
            break
        edge = float(data.lr[i])
    return edge


class Rung(NamedTuple):
    """A point of a search at which lanes were pruned, or the end of a training call."""

    stage: int  # from 1
    steps: int  # updates done
    entered: int  # lanes that began the way to this point
    diverged: int  # of those, on the way
    pruned: int  # of those, here
    pruned_lr: tuple[float, float] | None  # lowest and highest rate that was pruned
    kept: int  # lanes that continued, or finished
    kept_lr: tuple[float, float] | None


ENDS = 1.001
"""Factor by which a rate may miss an end of an interval: ends are stored and typed in few digits,
and neighboring rates lie much further apart."""

POINTS = 400
"""Points of a curve that is drawn: about one for each of a figure's pixels across."""


def rungs(data: ReportData) -> list[Rung]:
    """What was pruned when: per training call of a search, a row per rung and one for its end."""
    stages = data.stages or [d.stage_of(data.record, d.steps_trained(data))]
    rows = []
    for count, stage in enumerate(stages, 1):
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
                count, steps, int(left.sum()), int(lost.sum()), int(cut.sum()),
                _ends(stage.lr[cut]), int(going.sum()), _ends(stage.lr[going]),
            )  # fmt: skip
            rows.append(row)
            left = going
    return rows


def _ends(lr: np.ndarray) -> tuple[float, float] | None:
    return (float(lr.min()), float(lr.max())) if lr.size else None


def costs(data: ReportData) -> list[tuple[str, str, str]]:
    """(what, value, remark) rows of the cost table; nothing is left out to look cheaper."""
    full = max(d.full_steps(data), 1)
    stages = data.stages or [d.stage_of(data.record, d.steps_trained(data))]
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
            share = f"{int(steps[lanes].sum()):,} in {counted(int(lanes.sum()), 'lane')}"
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
    if data.lanes:
        shown = f"{data.record.outcome.size:,} of {data.lanes:,}"
        rows.append(("Lanes shown", shown, "spread evenly; the answer and the costs are of all"))
    if (used := usage_of(data.manifest.get("workers"))) is not None:
        rows.append(("Busy workers", f"{percent(used.share)} of the time", used.sentence))
    return rows


def thin(
    steps: np.ndarray, values: np.ndarray, points: int = POINTS
) -> tuple[np.ndarray, np.ndarray]:
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
