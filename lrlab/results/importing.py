"""Curves that were made elsewhere, as a run folder: reports, exports and statistics read it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrlab import runs
from lrlab.config import toml
from lrlab.core.errors import FieldError
from lrlab.core.files import sha256
from lrlab.core.paths import resolved
from lrlab.core.records import DIVERGED, NOT_RUN, OK, PRUNED, Direction, LaneRecord, Metric
from lrlab.core.text import JsonObject, number
from lrlab.results.loading import load_result
from lrlab.results.sweep import Result

CELLS = 1 << 26
"""Numbers of a grid of curves at most (512 MiB): beyond it steps, rates or seeds are something else
than that."""

RESERVED = ("train_loss", "learning_rate")
"""Names of what lrlab itself records at every update, which a curve from elsewhere cannot have."""


class Curve(NamedTuple):
    """One training run: its rate, its seed (None: counted among those of its rate), and `values`
    f64[K] after `steps` int[K] updates, ascending. What is not finite is where it diverged.
    `ended`: whether it was trained to its end, where its last value then stands too; None: it was
    where it is as long as the longest."""

    lr: float
    seed: int | None
    steps: Sequence[int]
    values: Sequence[float]
    ended: bool | None = None


def import_curves(
    curves: Iterable[Curve],
    *,
    name: str = "imported",
    metric: str = "valid_loss",
    direction: Direction = "min",
    initial: float | None = None,
    out: str | os.PathLike[str] | None = None,
    source: JsonObject | None = None,
) -> Result:
    """Writes curves as a run folder that `lrlab show`, `report`, `export` and `lrlab.load` read;
    `result.best()` is the answer with its interval and how sure it is.

    A curve that ends before the longest one is pruned; one with a value that is not finite diverged
    there.

    Args:
        curves: one per training run.
        metric: what the values are called.
        direction: "min" where less is better, "max" where more is.
        initial: the metric before training, where it is known and no curve has a step 0. What
            training gains is measured from it; else the rates' own differences stand for that.
        out: the new folder; None for one under `runs/`.
        source: what `run.json` says of where they are from.

    Raises:
        FieldError: no curves, a rate that is not positive, two curves of one rate and seed, ...
        RunError: `out` holds something, or cannot be written.

    >>> import tempfile
    >>> curves = [Curve(lr, seed, [10, 20], [1.0, (np.log10(lr) + 2) ** 2 + 0.01 * seed])
    ...           for lr in (0.001, 0.003, 0.01, 0.03, 0.1) for seed in (0, 1)]
    >>> result = import_curves(curves, initial=1.5, out=tempfile.mkdtemp())
    >>> result.best().verdict, result.best().interval[0] < 0.01 < result.best().interval[1]
    ('interior', True)
    """
    if metric in RESERVED or metric.startswith("learning_rate"):
        message = f"{metric!r} is what lrlab records at every update; choose another name"
        raise FieldError("metric", message)
    record = record_of(numbered(list(curves)), metric, direction, initial)
    config = toml.dumps({"imported": {"metric": metric, "direction": direction}})
    manifest = {"metric": metric, "modes": {metric: direction}, "imported": source or {}}
    run = runs.create(None if out is None else resolved(out), name, "import", config, manifest)
    try:
        runs.write_record(run, record)
        run.finish(load_result(run.path).summary())
    finally:
        run.close()
    return load_result(run.path)


def numbered(curves: Sequence[Curve]) -> list[Curve]:
    """The curves with seeds: where none is given, 0, 1, ... among those of one rate.

    Raises:
        FieldError: two of one rate have the same seed; or only some have one.
    """
    if not curves:
        raise FieldError("curves", "there are none")
    known = {curve.seed is not None for curve in curves}
    if len(known) > 1:
        raise FieldError("seed", "some curves have one and some have none")
    counts: dict[float, int] = {}
    seen: set[tuple[float, int]] = set()
    result = []
    for curve in curves:
        seed = counts.get(curve.lr, 0) if curve.seed is None else curve.seed
        counts[curve.lr] = counts.get(curve.lr, 0) + 1
        if (curve.lr, seed) in seen:
            message = f"two curves have learning rate {number(curve.lr, 6)} and seed {seed}"
            raise FieldError("seed", message)
        seen.add((curve.lr, seed))
        result.append(curve._replace(seed=seed))
    return result


def record_of(
    curves: Sequence[Curve], metric: str, direction: Direction, initial: float | None = None
) -> LaneRecord:
    """Curves with seeds as a grid of lanes; combinations that have no curve are not run.

    Raises:
        FieldError: rates or steps that make no sense.
    """
    for curve in curves:
        if not (np.isfinite(curve.lr) and curve.lr > 0):
            raise FieldError("lr", f"must be above 0 and finite, got {curve.lr}")
        if not len(curve.steps) or not (np.diff(curve.steps) > 0).all() or min(curve.steps) < 0:
            message = (
                f"of the curve with rate {number(curve.lr, 6)} must be whole numbers that grow"
            )
            raise FieldError("step", message)
    lr = np.unique([curve.lr for curve in curves])
    seeds = np.unique(np.array([curve.seed for curve in curves], np.int64))
    times = np.unique(np.concatenate([np.asarray(curve.steps, np.int64) for curve in curves]))
    times = times[times > 0]
    if not len(times):
        raise FieldError("step", "every curve has step 0 alone, which is before training")
    if len(times) * len(lr) * len(seeds) > CELLS:
        message = f"{len(times):,} steps x {len(lr):,} rates x {len(seeds):,} seeds are too many"
        raise FieldError("curves", message)
    shape = len(lr), len(seeds)
    values = np.full((len(times), *shape), np.nan)
    start = np.full(shape, np.nan if initial is None else float(initial))
    outcome = np.full(shape, NOT_RUN, np.int8)
    broken, trained = np.full(shape, -1, np.int64), np.zeros(shape, np.int64)
    for curve in curves:
        place = int(np.searchsorted(lr, curve.lr)), int(np.searchsorted(seeds, curve.seed or 0))
        steps, scores = np.asarray(curve.steps), np.asarray(curve.values, np.float64)
        if steps[0] == 0:
            start[place] = scores[0]
            steps, scores = steps[1:], scores[1:]
        lost = np.flatnonzero(~np.isfinite(scores))
        ended = (
            curve.ended
            if curve.ended is not None
            else bool(len(steps)) and (steps[-1] == times[-1])
        )
        outcome[place] = DIVERGED if len(lost) else OK if ended else PRUNED
        if len(lost):
            broken[place] = trained[place] = int(steps[lost[0]]) - 1
            steps, scores = steps[: lost[0]], scores[: lost[0]]
        elif len(steps):
            trained[place] = int(steps[-1])
        values[(np.searchsorted(times, steps), *place)] = scores
        if outcome[place] == OK:  # it may have its last value before the others
            values[(-1, *place)] = scores[-1]
            trained[place] = times[-1]
    steps = times - 1
    return LaneRecord(
        axes={"lr": lr, "seed": seeds},
        steps=steps,
        eval_steps=times,
        metrics={
            metric: Metric(values, "eval_step", direction),
            "train_loss": Metric(np.full((len(steps), *shape), np.nan), "step", "min"),
        },
        initial={metric: start},
        outcome=outcome,
        diverged_at=broken,
        last_loss=np.full(shape, np.nan),
        steps_trained=trained,
    )


def file_source(path: Path, kind: str) -> JsonObject:
    """What `run.json` says of a file that was imported."""
    return {"from": kind, "file": path.name, "sha256": sha256(path)}
