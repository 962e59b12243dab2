"""The adaptive search: a cheap scout, an extension where needed, a refinement, a confirmation.

Every stage trains lanes in one vectorized call with the schedule of the full length, so that a lane
that is cut short is a prefix of the real run and a lane that survives is the real run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab.search import fit
from lrlab.search.answer import NONE, from_scores
from lrlab.search.scores import Scores, cost, outcomes, sign_of, table
from lrlab.types import Answer

DEFAULT_BUDGET = 24.0
"""Full-length runs, where the user gives no budget."""

FLAT_SHARE = 0.02
"""Rates whose scores differ by less than this share of what training gains are alike."""

Train = Callable[..., Scores]
"""`train(lr f64[n], seed int64[n], rungs=(), decide=None) -> Scores`; `decide(step, scores)` gives
bool[n], the lanes that go on."""


class Scout(NamedTuple):
    """How many rates start, and what part of the run and how many of them each rung keeps."""

    rates: int
    rungs: tuple[tuple[float, int], ...]


def find(
    train: Train,
    *,
    lr_range: tuple[float, float],
    seeds: Sequence[int],
    steps: int,
    eval_steps: Sequence[int],
    metric: str,
    direction: str = "min",
    budget_runs: float | None = None,
    budget_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """The learning rate to train with, found within a budget.

    Args:
        train: trains lanes and gives their scores.
        lr_range: where to look first; extended up to twice where the best stands at an end.
        seeds: the seeds of the refinement; the confirmation uses the numbers after the largest.
        steps: of a full run; `eval_steps`: the evaluations, of which some become rungs.
        budget_runs: full-length runs that may be spent; never exceeded.
        budget_seconds: wall time; looked at between stages, so a stage may overrun it.
        clock: the time, for `budget_seconds`.
    """
    began = clock()
    parts: list[Scores] = []

    def left() -> float:
        runs = (budget_runs or DEFAULT_BUDGET) - cost(parts) if parts else budget_runs
        if runs is None:
            runs = DEFAULT_BUDGET
        if budget_seconds is not None and parts:
            each = (clock() - began) / max(cost(parts), 1e-9)
            affordable = (budget_seconds - (clock() - began)) / each
            runs = affordable if budget_runs is None else min(runs, affordable)
        return runs

    plan = scout_plan(left())
    rates = np.geomspace(*lr_range, plan.rates)
    first = int(seeds[0])
    rungs = rungs_of(plan, steps, eval_steps)
    parts.append(train(rates, np.full(len(rates), first), *_pruning(rungs)))
    ratio = rates[1] / rates[0] if len(rates) > 1 else 3.0
    extended = False
    for _ in range(2):
        more = beyond(parts, ratio, left())
        if not len(more):
            break
        extended = True
        short = [(step, max(1, len(more) // 2)) for step, _ in rungs[:1]]
        parts.append(train(more, np.full(len(more), first), *_pruning(short)))
    if from_scores(parts, metric).verdict == NONE:
        return from_scores(parts, metric, extended=extended)
    for lanes in (
        lambda: refinement(parts, ratio, seeds, left()),
        lambda: confirmation(parts, max(seeds) + 1, left()),
        lambda: confirmation(parts, 1 + int(max(max(p.seed) for p in parts)), min(left(), 6.0)),
    ):
        lr, seed = lanes()
        if len(lr):
            parts.append(train(lr, seed))
    answer = from_scores(parts, metric, extended=extended)
    stages = [
        {"lanes": len(part.lr), "cost": cost([part]), "low": part.lr.min(), "high": part.lr.max()}
        for part in parts
    ]
    decided: dict[str, Any] = {"stages": stages, "budget_runs": budget_runs or DEFAULT_BUDGET}
    if budget_seconds is not None:
        decided |= {"budget_seconds": budget_seconds, "seconds": clock() - began}
    return answer._replace(details={**answer.details, **decided})


def scout_plan(budget: float) -> Scout:
    """The scout that leaves most of a budget (full-length runs) to what follows.

    >>> scout_plan(20.0).rates, scout_plan(4.0).rates
    (16, 8)
    """
    if budget >= 14:
        return Scout(16, ((0.1, 8), (0.35, 4)))
    if budget >= 8:
        return Scout(14, ((0.1, 6), (0.3, 3)))
    if budget >= 5:
        return Scout(12, ((0.05, 5), (0.25, 2)))
    return Scout(8, ((0.05, 3), (0.25, 1)))


def rungs_of(plan: Scout, steps: int, eval_steps: Sequence[int]) -> list[tuple[int, int]]:
    """(update, lanes kept) of each rung: the nearest evaluation before the end."""
    inner = [step for step in eval_steps if step < steps]
    found: dict[int, int] = {}
    for share, keep in plan.rungs:
        if inner:
            step = min(inner, key=lambda step: abs(step - share * steps))
            found[int(step)] = min(keep, found.get(int(step), keep))
    return sorted(found.items())


def _pruning(rungs: Sequence[tuple[int, int]]) -> tuple[Any, Any]:
    if not rungs:
        return (), None
    keep = dict(rungs)
    return tuple(keep), lambda step, scores: survivors(scores, step, keep[step])


def survivors(scores: Scores, step: int, keep: int) -> np.ndarray:
    """The lanes that go on after a rung: the leader and its better neighbors, in one run of rates.

    Neighbors of the leader stay even where a far lane looks a little better by luck; a lane that is
    no better than it was at the start stays out unless nothing is better.
    """
    row = int(np.searchsorted(scores.eval_steps, step))
    value = np.asarray(scores.metric, np.float64)[row] * sign_of(scores.direction)
    going = (outcomes(scores) != "diverged") & (outcomes(scores) != "pruned")
    if not np.isfinite(value[going]).any():
        return going  # none can be judged yet: they will recover or diverge
    going &= np.isfinite(value)
    if going.sum() <= keep:
        return going
    order = np.argsort(scores.lr, kind="stable")
    order = order[going[order]]
    values = value[order]
    kept = np.zeros(len(going), bool)
    known = scores.initial[np.isfinite(scores.initial)]
    gain = (known.mean() * sign_of(scores.direction) if known.size else 0.0) - values.min()
    if len(order) > 2 and np.ptp(values) <= FLAT_SHARE * abs(gain):
        # So far the rate makes no difference: go on with rates from end to end.
        kept[order[np.linspace(0, len(order) - 1, keep).round().astype(int)]] = True
        return kept
    low = high = int(np.argmin(values))
    while high - low + 1 < keep:
        left = values[low - 1] if low > 0 else np.inf
        right = values[high + 1] if high + 1 < len(values) else np.inf
        # The larger rate gets the benefit of a tie: annealing has not come to it yet.
        if right <= left:
            high += 1
        else:
            low -= 1
    kept[order[low : high + 1]] = True
    return kept


def beyond(parts: Sequence[Scores], ratio: float, budget: float) -> np.ndarray:
    """Rates past the end at which the best stands; empty where it stands inside.

    Where everything diverged, far smaller ones.
    """
    whole = table(parts)
    count = int(min(4, budget // 1.5))
    if count < 1:
        return np.empty(0)
    lowest, highest = whole.lr[0], whole.lr[-1]
    ran = whole.steps_trained > 0
    if whole.diverged[ran].all():
        return lowest / 10.0 ** np.arange(count, 0, -1)
    scores = np.where(np.isfinite(whole.score), whole.score, np.inf).min(1)
    scores = np.where(whole.diverged.any(1), np.inf, scores)
    start = fit.start(whole) if np.isfinite(fit.start(whole)) else np.inf
    if not np.isfinite(scores).any() or scores.min() >= start:
        return np.empty(0)
    best = int(np.argmin(scores))
    if best == len(whole.lr) - 1:
        return highest * ratio ** np.arange(1, count + 1)
    if best == 0:
        return lowest / ratio ** np.arange(count, 0, -1)
    return np.empty(0)


def refinement(
    parts: Sequence[Scores], ratio: float, seeds: Sequence[int], budget: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lanes around the best so far, half the scout's spacing apart, for as many seeds as fit."""
    whole = table(parts)
    level = fit.mean_scores(whole)
    level = np.where(np.isfinite(level), level, np.inf)
    best = float(whole.lr[int(np.argmin(level))])
    root = np.sqrt(ratio)
    around = [best, best * root, best / root, best * ratio, best / ratio]
    if budget < 4:
        around = around[:3]
    share = 0.65 * budget if budget >= 8 else budget
    wanted: list[tuple[float, int]] = []
    for seed in seeds:
        fresh = [(lr, int(seed)) for lr in around if not _trained(whole, lr, int(seed))]
        if len(wanted) + len(fresh) > share:
            if not wanted:
                wanted = fresh[: int(budget)]
            break
        wanted += fresh
    return _lanes(wanted)


def confirmation(
    parts: Sequence[Scores], first_seed: int, budget: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lanes of the leading rates with fresh seeds, so that luck does not choose."""
    whole = table(parts)
    shape = fit.curve(whole)
    tried = whole.lr[fit.usable(whole)]
    fitted = np.interp(np.log10(tried), np.log10(shape.lr), shape.mean + 0.5 * shape.error)
    leaders = tried[np.argsort(fitted, kind="stable")][:3]
    seeds = min(4, int(budget) // max(1, len(leaders)))
    if seeds == 0:
        leaders, seeds = leaders[: max(0, int(budget))], 1
    wanted = [(float(lr), first_seed + i) for i in range(seeds) for lr in leaders]
    return _lanes(wanted)


def _trained(whole: Any, lr: float, seed: int) -> bool:
    row = np.flatnonzero(np.isclose(whole.lr, lr, rtol=1e-9, atol=0))
    column = np.flatnonzero(whole.seeds == seed)
    return bool(len(row) and len(column) and np.isfinite(whole.score[row[0], column[0]]))


def _lanes(wanted: Sequence[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([lr for lr, _ in wanted], np.float64),
        np.array([seed for _, seed in wanted], np.int64),
    )
