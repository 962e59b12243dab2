"""The adaptive search: a cheap scout, an extension where needed, blocks of contenders seed by seed,
a confirmation on fresh seeds.

Every stage trains lanes in one vectorized call with the schedule of the full length, so that a lane
that is cut short is a prefix of the real run and a lane that survives is the real run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from lrlab.core.text import JsonObject
from lrlab.search import seed_effects
from lrlab.search.answer import from_scores
from lrlab.search.budget import Budget
from lrlab.search.differences import coarse, lowest_place
from lrlab.search.gaussian_process import saturated
from lrlab.search.posterior import Posterior, contenders, posterior_of
from lrlab.search.promise import Promise, promise_of
from lrlab.search.rungs import rung_record, scout_plan, survivors
from lrlab.search.scores import Scores, Table, cost, table
from lrlab.search.settings import DEFAULTS, SearchSettings
from lrlab.search.verdict import edge_share, why_nothing
from lrlab.types import Answer

Decide = Callable[[int, Scores], np.ndarray]
"""`decide(step, scores)` gives bool[n], the lanes that continue after the rung at `step`."""


class Train(Protocol):
    """Trains lanes `lr` f64[n] with `seed` int64[n] and gives their scores; at each of `rungs`
    (updates done) those that `decide` drops end. `further`: other hyper-parameters by name, f64[n]
    each, where there are further lane axes."""

    def __call__(
        self,
        lr: np.ndarray,
        seed: np.ndarray,
        rungs: tuple[int, ...] = ...,
        decide: Decide | None = ...,
        further: Mapping[str, np.ndarray] | None = ...,
        /,
    ) -> Scores:
        """The scores of the lanes, in their order."""
        ...


def find(
    train: Train,
    *,
    lr_range: tuple[float, float],
    seeds: Sequence[int],
    steps: int,
    eval_steps: Sequence[int],
    metric: str,
    budget_runs: float | None = None,
    budget_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    ended: Callable[[], bool] = lambda: False,
    settings: SearchSettings = DEFAULTS,
) -> Answer:
    """The learning rate to train with, found within a budget.

    The search stops as soon as it is sure: when the probability that the pick costs at most
    `settings.tolerance` has reached `settings.confidence`, and the one that the interval is right
    `settings.interval_probability`. Where only the latter is missing, lanes go to its ends.

    Args:
        train: trains lanes and gives their scores, which hold the metric's direction.
        lr_range: where to look first; extended up to twice where the best stands at an end.
        seeds: of the scout (the first) and the blocks; the confirmation uses the numbers after the
            largest.
        steps: of a full run; `eval_steps`: the evaluations, of which some become rungs.
        metric: its name, for the sentence.
        budget_runs: full-length runs that may be spent; never exceeded.
        budget_seconds: wall time; looked at between rungs and stages, so the lanes that are under
            way may overrun it. What was decided is in the answer's `details["rungs"]`.
        clock: the time, for `budget_seconds`.
        ended: whether the search is to end with what there is; asked before more is trained.
        settings: what the search decides by.
    """
    budget = Budget(budget_runs, budget_seconds, steps, clock, settings.default_budget, ended)
    parts: list[Scores] = []
    decisions: list[dict[str, int]] = []
    plan = scout_plan(budget.left(parts), steps, eval_steps, settings)
    rates, ratio = scout_rates(lr_range, plan.rates)
    scout_seed = int(seeds[0])
    keep = dict(plan.rungs)

    def prune(step: int, scores: Scores) -> np.ndarray:
        affordable = budget.affordable(parts, scores, step, keep[step])
        kept = survivors(scores, step, affordable, settings)
        decisions.append(rung_record(step, kept, keep[step], affordable))
        return kept

    scout = np.full(len(rates), scout_seed)
    parts.append(train(rates, scout, tuple(keep), prune if keep else None))
    extensions, waiting, fresh = 0, [int(s) for s in seeds], max(seeds) + 1
    total, sureness = budget.left(parts), list[JsonObject]()
    known: tuple[Posterior, Promise] | None = None
    seen = 0
    if total >= settings.paired_budget and len(waiting) > 1:
        waiting.pop(0)  # the scout's: other seeds say more
    for number in range(settings.max_rounds):
        trains = why_nothing(table(parts), settings.verdict) is None
        posterior = (
            posterior_of(parts, seed=number, settings=settings.posterior) if trains else None
        )
        promise = None if posterior is None else promised(posterior, settings)
        # What a search stops by is what its answer says: other draws of curves say a little else.
        known = None if posterior is None or promise is None else (posterior, promise)
        seen = len(parts)
        said = promise if posterior is not None and posterior.measured else None
        confidence = None if said is None else said.confidence
        right = None if said is None else said.right
        sureness.append({"cost": cost(parts), "confidence": confidence, "interval": right})
        last = extensions >= settings.extensions
        if posterior is not None and sure(posterior, confidence, settings, right, last):
            break
        left = budget.left(parts)
        more = extensions < settings.extensions
        outer = beyond(parts, ratio, left, settings) if more else np.empty(0)
        if len(outer):
            extensions += 1
            parts.append(train(outer, np.full(len(outer), scout_seed)))
            continue
        if posterior is None or promise is None:
            break
        lr, seed = np.empty(0), np.empty(0, np.int64)
        if doubtful(promise, settings):
            lr, seed = ends(parts, posterior, promise, left, settings)
        if not len(lr) and waiting and left > settings.confirmation_share * total:
            count = min(settings.block_rates, left)
            lr, seed = block(parts, posterior, [waiting.pop(0)], count, settings)
        elif not len(lr):
            lr, seed, fresh = confirmation(parts, posterior, fresh, left, settings)
            if not len(lr):
                break
        if len(lr):
            parts.append(train(lr, seed))
    given = known if seen == len(parts) else None
    answer = from_scores(parts, metric, extended=extensions > 0, settings=settings, given=given)
    stages = [stage_record(part) for part in parts]
    decided = {"stages": stages, "rungs": decisions, "sureness": sureness}
    decided |= budget.record(parts)
    return answer._replace(details={**answer.details, **decided})


def promised(posterior: Posterior, settings: SearchSettings = DEFAULTS) -> Promise:
    """What an answer would promise now."""
    return promise_of(
        posterior, settings.tolerance, settings.confidence or settings.usual_confidence
    )


def confidence_of(posterior: Posterior, settings: SearchSettings = DEFAULTS) -> float | None:
    """The probability that the pick is within the tolerance; None before a good rate had two seeds,
    as nothing is known of noise then."""
    return promised(posterior, settings).confidence if posterior.measured else None


def sure(
    posterior: Posterior,
    confidence: float | None,
    settings: SearchSettings,
    right: float | None = None,
    last: bool = False,
) -> bool:
    """Whether a search may stop: it is as sure as was asked for, of the pick and (`right`, where it
    is given) of the interval, and not of an end of the range, beyond which nothing is known. Where
    the range is not extended any more (`last`) it may stop at an end too, as soon as it is as sure
    that the best is there: no lane inside would change that."""
    if settings.confidence is None or (confidence or 0.0) < settings.confidence:
        return False
    if right is not None and right < settings.interval_probability:
        return False
    share = edge_share(posterior, settings.tolerance, settings.verdict)
    return share < settings.verdict.edge_probability or (last and share >= settings.confidence)


def doubtful(promise: Promise, settings: SearchSettings = DEFAULTS) -> bool:
    """Whether the interval is in doubt although the pick is not."""
    goal = settings.confidence or settings.usual_confidence
    return promise.confidence >= goal and promise.right < settings.interval_probability


def ends(
    parts: Sequence[Scores],
    posterior: Posterior,
    promise: Promise,
    budget: float,
    settings: SearchSettings = DEFAULTS,
) -> tuple[np.ndarray, np.ndarray]:
    """Lanes that tell where the good rates end: on either side of the pick the rate of which it is
    least known whether it is good, each with a seed that most other rates have; none where all is
    known, or the budget is spent."""
    whole, level = table(parts), max(settings.tolerance, promise.resolved)
    limit = saturated(np.array(level), posterior.cap)
    good = (posterior.regret <= limit).mean(0)
    doubt, x = good * (1 - good), np.log10(posterior.lr)
    common = np.argsort(-np.isfinite(whole.score).sum(0), kind="stable")
    lr, seed = np.empty(0), np.empty(0, np.int64)
    for side in (x > x[promise.pick], x < x[promise.pick]):
        place = int(np.argmax(np.where(side, doubt, -1.0)))
        if len(lr) + 1 > budget or not side[place] or doubt[place] < settings.least_doubt:
            continue
        for one in common:
            new = _new_lanes(parts, x[[place]], [int(whole.seeds[one])], 1, settings.same_rate)
            if len(new[0]):
                lr, seed = (np.concatenate(pair) for pair in zip((lr, seed), new, strict=True))
                break
    return lr, seed


def scout_rates(lr_range: tuple[float, float], count: int) -> tuple[np.ndarray, float]:
    """`count` rates evenly spaced in log over the range, the middle for one; and the ratio between
    neighbors.

    >>> scout_rates((0.01, 1.0), 3)[0].round(12).tolist(), scout_rates((0.01, 1.0), 1)[0].tolist()
    ([0.01, 0.1, 1.0], [0.1])
    """
    if count == 1:
        return np.array([float(np.sqrt(lr_range[0] * lr_range[1]))]), 3.0
    rates = np.geomspace(*lr_range, count)
    return rates, rates[1] / rates[0]


def stage_record(part: Scores) -> dict[str, float]:
    """What a training call was, for the answer's details."""
    low, high = part.lr.min(), part.lr.max()
    return {"lanes": len(part.lr), "cost": cost([part]), "low": low, "high": high}


