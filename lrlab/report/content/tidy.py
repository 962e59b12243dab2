"""What was found, as tidy tables: one row per lane, or per lane and step; of what is compared, one
per setting, group or rate. Columns for pandas, Parquet and CSV alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lrlab.core.axes import RATE_PREFIX
from lrlab.core.frames import Columns
from lrlab.core.records import LaneRecord
from lrlab.core.text import Table
from lrlab.search import Comparison, rules
from lrlab.search.range_test import RangeCurves
from lrlab.types import Answer

PER_LANE, PER_STEP = "lane", "step"


def one_of(per: str, *known: str) -> str:
    """`per`, where it is a kind of row that there is.

    Raises:
        ValueError: it is not; lists them.

    >>> one_of("lanes", "lane", "step")
    Traceback (most recent call last):
    ValueError: per must be "lane" or "step", got 'lanes'
    """
    if per not in known:
        words = " or ".join(f'"{name}"' for name in known)
        raise ValueError(f"per must be {words}, got {per!r}")
    return per


def table(record: LaneRecord, axes: Mapping[str, np.ndarray], per: str = PER_LANE) -> Columns:
    """A grid of lanes as a table; `axes`: name -> values of each axis, names in place of numbers
    where they count something.

    Raises:
        ValueError: `per` is neither "lane" nor "step".
    """
    return (lanes if one_of(per, PER_LANE, PER_STEP) == PER_LANE else steps)(record, axes)


def lanes(record: LaneRecord, axes: Mapping[str, np.ndarray]) -> Columns:
    """One row per lane, in C order, [N]: its axes, `outcome`, `diverged_at` (-1: never),
    `final_<metric>` of every evaluated metric (nan: did not finish), `steps_trained`, `last_loss`,
    and `initial_<metric>`.

    >>> from lrlab.core.records import blank_record
    >>> axes = {"lr": np.array([0.1, 1.0]), "seed": np.array([0])}
    >>> record = blank_record({name: np.zeros(2) for name in axes}, 3, []).grid(axes)
    >>> {name: values.tolist() for name, values in lanes(record, axes).items()}["outcome"]
    ['not_run', 'not_run']
    """
    flat = record.flat()
    columns = _axes(axes)
    columns |= {
        "outcome": flat.outcome_names.astype(object),
        "diverged_at": np.asarray(flat.diverged_at),
    }
    columns |= {
        f"final_{name}": np.where(np.isfinite(values[-1]), values[-1], np.nan)
        for name, values in flat.evaluated.items()
        if len(values)
    }
    columns |= {"steps_trained": flat.steps_trained, "last_loss": flat.last_loss}
    return columns | {f"initial_{name}": values for name, values in flat.initial.items()}


def steps(record: LaneRecord, axes: Mapping[str, np.ndarray], every: bool = False) -> Columns:
    """One row per lane and step, lane by lane: the axes, `step` (updates done), and a column per
    metric that holds a number (`every`: of every metric), nan where it was not measured. Rows that
    a lane did not reach are left out.

    A row's numbers are those of the same parameters: `train_loss` of an update is read before it,
    evaluations count the updates done, and what was measured before training stands at 0.
    """
    flat = record.flat()
    initial = {name: v for name, v in flat.initial.items() if name in flat.evaluated}
    times = np.unique(np.concatenate([flat.steps, flat.eval_steps, [0] if initial else []]))
    times = times.astype(np.int64)
    count = flat.outcome.size
    wide: Columns = {}
    for name, metric in flat.metrics.items():
        own = flat.steps if metric.axis == "step" else flat.eval_steps
        values = np.full((count, len(times)), np.nan, metric.values.dtype)
        values[:, np.searchsorted(times, own)] = metric.values.T
        if name in initial:
            values[:, 0] = np.where(np.isfinite(values[:, 0]), values[:, 0], initial[name])
        if every or np.isfinite(values).any():
            wide[name] = values
    seen = np.zeros((count, len(times)), bool)
    for values in wide.values():
        seen |= np.isfinite(values)
    columns = {name: np.repeat(values, seen.sum(1)) for name, values in _axes(axes).items()}
    columns["step"] = np.broadcast_to(times, seen.shape)[seen]
    return columns | {name: values[seen] for name, values in wide.items()}


def evidence(answer: Answer) -> Columns:
    """What an answer rests on, one row per rate and seed that was tried: `lr` (of several rates
    `lr_<name>` each), `seed`, `score` (the metric's own sign; nan: pruned), `steps`, `outcome`."""
    return _of_rows(
        {**_named("lr", row["lr"]), "seed": seed, "score": score, "steps": trained, "outcome": end}
        for row in answer.evidence
        for seed, score, trained, end in zip(
            row["seeds"], row["scores"], row["steps"], row["outcome"], strict=True
        )
    )


def fit_of(answer: Answer) -> dict[str, np.ndarray]:
    """The fitted curve of an answer about one rate: `lr`, `mean`, `low`, `high`, f64[G] each; empty
    where there is none. Where the fit is saturated, and so only says "no better", it is nan.

    >>> from lrlab.types import Answer
    >>> fit = {"lr": [1.0, 2.0, 3.0], "mean": [9.0, 9.0, 1.0], "low": [8.0] * 3, "high": [9.0] * 3}
    >>> fit_of(Answer(1.0, None, "edge", "", "loss", 1.0, (), details={"fit": fit}))["mean"]
    array([nan, nan,  1.])
    """
    fit = answer.details.get("fit") or {}
    if not fit:
        return {}
    curves = {k: np.array(fit[k], np.float64) for k in ("lr", "mean", "low", "high")}
    mean = curves["mean"]
    for limit in (mean.min(), mean.max()):  # of a metric that is maximized the lowest
        flat = np.isclose(mean, limit, rtol=1e-9, atol=0)
        if 1 < flat.sum() < len(mean):
            for name in ("mean", "low", "high"):
                curves[name] = np.where(flat, np.nan, curves[name])
    return curves


def comparison_columns(comparison: Comparison, per: str = "setting") -> Columns:
    """A comparison, best first; see `Comparison.to_pandas`."""
    if one_of(per, "setting", "seed") == "setting":
        return settings(comparison.payload())
    return _of_rows(
        {"setting": row.name, "seed": seed, "score": score}
        for row in comparison.rows
        for seed, score in row.scores.items()
    )


def settings(payload: Table) -> Columns:
    """One row per setting of a comparison's JSON object. `difference` (with `difference_low`,
    `difference_high`, `p_value`, `effect_size`): the best minus this one, paired by seed, below 0
    where the best is better; of the logarithms in the scale "log"."""
    rows = []
    for entry in payload["entries"]:
        pair = payload["versus"].get(entry["name"]) or {}
        low, high = pair.get("interval") or (None, None)
        rows.append(
            {
                "setting": entry["name"],
                **_rate(entry),
                "verdict": entry["verdict"],
                "mean": entry["mean"],
                "probability_best": entry["probability_best"],
                "sensitivity": entry["sensitivity"],
                "cost": entry["cost"],
                "difference": pair.get("difference"),
                "difference_low": low,
                "difference_high": high,
                "p_value": pair.get("p_value"),
                "effect_size": pair.get("effect_size"),
                "run": entry["run"],
                **{name: value for name, value in (entry.get("at") or {}).items()},
            }
        )
    return _of_rows(rows)


def groups(payload: Table, per: str = "group") -> Columns:
    """A study's JSON object: one row per group, or per group and rate that was tried."""
    name = str(payload["axis"])
    if one_of(per, "group", "rate") == "group":
        return _of_rows(
            {
                name: group["value"],
                "parametrization": group["parametrization"],
                **_rate(group),
                "verdict": group["verdict"],
                "mean": group["best_mean"],
                "initial": group["initial"],
                "cost": group["cost"],
                "run": group["run"],
            }
            for group in payload["groups"]
        )
    return _of_rows(
        {name: g["value"], "parametrization": g["parametrization"], "lr": rate, "mean": mean}
        for g in payload["groups"]
        for rate, mean in zip(g["rates"], g["means"], strict=True)
    )


def range_table(curves: RangeCurves, per: str = "rate") -> Columns:
    """A range test: one row per seed and rate, or per rule and seed (`suggestion`, `reason`)."""
    if one_of(per, "rate", "rule") == "rate":
        return {
            "lr": np.tile(curves.lr, len(curves.seeds)),
            "seed": np.repeat(curves.seeds, len(curves.lr)),
            "loss": np.asarray(curves.loss).ravel(),
        }
    return _of_rows(
        {
            "rule": rule,
            "seed": seed,
            "suggestion": pick,
            "reason": curves.reasons.get(rule, {}).get(seed, ""),
        }
        for rule in rules.NAMES
        for seed, pick in zip(curves.seeds.tolist(), curves.suggest(rule).tolist(), strict=True)
    )


def _axes(axes: Mapping[str, np.ndarray]) -> Columns:
    """The values of every axis by lane, [N] each."""
    grids = np.meshgrid(*map(np.asarray, axes.values()), indexing="ij")
    columns = dict(zip(axes, (grid.ravel() for grid in grids), strict=True))
    return {k: v.astype(object) if v.dtype.kind in "US" else v for k, v in columns.items()}


def _rate(entry: Table) -> Table:
    """Learning rate and interval as scalars: `lr`, `low`, `high`, of several by name."""
    lr, ends = entry["lr"], entry["interval"]
    if isinstance(lr, Mapping):
        parts = [
            {f"{RATE_PREFIX}{k}": lr[k], f"low_{k}": ends[k][0], f"high_{k}": ends[k][1]}
            for k in lr
        ]
        return {name: value for part in parts for name, value in part.items()}
    low, high = ends or (None, None)
    return {"lr": lr, "low": low, "high": high}


def _named(name: str, value: Any) -> Table:
    """One value, or one per name of a mapping."""
    if isinstance(value, Mapping):
        return {f"{name}_{key}": entry for key, entry in value.items()}
    return {name: value}


def _of_rows(rows: Iterable[Table]) -> Columns:
    """Columns of rows, each name once; where a row has none, nan or None stands."""
    listed: Sequence[Table] = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    return {name: _column([row.get(name) for row in listed]) for name in names}


def _column(values: Sequence[Any]) -> np.ndarray:
    """Whole numbers, numbers (None as nan), or anything else as objects."""
    if all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values):
        return np.array(values, np.int64)
    if any(v is not None for v in values) and all(
        v is None or (isinstance(v, (int, float, np.number)) and not isinstance(v, bool))
        for v in values
    ):
        return np.array([np.nan if v is None else float(v) for v in values])
    column = np.empty(len(values), object)
    column[:] = values
    return column
