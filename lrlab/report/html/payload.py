"""What the page's script draws: a run in JSON's own types, its curves thinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lrlab.core.records import PRUNED
from lrlab.core.text import Json, Table, rounded
from lrlab.core.tolerance import level_in_words
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.content.selection import drawable
from lrlab.report.figures import style
from lrlab.report.figures.comparison import comparable

if TYPE_CHECKING:
    from lrlab.search.range_test import RangeCurves

Curve: TypeAlias = tuple[list[int], list[float | str | None]]
"""Steps, and the values there."""

PAGE_POINTS = 60_000
"""Points of all curves of a metric together, about 1 MB of JSON; what is over is thinned, spikes
kept."""

FEWEST_POINTS = 30
"""Points that a curve keeps however many lanes there are: its shape still shows."""

SCHEDULE_POINTS = 60
"""Points of a learning rate's curve: schedules are smooth but for their corners."""

FIT_POINTS = 200
"""Points of a fitted curve: smooth at the width of a page."""


def payload_of(data: ReportData) -> dict[str, Json]:
    """One run: lanes, rows per rate, thinned curves, the answer, a range test, rules' picks."""
    data = drawable(data)
    metric = d.metric_of(data)
    answer = data.answer or {}
    before = summary.initial(data, metric)
    before = before[np.isfinite(before)]
    place = summary.answer_place(data)
    fitted = place is not None or not data.extra
    picks = data.suggestions if data.test is None else {}
    if data.test is not None and not data.status:
        picks = data.test.suggestions()
    return {
        "title": data.title,
        "metric": metric,
        "mode": d.direction_of(data, metric),
        "full_steps": max(1, d.full_steps(data)),
        "ramp": style.is_ramp(data),
        "lanes": _lanes(data, metric),
        "axes": {name: [rounded(v) for v in values] for name, values in data.extra.items()},
        "rows": [
            {
                "lr": rounded(row.lr),
                "mean": rounded(row.mean),
                "counts": row.counts,
                "at": [int(i) for i in row.place[1:]],
            }
            for row in summary.lr_rows(data, metric)
        ],
        "initial": rounded(before.mean()) if before.size else None,
        "curves": {
            name: {"mode": d.direction_of(data, name), "lanes": curves_of(data, name)}
            for name in metrics_of(data)
        },
        "rungs": [
            {"steps": rung.steps, "pruned": rung.pruned}
            for rung in summary.rungs(data)
            if rung.pruned
        ],
        "answer": {
            "lr": rounded(answer.get("lr")),
            "interval": _interval(answer),
            "level": level_in_words(answer.get("tolerance"), answer.get("resolved")),
            **({} if place is None else {"at": list(place)}),
        },
        "fit": _fit(answer) if fitted else None,
        "limit": rounded(_fit_of(answer).get("limit")) if fitted else None,
        "sureness": _sureness(answer),
        "diverged_from": rounded(summary.diverged_from(data)),
        "picks": {
            str(rule): [rounded(v) for v in np.atleast_1d(np.asarray(values, float))]
            for rule, values in picks.items()
        },
        "picks_by": data.suggested_by,
        "test": None if data.test is None else _test(data.test),
    }


def comparison_of(several: Sequence[ReportData]) -> dict[str, Json] | None:
    """The curves of loss against learning rate of several runs; None where nothing compares."""
    alike = comparable(several)
    if len(alike) < 2:
        return None
    metric = d.metric_of(alike[0])
    runs: list[Json] = []
    for data in alike:
        rows = summary.best_rows(data, metric)
        runs.append(
            {
                "title": data.title,
                "rows": [[rounded(v) for v in (r.lr, r.mean, r.low, r.high)] for r in rows],
                "lr": rounded((data.answer or {}).get("lr")),
                "interval": _interval(data.answer or {}),
            }
        )
    return {"metric": metric, "mode": d.direction_of(alike[0], metric), "runs": runs}


