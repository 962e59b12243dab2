"""Several lane axes at once: which weight decay, momentum, ..., and which learning rate with it.

The combinations of the further axes are searched side by side in the same training calls; those
that fall behind stop, so that most of the budget goes to the best two.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lrlab.search.budget import Budget
from lrlab.search.combinations import AxesSearch, answer_of, leaders, ranked, trains
from lrlab.search.find import Train, beyond, block, scout_rates, stage_record
from lrlab.search.posterior import posterior_of
from lrlab.search.rungs import rung_record, scout_plan, survivors
from lrlab.search.scores import Scores
from lrlab.search.settings import DEFAULTS, SearchSettings
from lrlab.types import Answer

Lane = tuple[int, float, int]
"""(combination, learning rate, seed)"""


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
    labels: Mapping[str, Sequence[str]] | None = None,
    settings: SearchSettings = DEFAULTS,
) -> Answer:
    """The learning rate and the values of further lane axes to train with.

    As `lrlab.search.find`, over every combination of `axes` (name -> values). `train` takes the
    further hyper-parameters by name: `train(lr, seed, rungs, decide, {name: f64[n]})`. `labels`:
    axis -> what its values are called, where they only count names.

    Returns:
        The answer for the best combination. Its `details` hold `at` (axis -> chosen value),
        `combinations` (per combination: its values, best `lr`, `interval`, `score`, `cost`) and
        `correlation` (axis -> correlation of its values with log10 of the best learning rate over
        the combinations that train; of log10 of its values where these are positive and a factor of
        10 or more apart; None below three of them, and for names); `stages`, `rungs` and the budget
        as `find`.
    """
    values = [[float(value) for value in row] for row in axes.values()]
    combinations = list(itertools.product(*values))
    default = settings.axes_budget + settings.combination_budget * (len(combinations) - 1)
    budget = Budget(budget_runs, budget_seconds, steps, clock, default)
    parts: list[list[Scores]] = [[] for _ in combinations]
    search = AxesSearch(tuple(axes), combinations, parts, budget, [], [], settings, labels or {})
    plan = scout_plan(search.left() / len(combinations), steps, eval_steps, settings)
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
    fresh = max(seeds) + 1
    for number in range(settings.max_rounds):
        # The same seeds for the finalists, the confirmation's fresh: compared pair by pair.
        finalists = leaders(search, count)
        if not finalists:
            break
        each = search.left() / len(finalists)
        waiting = number < len(others) and each > settings.finalist_budget
        seed = [others[number]] if waiting else [fresh]
        lanes = _block(search, finalists, seed, each, number)
        if not lanes:
            break
        fresh += not waiting
        _train(train, search, lanes)
    answer = answer_of(search, metric)
    decided = {"stages": search.stages, "rungs": search.rungs, **budget.record(search.all_parts())}
    return answer._replace(details={**answer.details, **decided})


def _block(
    search: AxesSearch, finalists: Sequence[int], seeds: Sequence[int], budget: float, number: int
) -> list[Lane]:
    """Lanes of the finalists around their best rates, as many for each."""
    lanes: list[Lane] = []
    count = min(search.settings.confirmed_rates, budget)
    for k in finalists:
        if trains(search.parts[k], search.settings):
            posterior = posterior_of(
                search.parts[k], seed=number, settings=search.settings.posterior
            )
            lr, seed = block(search.parts[k], posterior, seeds, count, search.settings)
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
