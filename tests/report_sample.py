"""Made-up runs with the shape of real ones, to try reports on: no number here was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lrlab.core.records import LaneRecord, Metric
from lrlab.core.text import interval, number
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData, of_record, outcome_codes


def build(
    *,
    title: str,
    lr: Any,
    seeds: Any,
    steps: Any,
    train_loss: Any,
    extra: Mapping[str, Any] | None = None,
    learning_rate: Any = None,
    eval_steps: Any = (),
    evaluated: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    outcome: Any = None,
    diverged_at: Any = None,
    **rest: Any,
) -> ReportData:
    """A report's data from arrays [T or E, L, ..., S]; what is missing is "ok" and -1, or left out.

    `rest` takes the remaining fields of `ReportData` by name.
    """
    axes = {"lr": np.asarray(lr, float), **(extra or {}), "seed": np.asarray(seeds, np.int64)}
    axes = {name: np.asarray(values) for name, values in axes.items()}
    shape = tuple(map(len, axes.values()))
    steps, eval_steps = np.asarray(steps, np.int64), np.asarray(eval_steps, np.int64)
    metrics = {"train_loss": Metric(np.asarray(train_loss), "step")}
    if learning_rate is not None:
        metrics["learning_rate"] = Metric(np.asarray(learning_rate), "step")
    metrics |= {name: Metric(values, "eval_step") for name, values in (evaluated or {}).items()}
    made = np.zeros(shape, np.int64)
    for metric in metrics.values():
        ends = steps + 1 if metric.axis == "step" else eval_steps
        assert metric.values.shape == (len(ends), *shape)
        column = ends.reshape((-1,) + (1,) * len(shape))
        made = np.maximum(made, np.where(np.isfinite(metric.values), column, 0).max(axis=0))
    record = LaneRecord(
        axes=axes, steps=steps, eval_steps=eval_steps, metrics=metrics, initial=dict(initial or {}),
        outcome=outcome_codes(np.full(shape, "ok") if outcome is None else np.asarray(outcome)),
        diverged_at=np.full(shape, -1) if diverged_at is None else np.asarray(diverged_at),
        last_loss=np.full(shape, np.nan), steps_trained=made,
    )  # fmt: skip
    return of_record(title, record, **rest)


def changed(data: ReportData, **metrics: np.ndarray) -> ReportData:
    """The run with other values of some metrics, or with further evaluated ones."""
    record = data.record
    new = {
        name: record.metrics.get(name, Metric(values, "eval_step"))._replace(values=values)
        for name, values in metrics.items()
    }
    return data._replace(record=record._replace(metrics={**record.metrics, **new}))


def sample(
    lrs: int = 25,
    seeds: int = 4,
    steps: int = 600,
    evals: int = 20,
    extra: dict[str, list[float]] | None = None,
    kind: str = "sweep",
    root: int = 0,
) -> ReportData:
    """A made-up run: losses fall at a pace set by the LR, large LRs are noisy, larger ones diverge.

    Args:
        kind: "sweep" (a full grid), "find" (arbitrary (lr, seed) pairs in rungs, the rest of the
            grid not run), or "none" (every lane diverges).

    >>> run = sample(lrs=5, seeds=2, steps=50, evals=5)
    >>> run.record.history["train_loss"].shape, run.record.evaluated["valid_loss"].shape
    ((50, 5, 2), (5, 5, 2))
    """
    rng = np.random.default_rng(root)
    extra = extra or {}
    lr = np.geomspace(1e-5, 10.0, lrs)
    shape = (lrs, *(len(v) for v in extra.values()), seeds)
    lr_of = lr.reshape((-1,) + (1,) * (len(shape) - 1))
    shift = np.zeros(shape)
    for axis, values in enumerate(extra.values(), start=1):
        size = np.arange(len(values)).reshape((-1,) + (1,) * (len(shape) - axis - 1))
        shift = shift + 0.35 * size
    shift = shift + rng.normal(0, 0.08, shape)
    t = np.arange(steps).reshape((-1,) + (1,) * len(shape))
    cosine = 0.5 * (1 + np.cos(np.pi * t / steps))
    applied = np.broadcast_to(lr_of * cosine, (steps, *shape)).copy()
    pace = 900.0 * lr_of * np.exp(-0.5 * shift) / (1 + (lr_of / 0.4) ** 2)
    start = 2.303 + rng.normal(0, 0.03, shape)
    area = np.cumsum(cosine, axis=0) / (steps / 2)
    floor = 0.06 + 0.03 * np.log10(1 + lr_of / 0.05) ** 2 + 0.02 * shift
    clean = floor + (start - floor) / (1 + pace * area) ** 0.6
    rough = 0.06 + 0.25 * np.minimum(lr_of, 1.0) * cosine
    loss = clean * np.exp(rng.normal(0, 1, (steps, *shape)) * rough)
    spikes = rng.random((steps, *shape)) < 0.003 * np.minimum(lr_of * 4, 1.0)
    loss = np.where(spikes, loss * 6, loss)
    limit = 2.2 * np.exp(rng.normal(0, 0.35, shape)) if kind != "none" else np.full(shape, 1e-9)
    blown = np.broadcast_to(lr_of, shape) > limit
    at = np.where(blown, rng.integers(3, max(steps // 3, 4), shape), -1)
    growth = np.exp(np.minimum((t - at + 6) * 1.5, 60.0))
    loss = np.where(blown & (t > at - 6), loss * np.maximum(growth, 1.0), loss)
    made = np.where(blown, at, steps)
    outcome = np.where(blown, "diverged", "ok")
    if kind == "find":
        made, outcome = _rungs(made, outcome, loss, steps, rng)
        at = np.where(outcome == "diverged", at, -1)
    gone = t >= np.where(outcome == "diverged", at + 1, made)
    loss, applied = np.where(gone, np.nan, loss), np.where(gone, np.nan, applied)
    eval_steps = np.unique(np.linspace(steps / evals, steps, evals).astype(int))
    picked = clean[eval_steps - 1] * 1.15 + 0.02 * lr_of
    gap = np.exp(rng.normal(0, 0.02, picked.shape))
    column = eval_steps.reshape((-1,) + (1,) * len(shape))
    over = column > np.where(outcome == "diverged", at, made)
    valid = np.where(over, np.nan, picked * gap)
    evaluated = {"valid_loss": valid, "valid_accuracy": _accuracy(valid),
                 "train_accuracy": _accuracy(valid * 0.85)}  # fmt: skip
    before = {"valid_loss": start, "valid_accuracy": np.full(shape, 0.1),
              "train_accuracy": np.full(shape, 0.1)}  # fmt: skip
    run = build(
        title="made-up digits, momentum, cosine", lr=lr, extra=extra, seeds=np.arange(seeds),
        steps=np.arange(steps), train_loss=loss, learning_rate=applied, eval_steps=eval_steps,
        evaluated=evaluated, initial=before, outcome=outcome, diverged_at=at,
        config_text='steps = 600\nseeds = 4\n\n[optimizer]\nname = "momentum"\n',
        command="lrlab find configs/digits.toml --set steps=600",
        manifest={"versions": {"lrlab": "0.1.0", "jax": "0.10.2"}, "device": "cpu"},
        suggestions={"valley": [0.02, 0.03, 0.05], "steep": [0.2, 0.5, 0.9]},
    )  # fmt: skip
    return run._replace(answer=_answer(run))


def _accuracy(loss: np.ndarray) -> np.ndarray:
    return np.clip(np.exp(-0.95 * loss), 0.0, 0.995)


def _rungs(made: Any, outcome: Any, loss: Any, steps: int, rng: Any) -> tuple[Any, Any]:
    ran = np.zeros(outcome.shape, dtype=bool)
    ran[::2, ..., :2] = True
    middle = np.nanargmin(np.where(outcome == "ok", loss[-1], np.inf).mean(axis=-1).ravel())
    row = np.unravel_index(middle, outcome.shape[:-1])[0]
    ran[max(row - 2, 0) : row + 3] = True
    worse = np.abs(np.arange(len(ran)) - row).reshape((-1,) + (1,) * (outcome.ndim - 1))
    stop = np.where(worse > 6, steps // 8, np.where(worse > 2, steps // 3, steps))
    pruned = (outcome == "ok") & (stop < steps)
    made = np.where(pruned, stop, made)
    outcome = np.where(pruned, "pruned", outcome)
    return np.where(ran, made, 0), np.where(ran, outcome, "not_run")


def _answer(run: ReportData) -> dict[str, Any]:
    rows = [row for row in summary.lr_rows(run, "valid_loss") if row.counts.get("ok")]
    cost = summary.d.steps_trained(run).sum() / len(run.record.steps)
    common = {"metric": "valid_loss", "cost": float(cost), "seconds": 12.4}
    if not rows:
        sentence = "Nothing trains here: every lane diverged. Try learning rates below 1e-5."
        return {
            "lr": None,
            "interval": None,
            "verdict": "none",
            "sentence": sentence,
            **common,
        }
    best = min(rows, key=lambda row: row.mean)
    low, high = best.lr / 1.8, best.lr * 1.8
    sentence = (
        f"Train with a learning rate of {number(best.lr)}; anything from "
        f"{interval((low, high))} does as well."
    )
    return {"lr": best.lr, "interval": [low, high], "verdict": "interior",
            "sentence": sentence, **common}  # fmt: skip