def _lanes(data: ReportData, metric: str) -> list[Json]:
    scores, steps = summary.scores(data, metric), d.steps_trained(data)
    record, outcome = data.record, data.outcome
    last = d.last_finite(d.curve(data, metric)[1])
    early = np.where(record.outcome == PRUNED, last, np.nan)
    return [
        {
            "lr": rounded(data.lr[index[0]]),
            "seed": int(data.seeds[index[-1]]),
            "at": [int(i) for i in index[1:-1]],
            "outcome": str(outcome[index]),
            "diverged_at": int(record.diverged_at[index]),
            "steps": int(steps[index]),
            "score": rounded(scores[index]),
            "early": rounded(early[index]),
        }
        for index in np.ndindex(*outcome.shape)
    ]


def _interval(answer: Table) -> list[Json] | None:
    return [rounded(end) for end in answer["interval"]] if answer.get("interval") else None


def _fit(answer: Table) -> list[Json] | None:
    """The fitted mean over learning rates that a search's answer carries, and the ends of its band
    where they are there, at most `FIT_POINTS` points: [rate, mean, low, high]."""
    fit = _fit_of(answer)
    lr, mean = _column(fit, "lr"), _column(fit, "mean")
    if not lr or not mean or len(lr) != len(mean):
        return None
    keep = np.unique(np.linspace(0, len(lr) - 1, FIT_POINTS).round().astype(int))
    band = [some for name in ("low", "high") if len(some := _column(fit, name)) == len(lr)]
    return [[rounded(values[i]) for values in (lr, mean, *band)] for i in keep]


def _column(fit: Table, name: str) -> list[float]:
    values = fit.get(name)
    return [] if values is None else list(values)


def _fit_of(answer: Table) -> Table:
    """The fit of an answer: that of a result in memory has its details beside the rest."""
    return (answer.get("details") or {}).get("fit") or answer.get("fit") or {}


def _sureness(answer: Table) -> list[Json]:
    """How sure a search was after each of its rounds: [full-length runs, confidence]."""
    rounds = (answer.get("details") or {}).get("sureness") or answer.get("sureness") or []
    return [[rounded(one["cost"]), rounded(one["confidence"])] for one in rounds]


def _test(test: RangeCurves) -> dict[str, Json]:
    return {
        "lr": [rounded(v) for v in test.lr],
        "loss": [[rounded(v) for v in row] for row in np.asarray(test.loss, np.float64)],
        "name": f"{test.split}_loss",
        "kind": test.kind,
        "log": test.mode == "exponential",
    }


def metrics_of(data: ReportData) -> list[str]:
    """The metrics with anything to draw, the one that the report judges by first."""
    first = d.metric_of(data)
    record = data.record
    per_step = [name for name in record.history if name != "learning_rate"]
    losses = sorted(record.evaluated, key=lambda name: not name.endswith("loss"))  # losses first
    names = [first, "train_loss", *losses, *per_step, "learning_rate"]
    seen = []
    for name in dict.fromkeys(names):
        steps, values = d.curve(data, name)
        if len(steps) and np.isfinite(values).any():
            seen.append(name)
    return seen


def curves_of(data: ReportData, name: str) -> list[Curve | None]:
    """Per lane [steps, values], thinned; None for lanes without a value. Evaluated metrics begin
    with their value before the first update."""
    steps, values = d.curve(data, name)
    record = data.record
    evaluated = record.metrics[name].axis == "eval_step"
    if evaluated and name in record.initial and (not len(steps) or steps[0] > 0):
        steps = np.concatenate([[0], steps])
        values = np.concatenate([record.initial[name][None], values])
    flat = values.reshape(len(steps), -1)
    points = int(np.clip(PAGE_POINTS // max(1, flat.shape[1]), FEWEST_POINTS, summary.POINTS))
    if name.startswith("learning_rate"):
        points = min(points, SCHEDULE_POINTS)
    curves: list[Curve | None] = []
    for lane in range(flat.shape[1]):
        at, kept = summary.thin(steps, flat[:, lane], points)
        curves.append((at.tolist(), [rounded(v) for v in kept]) if len(at) else None)
    return curves
