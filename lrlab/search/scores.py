"""From curves to one score per lane, and to a table of learning rates and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.brief import fields_of
from lrlab.search.differences import coarse, rounding
from lrlab.types import OUTCOMES


class Scores(NamedTuple):
    """What a search learns from training n lanes.

    `lr` f64[n], `seed` int[n]; `metric` [E, n] at `eval_steps` int[E], nan where a lane did not
    get; `initial` [n] the metric before the first update, in the dtype in which it was computed;
    `outcome` str[n] or indices into `lrlab.types.OUTCOMES`; `diverged_at`, `steps_trained` int[n];
    `steps` of a full run; `direction` "min" or "max".
    """

    lr: np.ndarray
    seed: np.ndarray
    metric: np.ndarray
    eval_steps: np.ndarray
    initial: np.ndarray
    outcome: np.ndarray
    diverged_at: np.ndarray
    steps_trained: np.ndarray
    steps: int
    direction: str = "min"

    def __repr__(self) -> str:
        return fields_of(self)


class Table(NamedTuple):
    """Full-length results by learning rate and seed, always to be minimized.

    `lr` f64[L] ascending; `seeds` int[S]; `score` f64[L, S]: min(final, initial), a diverged lane
    as its initial value, nan where no full-length lane was trained; `initial` f64[S]; `diverged`
    bool[L, S]; `diverged_at`, `steps_trained` int[L, S] (0: not run).
    Metrics to be maximized have their sign changed (`sign` = -1). `rounding`: differences between
    scores that are no larger may be rounding at the level of the metric.
    """

    lr: np.ndarray
    seeds: np.ndarray
    score: np.ndarray
    initial: np.ndarray
    diverged: np.ndarray
    diverged_at: np.ndarray
    steps_trained: np.ndarray
    steps: int
    sign: float
    rounding: float = 0.0

    def __repr__(self) -> str:
        return fields_of(self)


def outcomes(scores: Scores) -> np.ndarray:
    """The outcome of each lane, str[n]."""
    kinds = np.asarray(scores.outcome)
    return kinds if kinds.dtype.kind == "U" else np.asarray(OUTCOMES)[kinds.astype(int)]


def sign_of(direction: str) -> float:
    """1 for metrics to be minimized, -1 for those to be maximized.

    Raises:
        ValueError: neither "min" nor "max".
    """
    if direction not in ("min", "max"):
        raise ValueError(f'direction must be "min" or "max", got {direction!r}')
    return 1.0 if direction == "min" else -1.0


def lane_scores(scores: Scores) -> np.ndarray:
    """min(final metric, initial metric) of each full-length lane, f64[n], mirrored for "max".

    A diverged lane counts as its initial value; a final value that is not finite as well. Lanes
    that were pruned or not run are nan. Without a finite initial value the final one stands.

    >>> s = Scores(np.ones(3), np.zeros(3, int), np.array([[0.5, np.nan, 3.0]]), np.array([9]),
    ...            np.full(3, 2.0), np.array(["ok", "diverged", "ok"]), np.full(3, -1),
    ...            np.full(3, 9), 9)
    >>> lane_scores(s).tolist()
    [0.5, 2.0, 2.0]
    """
    sign = sign_of(scores.direction)
    kinds = outcomes(scores)
    final = np.asarray(scores.metric, np.float64)[-1] * sign
    start = np.asarray(scores.initial, np.float64) * sign
    final = np.where(np.isfinite(final) & (kinds == "ok"), final, np.inf)
    value = np.minimum(final, np.where(np.isfinite(start), start, np.inf))
    value = np.where(np.isfinite(value), value, np.nan)
    return np.where(np.isin(kinds, ("ok", "diverged")), value, np.nan)


def table(parts: Sequence[Scores]) -> Table:
    """All lanes of several training calls in one; of a lane trained twice the longer counts."""
    lr = np.unique(np.concatenate([part.lr for part in parts]))
    seeds = np.unique(np.concatenate([part.seed for part in parts]))
    shape = (len(lr), len(seeds))
    score, starts = np.full(shape, np.nan), np.full(shape, np.nan)
    diverged, trained = np.zeros(shape, bool), np.zeros(shape, np.int64)
    when = np.full(shape, -1, np.int64)
    sign = sign_of(parts[0].direction)
    for part in parts:
        row, column = np.searchsorted(lr, part.lr), np.searchsorted(seeds, part.seed)
        values, kinds = lane_scores(part), outcomes(part)
        for lane in range(len(part.lr)):
            place = row[lane], column[lane]
            if part.steps_trained[lane] < trained[place] or kinds[lane] == "not_run":
                continue
            score[place] = values[lane]
            starts[place] = part.initial[lane] * sign
            diverged[place] = kinds[lane] == "diverged"
            when[place] = part.diverged_at[lane]
            trained[place] = part.steps_trained[lane]
    with np.errstate(invalid="ignore"):
        known = np.isfinite(starts)
        initial = np.where(known, starts, 0).sum(0) / np.maximum(known.sum(0), 1)
    initial = np.where(known.any(0), initial, np.nan)
    least = max(rounding(part.initial) for part in parts)
    return Table(lr, seeds, score, initial, diverged, when, trained, parts[0].steps, sign, least)


def cost(parts: Sequence[Scores]) -> float:
    """Full-length lanes paid for: all lane-steps trained over the steps of a full run."""
    return float(sum(float(np.sum(part.steps_trained)) for part in parts) / parts[0].steps)


def from_result(result: Any, metric: str) -> Scores:
    """A sweep's lanes as `Scores`; with further lane axes, those of the best combination.

    Raises:
        ValueError: the sweep has no such metric.
    """
    rows, eval_steps, initial = _read(result, metric)
    index = (slice(None), *combination(result, metric), slice(None))
    lr, seeds = np.meshgrid(result.lr, result.seeds, indexing="ij")
    return Scores(
        lr.ravel(),
        seeds.ravel(),
        rows[(slice(None), *index)].reshape(len(rows), -1),
        eval_steps,
        initial[index].ravel(),
        result.outcome[index].ravel(),
        result.diverged_at[index].ravel(),
        result.steps_trained[index].ravel(),
        len(result.steps),
        result.directions.get(metric, "min"),
    )


def combination(result: Any, metric: str) -> tuple[int, ...]:
    """Places on a sweep's further lane axes, in order, with the best mean score at any rate; the
    first where no more than a hair is between. () without further axes.

    Raises:
        ValueError: the sweep has no such metric.
    """
    shape, direction = result.outcome.shape, result.directions.get(metric, "min")
    if len(shape) <= 2:
        return ()
    rows, eval_steps, initial = _read(result, metric)
    flat = Scores(
        np.ones(result.outcome.size),
        np.zeros(result.outcome.size, int),
        rows.reshape(len(rows), -1),
        eval_steps,
        initial.ravel(),
        result.outcome.ravel(),
        result.diverged_at.ravel(),
        result.steps_trained.ravel(),
        len(result.steps),
        direction,
    )
    means = np.nan_to_num(lane_scores(flat), nan=np.inf).reshape(shape).mean(-1)
    start = initial.astype(np.float64) * sign_of(direction)
    start = float(start[np.isfinite(start)].mean()) if np.isfinite(start).any() else np.inf
    ranked = coarse(means, start - float(means.min()))
    return tuple(int(i) for i in np.unravel_index(int(np.argmin(ranked)), means.shape)[1:])


def _read(result: Any, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows f64[E, ...], eval_steps int[E], initial [...]) of a metric. One that is recorded at
    each update ends with the mean of its last twentieth, since single minibatches are noisy."""
    if metric not in result.history:
        known = ", ".join(name for name in result.history if not name.startswith("learning_rate"))
        raise ValueError(f"there is no metric {metric!r} in this sweep; it has {known}")
    rows = np.asarray(result.history[metric], np.float64)
    if metric in result.initial:
        return rows, result.eval_steps, np.asarray(result.initial[metric])
    tail = max(1, len(rows) // 20)
    rows = np.concatenate([rows, rows[-tail:].mean(0, keepdims=True)])
    eval_steps = np.append(result.steps + 1, result.steps[-1] + 1)
    return rows, eval_steps, np.asarray(result.history[metric][0])