def beyond(
    parts: Sequence[Scores], ratio: float, budget: float, settings: SearchSettings = DEFAULTS
) -> np.ndarray:
    """Rates past the end at which the best stands; empty where it stands inside.

    Where everything diverged, far smaller ones.
    """
    whole = table(parts)
    count = int(min(settings.extension_rates, budget // settings.extension_cost))
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
    initial = seed_effects.mean_initial(whole)
    gain = float(initial - scores.min()) if np.isfinite(initial) else np.inf
    if gain <= whole.rounding:
        return np.empty(0)
    best = lowest_place(coarse(scores, gain))
    if best == len(whole.lr) - 1:
        return highest * ratio ** np.arange(1, count + 1)
    if best == 0:
        return lowest / ratio ** np.arange(count, 0, -1)
    return np.empty(0)


def block(
    parts: Sequence[Scores],
    posterior: Posterior,
    seeds: Sequence[int],
    budget: float,
    settings: SearchSettings = DEFAULTS,
) -> tuple[np.ndarray, np.ndarray]:
    """At most `budget` lanes: rates spread over those that may be the best, each with `seeds`.

    Lanes of one seed are compared with each other; where the rates stand follows from what all
    seeds so far leave possible, so that each block looks more closely.
    """
    count = max(1, int(budget) // len(seeds))
    x = contenders(posterior, count)
    if count > 1:  # the leader among them, so that a lucky lane is exposed
        leader = np.log10(posterior.lr[int(np.argmin(posterior.expected_regret))])
        x[int(np.argmin(np.abs(x - leader)))] = leader
    return _new_lanes(parts, x, seeds, budget, settings.same_rate)


def confirmation(
    parts: Sequence[Scores],
    posterior: Posterior,
    first_seed: int,
    budget: float,
    settings: SearchSettings = DEFAULTS,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Lanes of the leading rates with fresh seeds, so that luck does not choose; and the seed that
    comes next."""
    rates = min(settings.confirmed_rates, int(budget))
    if rates < 2:  # a lane with nothing to compare it with says nothing
        return np.empty(0), np.empty(0, np.int64), first_seed
    count = min(settings.confirmed_seeds, int(budget) // rates)
    seeds = [first_seed + i for i in range(count)]
    lr, seed = block(parts, posterior, seeds, rates * len(seeds), settings)
    return lr, seed, seeds[-1] + 1


def _new_lanes(
    parts: Sequence[Scores], x: np.ndarray, seeds: Sequence[int], budget: float, same_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Every rate (log10) with every seed, without what was trained already; rates within
    `same_rate` decades of one that was tried are that one."""
    whole = table(parts)
    tried = np.log10(whole.lr)
    rates: list[float] = []
    for place in x:
        nearest = int(np.argmin(np.abs(tried - place)))
        close = abs(tried[nearest] - place) <= same_rate
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


def _trained(whole: Table, lr: float, seed: int) -> bool:
    row = np.flatnonzero(np.isclose(whole.lr, lr, rtol=1e-9, atol=0))
    column = np.flatnonzero(whole.seeds == seed)
    return bool(len(row) and len(column) and np.isfinite(whole.score[row[0], column[0]]))
