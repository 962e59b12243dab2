"""From curves to one score per lane, and to a table of learning rates and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from lrlab.core import score as scoring
from lrlab.core.brief import fields_of
from lrlab.core.records import DIVERGED, NOT_RUN, OK, Direction, LaneRecord
from lrlab.search.differences import coarse, rounding


class Scores(NamedTuple):
    """One metric of n lanes: what a search learns from training them, a view on a `LaneRecord`.

    `lr` f64[n], `seed` int[n]; `values` [E, n] of the metric at `eval_steps` int[E], nan where a
    lane did not get: row e is the `score` of the history up to there (`lrlab.core.score`), the
    metric itself for "last"; `initial` [n] before the first update, in the dtype of the run;
    `outcome` int[n], indices into `lrlab.core.records.OUTCOMES`; `diverged_at`, `steps_trained`
    int[n]; `steps` of a full run; `direction` of the metric.
    """

    lr: np.ndarray
    seed: np.ndarray
    values: np.ndarray
    eval_steps: np.ndarray
    initial: np.ndarray
    outcome: np.ndarray
    diverged_at: np.ndarray
    steps_trained: np.ndarray
    steps: int
    direction: Direction = "min"
    score: str = scoring.LAST

    @property
    def losses(self) -> np.ndarray:
        """The metric as something to minimize, f64[E, n]."""
        return as_loss(np.asarray(self.values, np.float64), self.direction)

    @property
    def initial_losses(self) -> np.ndarray:
        """The same before the first update, f64[n]."""
        return as_loss(np.asarray(self.initial, np.float64), self.direction)

    def lanes(self, some: np.ndarray) -> Scores:
        """Some lanes alone: bool[n], or their places int[k]."""
        columns = ("lr", "seed", "initial", "outcome", "diverged_at", "steps_trained")
        return self._replace(
            values=np.asarray(self.values)[:, some],
            **{name: np.asarray(getattr(self, name))[some] for name in columns},
        )

    def __repr__(self) -> str:
        return fields_of(self)


class Table(NamedTuple):
    """Full-length results by learning rate and seed, always to be minimized.

    `lr` f64[L] ascending; `seeds` int[S]; `score` f64[L, S]: min(score, initial), a diverged lane
    as its initial value, nan where no full-length lane was trained; `initial` f64[S]; `diverged`
    bool[L, S]; `diverged_at`, `steps_trained` int[L, S] (0: not run). `direction` is the metric's
    own (`as_loss` turns a score back). `rounding`: differences between scores that are no larger
    may be rounding at the level of the metric.
    """

    lr: np.ndarray
    seeds: np.ndarray
    score: np.ndarray
    initial: np.ndarray
    diverged: np.ndarray
    diverged_at: np.ndarray
    steps_trained: np.ndarray
    steps: int
    direction: Direction = "min"
    rounding: float = 0.0

    def __repr__(self) -> str:
        return fields_of(self)


def sign_of(direction: str) -> float:
    """1 for metrics to be minimized, -1 for those to be maximized.

    Raises:
        ValueError: neither "min" nor "max".
    """
    if direction not in ("min", "max"):
        raise ValueError(f'direction must be "min" or "max", got {direction!r}')
    return 1.0 if direction == "min" else -1.0


Values = TypeVar("Values", float, np.ndarray)


def as_loss(values: Values, direction: str) -> Values:
    """Values of a metric as something to minimize: the negative of what is maximized. Twice is
    once back.

    >>> as_loss(0.9, "max"), as_loss(0.9, "min")
    (-0.9, 0.9)
    """
    return values * sign_of(direction)


def lane_scores(scores: Scores) -> np.ndarray:
    """min(score, initial metric) of each full-length lane, f64[n], mirrored for "max".

    A diverged lane counts as its initial value; a score that is not finite as well. Lanes
    that were pruned or not run are nan. Without a finite initial value the final one stands.

    >>> s = Scores(np.ones(3), np.zeros(3, int), np.array([[0.5, np.nan, 3.0]]), np.array([9]),
    ...            np.full(3, 2.0), np.array([OK, DIVERGED, OK]), np.full(3, -1),
    ...            np.full(3, 9), 9)
    >>> lane_scores(s).tolist()
    [0.5, 2.0, 2.0]
    """
    final, start = scores.losses[-1], scores.initial_losses
    final = np.where(np.isfinite(final) & (scores.outcome == OK), final, np.inf)
    value = np.minimum(final, np.where(np.isfinite(start), start, np.inf))
    value = np.where(np.isfinite(value), value, np.nan)
    return np.where(np.isin(scores.outcome, (OK, DIVERGED)), value, np.nan)


def table(parts: Sequence[Scores]) -> Table:
    """All lanes of several training calls in one; of a lane trained twice the longer counts."""
    lr = np.unique(np.concatenate([part.lr for part in parts]))
    seeds = np.unique(np.concatenate([part.seed for part in parts]))
    shape = (len(lr), len(seeds))
    score, starts = np.full(shape, np.nan), np.full(shape, np.nan)
    diverged, trained = np.zeros(shape, bool), np.zeros(shape, np.int64)
    when = np.full(shape, -1, np.int64)
    for part in parts:
        row, column = np.searchsorted(lr, part.lr), np.searchsorted(seeds, part.seed)
        values, initial = lane_scores(part), part.initial_losses
        for lane in range(len(part.lr)):
            place = row[lane], column[lane]
            if part.steps_trained[lane] < trained[place] or part.outcome[lane] == NOT_RUN:
                continue
            score[place] = values[lane]
            starts[place] = initial[lane]
            diverged[place] = part.outcome[lane] == DIVERGED
            when[place] = part.diverged_at[lane]
            trained[place] = part.steps_trained[lane]
    finite = np.isfinite(starts)
    mean = np.where(finite, starts, 0).sum(0) / np.maximum(finite.sum(0), 1)
    mean = np.where(finite.any(0), mean, np.nan)
    first, least = parts[0], max(rounding(part.initial) for part in parts)
    return Table(
        lr, seeds, score, mean, diverged, when, trained, first.steps, first.direction, least
    )


def cost(parts: Sequence[Scores]) -> float:
    """Full-length lanes paid for: all lane-steps trained over the steps of a full run."""
    return float(sum(float(np.sum(part.steps_trained)) for part in parts) / parts[0].steps)


def stage_scores(record: LaneRecord, metric: str, score: str = scoring.LAST) -> Scores:
    """A metric of a flat record at each evaluation, as a search judges it. What is recorded at each
    update (`train_...`) is the mean of the updates since the last evaluation: single minibatches
    are noisy. The best of it is the best of these means; "mean:k" takes the last k updates."""
    recorded, count = record.metrics[metric], scoring.last_evaluations(score)
    if recorded.axis == "eval_step":
        rows = recorded.values
    else:
        rows = np.full((len(record.eval_steps), len(record.outcome)), np.nan)
        start = 0
        for row, end in enumerate(record.eval_steps):
            start = start if count is None else max(0, end - count)
            rows[row] = recorded.values[start:end].mean(0, dtype=np.float64)  # float32 loses digits
            start = end
    if score != scoring.LAST:
        if recorded.axis == "eval_step" or count is None:
            rows = scoring.running(rows, score, recorded.direction or "min")
        reached = np.asarray(record.eval_steps)[:, None] <= record.steps_trained
        rows = np.where(reached, rows, np.nan)  # a lane that ended has no score later
    return _view(record, metric, rows, record.eval_steps)._replace(score=score)


def sweep_scores(record: LaneRecord, metric: str, score: str = scoring.LAST) -> Scores:
    """A metric of a sweep's record; with further lane axes, of their best combination. The last of
    what is recorded at each update is the mean of its last twentieth.

    Raises:
        ValueError: the sweep has no such metric.
    """
    shape = record.outcome.shape
    chosen = (slice(None), *combination(record, metric, score), slice(None))
    places = np.arange(record.outcome.size).reshape(shape)[chosen]
    return grid_scores(record, metric, score).lanes(places.ravel())


def combination(record: LaneRecord, metric: str, score: str = scoring.LAST) -> tuple[int, ...]:
    """Places on a sweep's further lane axes, in order, with the best mean score at any rate; the
    first where the means are tied. () without further axes.

    Raises:
        ValueError: the sweep has no such metric.
    """
    shape = record.outcome.shape
    if len(shape) <= 2:
        return ()
    scores = grid_scores(record, metric, score)
    means = np.nan_to_num(lane_scores(scores), nan=np.inf).reshape(shape).mean(-1)
    start = scores.initial_losses
    start = float(start[np.isfinite(start)].mean()) if np.isfinite(start).any() else np.inf
    ranked = coarse(means, start - float(means.min()))
    return tuple(int(i) for i in np.unravel_index(int(np.argmin(ranked)), means.shape)[1:])


def grid_scores(record: LaneRecord, metric: str, score: str = scoring.LAST) -> Scores:
    """A metric of all lanes of a sweep's record, in C order.

    Raises:
        ValueError: the sweep has no such metric.
    """
    if metric not in record.metrics:
        names = ", ".join(name for name in record.metrics if not name.startswith("learning_rate"))
        raise ValueError(f"there is no metric {metric!r} in this sweep; it has {names}")
    flat = record.flat()
    if score != scoring.LAST:
        return stage_scores(flat, metric, score)
    recorded = flat.metrics[metric]
    rows = np.asarray(recorded.values, np.float64)
    if recorded.axis == "eval_step":
        return _view(flat, metric, rows, flat.eval_steps)
    tail = max(1, len(rows) // 20)
    rows = np.concatenate([rows, rows[-tail:].mean(0, keepdims=True)])
    return _view(flat, metric, rows, np.append(flat.steps + 1, flat.steps[-1] + 1))


def _view(record: LaneRecord, metric: str, rows: np.ndarray, eval_steps: np.ndarray) -> Scores:
    recorded = record.metrics[metric]
    return Scores(
        lr=next(iter(record.axes.values())),
        seed=record.axes["seed"],
        values=rows,
        eval_steps=eval_steps,
        initial=record.initial[metric] if metric in record.initial else recorded.values[0],
        outcome=record.outcome,
        diverged_at=record.diverged_at,
        steps_trained=record.steps_trained,
        steps=int(record.steps[-1]) + 1,  # of curves from elsewhere some are left out
        direction=recorded.direction or "min",
    )
