"""What the page's script draws: a run in JSON's own types, its curves thinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.content.selection import drawable
from lrlab.report.figures import style

CURVE_POINTS = 60_000
"""Points of all curves of a metric together; what is over is thinned, spikes kept."""


def payload_of(data: ReportData) -> dict[str, Any]:
    """One run: lanes, rows per rate, thinned curves, the answer, a range test, rules' picks."""
    data = drawable(data)
    metric = d.metric_of(data)
    answer = data.answer or {}
    before = summary.initial(data, metric)
    before = before[np.isfinite(before)]
    picks = data.suggestions if data.test is None else data.test.suggestions()
    return {
        "title": data.title,
        "metric": metric,
        "mode": d.mode_of(data, metric),
        "full_steps": max(1, d.full_steps(data)),
        "ramp": style.is_ramp(data),
        "lanes": _lanes(data, metric),
        "axes": {name: [number(v) for v in values] for name, values in data.extra.items()},
        "rows": [
            {
                "lr": number(row.lr),
                "mean": number(row.mean),
                "counts": row.counts,
                "at": [int(i) for i in row.index[1:]],
            }
            for row in summary.lr_rows(data, metric)
        ],
        "initial": number(before.mean()) if before.size else None,
        "curves": {
            name: {"mode": d.mode_of(data, name), "lanes": curves_of(data, name)}
            for name in metrics_of(data)
        },
        "rungs": [
            {"steps": rung.steps, "pruned": rung.pruned}
            for rung in summary.rungs(data)
            if rung.pruned
        ],
        "answer": {"lr": number(answer.get("lr")), "interval": _interval(answer)},
        "fit": None if data.extra else _fit(answer),
        "diverged_from": number(summary.diverged_from(data)),
        "picks": {
            str(rule): [number(v) for v in np.atleast_1d(np.asarray(values, float))]
            for rule, values in picks.items()
        },
        "picks_by": data.suggested_by,
        "test": None if data.test is None else _test(data.test),
    }


def comparison_of(several: Sequence[ReportData]) -> dict[str, Any] | None:
    """The curves of loss against learning rate of several runs; None where nothing compares."""
    from lrlab.report.figures.comparison import comparable

    alike = comparable(several)
    if len(alike) < 2:
        return None
    metric = d.metric_of(alike[0])
    runs = []
    for data in alike:
        rows = summary.best_rows(data, metric)
        runs.append(
            {
                "title": data.title,
                "rows": [[number(v) for v in (r.lr, r.mean, r.low, r.high)] for r in rows],
                "lr": number((data.answer or {}).get("lr")),
                "interval": _interval(data.answer or {}),
            }
        )
    return {"metric": metric, "mode": d.mode_of(alike[0], metric), "runs": runs}


def _lanes(data: ReportData, metric: str) -> list[dict[str, Any]]:
    scores, made = summary.scores(data, metric), d.steps_trained(data)
    early = np.where(data.outcome == "pruned", d.last_finite(d.curve(data, metric)[1]), np.nan)
    return [
        {
            "lr": number(data.lr[index[0]]),
            "seed": int(data.seeds[index[-1]]),
            "at": [int(i) for i in index[1:-1]],
            "outcome": str(data.outcome[index]),
            "diverged_at": int(data.diverged_at[index]),
            "steps": int(made[index]),
            "score": number(scores[index]),
            "early": number(early[index]),
        }
        for index in np.ndindex(*data.outcome.shape)
    ]


def _interval(answer: Any) -> list[Any] | None:
    return [number(end) for end in answer["interval"]] if answer.get("interval") else None


def _fit(answer: Any) -> list[list[Any]] | None:
    """The fitted mean over learning rates that a search's answer carries, at most 200 points."""
    fit = (answer.get("details") or {}).get("fit") or {}
    lr, mean = fit.get("lr"), fit.get("mean")
    if not lr or not mean or len(lr) != len(mean):
        return None
    keep = np.unique(np.linspace(0, len(lr) - 1, 200).round().astype(int))
    return [[number(lr[i]), number(mean[i])] for i in keep]


def _test(test: Any) -> dict[str, Any]:
    return {
        "lr": [number(v) for v in test.lr],
        "loss": [[number(v) for v in row] for row in np.asarray(test.loss, np.float64)],
        "name": f"{test.split}_loss",
        "kind": test.kind,
        "log": test.mode == "exponential",
    }


def metrics_of(data: ReportData) -> list[str]:
    """The metrics with anything to draw, the one that the report judges by first."""
    first = d.metric_of(data)
    names = [first, "train_loss", *data.evaluated, *data.history, "learning_rate"]
    seen = []
    for name in dict.fromkeys(names):
        steps, values = d.curve(data, name)
        if len(steps) and np.isfinite(values).any():
            seen.append(name)
    return seen


def curves_of(data: ReportData, name: str) -> list[Any]:
    """Per lane [steps, values], thinned; None for lanes without a value. Evaluated metrics begin
    with their value before the first update."""
    steps, values = d.curve(data, name)
    if name in data.evaluated and name in data.initial and (not len(steps) or steps[0] > 0):
        steps = np.concatenate([[0], steps])
        values = np.concatenate([data.initial[name][None], values])
    flat = values.reshape(len(steps), -1)
    points = int(np.clip(CURVE_POINTS // max(1, flat.shape[1]), 30, 400))
    if name.startswith("learning_rate"):
        points = min(points, 60)
    found: list[Any] = []
    for lane in range(flat.shape[1]):
        at, kept = summary.thin(steps, flat[:, lane], points)
        found.append([at.tolist(), [number(v) for v in kept]] if len(at) else None)
    return found


def number(value: Any) -> float | str | None:
    """Five significant digits; None for what JSON has no word for."""
    if isinstance(value, str):
        return str(value)  # a lane axis of names
    if value is None or not np.isfinite(value):
        return None
    return float(f"{float(value):.5g}")
