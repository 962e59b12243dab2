"""The adaptive search: a cheap scout, an extension where needed, blocks of contenders seed by seed,
a confirmation on fresh seeds.

Every stage trains lanes in one vectorized call with the schedule of the full length, so that a lane
that is cut short is a prefix of the real run and a lane that survives is the real run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lrlab.search import seed_effects
from lrlab.search.answer import from_scores, nothing_trains
from lrlab.search.budget import Budget
from lrlab.search.differences import coarse, lowest_place
from lrlab.search.posterior import believe, contenders
from lrlab.search.rungs import scout_plan, survivors
from lrlab.search.scores import Scores, cost, table
from lrlab.types import Answer

WIDEST = 4
"""Rates in a block."""

CONFIRM = 0.8
"""The part of what the scout leaves that is kept for fresh seeds: seeds differ more than
neighboring rates of one seed do, so many seeds with few rates each tell most."""

LEADERS = 3
"""Rates that are confirmed."""

PAIRED = 6.0
"""Full-length runs from which on the first block has another seed than the scout; with less left,
the scout's seed, whose lanes it can be compared with."""

MOST_ROUNDS = 40

NEAR = 0.07
"""Decades: a rate this close to one that was tried is that one, so that seeds come together."""

Train = Callable[..., Scores]
"""`train(lr f64[n], seed int64[n], rungs=(), decide=None) -> Scores`; `decide(step, scores)` gives
bool[n], the lanes that go on."""


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
        seeds: of the scout (the first) and the blocks; the confirmation uses the numbers after the
            largest.
        steps: of a full run; `eval_steps`: the evaluations, of which some become rungs.
        budget_runs: full-length runs that may be spent; never exceeded.
        budget_seconds: wall time; looked at between rungs and stages, so the lanes that are under
            way may overrun it. What was decided is in the answer's `details["rungs"]`.
        clock: the time, for `budget_seconds`.
    """
    budget = Budget(budget_runs, budget_seconds, steps, clock)
    parts: list[Scores] = []
    decisions: list[dict[str, Any]] = []
    plan = scout_plan(budget.left(parts), steps, eval_steps)
    rates = np.geomspace(*lr_range, plan.rates) if plan.rates > 1 else middle(lr_range)
    ratio = rates[1] / rates[0] if len(rates) > 1 else 3.0
    first = int(seeds[0])
    keep = dict(plan.rungs)

    def prune(step: int, scores: Scores) -> np.ndarray:
        allowed = budget.affordable(parts, scores, step, keep[step])
        going = survivors(scores, step, allowed)
        decisions.append(
            {"step": step, "lanes": len(going), "kept": int(going.sum()), "most": keep[step]}
            | ({} if allowed == keep[step] else {"cut_for_time_to": allowed})
        )
        return going

    parts.append(train(rates, np.full(len(rates), first), tuple(keep), prune if keep else None))
    extended, queue, fresh = 0, [int(s) for s in seeds], max(seeds) + 1
    total = budget.left(parts)
    if total >= PAIRED and len(queue) > 1:
        queue.pop(0)  # the scout's: other seeds say more
    for number in range(MOST_ROUNDS):
        left = budget.left(parts)
        more = beyond(parts, ratio, left) if extended < 2 else np.empty(0)
        if len(more):
            extended += 1
            lr, seed = more, np.full(len(more), first)
        elif nothing_trains(table(parts), metric):
            break
        elif queue and left > CONFIRM * total:
            lr, seed = block(parts, [queue.pop(0)], min(WIDEST, left), number)
        else:
            lr, seed, fresh = confirmation(parts, fresh, left, number)
            if not len(lr):
                break
        if len(lr):
            parts.append(train(lr, seed))
    answer = from_scores(parts, metric, extended=extended > 0)
    stages = [
        {"lanes": len(part.lr), "cost": cost([part]), "low": part.lr.min(), "high": part.lr.max()}
        for part in parts
    ]
    decided = {"stages": stages, "rungs": decisions, **budget.record(parts)}
    return answer._replace(details={**answer.details, **decided})


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
    if not np.isfinite(scores).any():
        return np.empty(0)
    start = seed_effects.start(whole)
    gain = float(start - scores.min()) if np.isfinite(start) else np.inf
    if gain <= whole.rounding:
        return np.empty(0)
    best = lowest_place(coarse(scores, gain))
    if best == len(whole.lr) - 1:
        return highest * ratio ** np.arange(1, count + 1)
    if best == 0:
        return lowest / ratio ** np.arange(count, 0, -1)
    return np.empty(0)


def block(
    parts: Sequence[Scores], seeds: Sequence[int], budget: float, number: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """At most `budget` lanes: rates spread over those that may be the best, each with `seeds`.

    Lanes of one seed are compared with each other; where the rates stand follows from what all
    seeds so far leave possible, so that each block looks more closely.
    """
    count = max(1, int(budget) // len(seeds))
    known = believe(parts, seed=number)
    x = contenders(known, count)
    if count > 1:  # the leader among them, so that a lucky lane is found out
        leader = np.log10(known.lr[int(np.argmin(known.expected))])
        x[int(np.argmin(np.abs(x - leader)))] = leader
    return _lanes(parts, x, seeds, budget)


def confirmation(
    parts: Sequence[Scores], first_seed: int, budget: float, number: int = 0
) -> tuple[np.ndarray, np.ndarray, int]:
    """Lanes of the leading rates with fresh seeds, so that luck does not choose; and the seed that
    comes next."""
    rates = min(LEADERS, int(budget))
    if rates < 2:  # a lane with nothing to compare it with tells nothing
        return np.empty(0), np.empty(0, np.int64), first_seed
    seeds = [first_seed + i for i in range(min(2, int(budget) // rates))]
    lr, seed = block(parts, seeds, rates * len(seeds), number)
    return lr, seed, seeds[-1] + 1


def _lanes(
    parts: Sequence[Scores], x: np.ndarray, seeds: Sequence[int], budget: float
) -> tuple[np.ndarray, np.ndarray]:
    """Every rate (log10) with every seed, without what was trained already."""
    whole = table(parts)
    tried = np.log10(whole.lr)
    rates: list[float] = []
    for place in x:
        nearest = int(np.argmin(np.abs(tried - place)))
        close = abs(tried[nearest] - place) <= NEAR
        rates.append(float(whole.lr[nearest]) if close else float(10**place))
    wanted = [
        (lr, int(seed))
        for seed in seeds
        for lr in dict.fromkeys(rates)
        if not _trained(whole, lr, int(seed))
    ][: int(budget)]
    return (
        np.array([lr for lr, _ in wanted], np.float64),
        np.array([seed for _, seed in wanted], np.int64),
    )


def _trained(whole: Any, lr: float, seed: int) -> bool:
    row = np.flatnonzero(np.isclose(whole.lr, lr, rtol=1e-9, atol=0))
    column = np.flatnonzero(whole.seeds == seed)
    return bool(len(row) and len(column) and np.isfinite(whole.score[row[0], column[0]]))


def middle(lr_range: tuple[float, float]) -> np.ndarray:
    """The one rate of a search that can pay for no more, f64[1]."""
    return np.array([float(np.sqrt(lr_range[0] * lr_range[1]))])
