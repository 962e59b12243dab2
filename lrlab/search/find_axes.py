"""Several lane axes at once: which weight decay, momentum, ..., and which learning rate with it.

The combinations of the further axes are searched side by side in the same training calls; those
that fall behind stop. What is left goes to the best combination and to the one that most likely
beats it, on the same seeds, until the search is sure (`lrlab.search.joint`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lrlab.core.text import JsonObject
from lrlab.search.budget import Budget
from lrlab.search.combinations import AxesSearch, answer_of, leaders, look, ranked, several_seeds
from lrlab.search.find import Train, beyond, block, scout_rates, stage_record, sure
from lrlab.search.joint import Joint, rival, side_by_side
from lrlab.search.rungs import rung_record, scout_plan, survivors
from lrlab.search.scores import Scores, cost
from lrlab.search.settings import DEFAULTS, SearchSettings
from lrlab.types import Answer

Lane = tuple[int, float, int]
"""(combination, learning rate, seed)"""

SCOUT_BUDGET = 4.6
"""Runs, at most, for which the scout of a combination is sized: combinations say much about each
other, so that a larger one is better spent on seeds (`experiments/finder_regret_axes.py`)."""


def find_axes(
    train: Train,
    *,
    axes: Mapping[str, Sequence[float]],
    lr_range: tuple[float, float],
    seeds: Sequence[int],
    steps: int,
    eval_steps: Sequence[int],
    metric: str,
    budget_runs: float | None = None,
    budget_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    ended: Callable[[], bool] = lambda: False,
    labels: Mapping[str, Sequence[str]] | None = None,
    settings: SearchSettings = DEFAULTS,
) -> Answer:
    """The learning rate and the values of further lane axes to train with.

    As `lrlab.search.find`, over every combination of `axes` (name -> values): it stops when the
    probability that the pick costs at most the tolerance, against the best of all combinations, has
    reached `settings.confidence`. `train` takes the
    further hyper-parameters by name: `train(lr, seed, rungs, decide, {name: f64[n]})`. `labels`:
    axis -> what its values are called, where they only count names.

    Returns:
        The answer for the best combination. Its `details` hold `at` (axis -> chosen value),
        `combinations` (per combination: its values, best `lr`, `interval`, `score`, `cost`) and
        `correlation` (axis -> correlation of its values with log10 of the best learning rate over
        the combinations that train; of log10 of its values where these are positive and a factor of
        10 or more apart; None below three of them, and for names); `ridge` (`combinations.ridge`);
        `stages`, `rungs`, `sureness` and the budget as `find`.
    """
    values = [[float(value) for value in row] for row in axes.values()]
    combinations = list(itertools.product(*values))
    default = settings.axes_budget + settings.combination_budget * (len(combinations) - 1)
    budget = Budget(budget_runs, budget_seconds, steps, clock, default, ended)
    parts: list[list[Scores]] = [[] for _ in combinations]
    search = AxesSearch(
        tuple(axes), combinations, parts, [], budget, [], [], settings, labels or {}
    )
    each = min(search.left() / len(combinations), SCOUT_BUDGET)
    plan = scout_plan(each, steps, eval_steps, settings)
    rates, ratio = scout_rates(lr_range, plan.rates)
    scout_seed, count = int(seeds[0]), settings.finalists
    _train(
        train, search,
        [(k, lr, scout_seed) for k in range(len(combinations)) for lr in rates], plan.rungs,
    )  # fmt: skip
    for _ in range(settings.extensions):
        lanes = [
            (k, float(lr), scout_seed)
            for k in leaders(search, count)
            for lr in beyond(search.parts[k], ratio, search.left() / count, settings)
        ]
        if not lanes:
            break
        _train(train, search, lanes)
    others = [int(s) for s in seeds[1:]] or [scout_seed]
    fresh, sureness = max(seeds) + 1, list[JsonObject]()
    joint, choice = look(search)
    for number in range(settings.max_rounds):
        confidence = None if choice is None else choice.promise.confidence
        confidence = confidence if joint is not None and joint.measured else None
        sureness.append({"cost": cost(search.all_parts()), "confidence": confidence})
        if joint is None or choice is None:
            break
        chosen = choice.combination
        # A combination that is best with one seed may be so by luck.
        if several_seeds(search.parts[chosen]) and sure(
            joint.posteriors[chosen], confidence, settings, last=True
        ):
            break
        # The same seeds for both, the confirmation's fresh: compared pair by pair.
        other = rival(joint, choice, settings.tolerance)
        finalists = [chosen, *(() if other is None else (other,))]
        each = search.left() / len(finalists)
        waiting = number < len(others) and each > settings.finalist_budget
        seed = [others[number]] if waiting else [fresh]
        lanes = _block(search, joint, finalists, seed, each)
        if not lanes:
            break
        fresh += not waiting
        _train(train, search, lanes)
        joint, choice = look(search)
    answer = answer_of(search, metric, joint, choice)
    decided = {"stages": search.stages, "rungs": search.rungs, "sureness": sureness}
    decided |= budget.record(search.all_parts())
    return answer._replace(details={**answer.details, **decided})


def _block(
    search: AxesSearch,
    joint: Joint,
    finalists: Sequence[int],
    seeds: Sequence[int],
    budget: float,
) -> list[Lane]:
    """Lanes of the finalists around their best rates, as many for each."""
    lanes: list[Lane] = []
    count = min(search.settings.confirmed_rates, budget)
    for k in finalists:
        lr, seed = block(search.parts[k], joint.posteriors[k], seeds, count, search.settings)
        lanes += [(k, float(a), int(b)) for a, b in zip(lr, seed, strict=True)]
    return lanes


def _train(
    train: Train,
    search: AxesSearch,
    lanes: Sequence[Lane],
    rungs: Sequence[tuple[int, int]] = (),
) -> None:
    """Trains lanes of several combinations in one call and files what came of them."""
    which = np.array([lane[0] for lane in lanes])
    lr = np.array([lane[1] for lane in lanes], np.float64)
    seed = np.array([lane[2] for lane in lanes], np.int64)
    hyper = {
        name: np.array([search.combinations[k][place] for k in which])
        for place, name in enumerate(search.names)
    }
    keep = dict(rungs)

    def decide(step: int, scores: Scores) -> np.ndarray:
        halved = step == max(keep) and len(keep) > 1
        return _survivors(search, which, scores, step, keep[step], halved)

    scores = train(lr, seed, tuple(keep), decide if keep else None, hyper)
    search.stages.append(stage_record(scores))
    search.calls.append(side_by_side(scores, which))
    for k in np.unique(which):
        search.parts[k].append(scores.lanes(which == k))


def _survivors(
    search: AxesSearch, which: np.ndarray, scores: Scores, step: int, keep: int, halved: bool
) -> np.ndarray:
    """The lanes that continue after a rung, bool[n], at most `keep` of each combination; `which`
    int[n] is that of each lane. `halved`: the better half of the combinations continues; a cheaper
    rung would judge them by their warm-up."""
    combinations = np.unique(which)
    count, wanted = len(combinations), keep * len(combinations)
    affordable = search.budget.affordable(search.all_parts(), scores, step, wanted)
    losses = scores.losses[int(np.searchsorted(scores.eval_steps, step))]
    kept, best = np.zeros(len(which), bool), {}
    for k in combinations:
        mine = which == k
        each = max(1, keep * affordable // wanted)
        kept[mine] = survivors(scores.lanes(mine), step, each, search.settings)
        own = losses[mine]
        best[int(k)] = np.nanmin(own) if np.isfinite(own).any() else np.inf
    initial = scores.initial_losses[np.isfinite(scores.initial_losses)]
    gain = float(initial.mean() - min(best.values())) if initial.size else 0.0
    order = ranked(best, gain)
    if halved:
        kept &= np.isin(which, order[: max(search.settings.finalists, -(-count // 2))])
    if affordable < count:
        kept &= np.isin(which, order[:affordable])
    search.rungs.append(rung_record(step, kept, wanted, affordable))
    return kept
