"""Several lane axes at once: which weight decay, momentum, ..., and which learning rate with it.

The combinations of the further axes are searched side by side in the same training calls; those
that fall behind stop, so that most of the budget goes to the best two.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab.search import seed_effects
from lrlab.search.answer import NONE, from_scores, nothing_trains
from lrlab.search.budget import DEFAULT_BUDGET, Budget
from lrlab.search.differences import TINY, coarse
from lrlab.search.find import LEADERS, MOST_ROUNDS, beyond, block, middle
from lrlab.search.naming import in_words, named
from lrlab.search.posterior import believe
from lrlab.search.rungs import scout_plan, survivors
from lrlab.search.scores import Scores, cost, sign_of, table
from lrlab.types import Answer

PER_COMBINATION = 8.0
"""Full-length runs that each further combination adds to the default budget."""

FINALISTS = 2
"""Combinations that are refined and confirmed."""

FEW = 3.0
"""Full-length runs per finalist below which only fresh seeds are trained."""

Lane = tuple[int, float, int]
"""(combination, learning rate, seed)"""


class Joint(NamedTuple):
    """The search so far: `combos` [K] tuples of axis values; `parts[k]` what is known of each.
    `stages` and `rungs`: what each call trained, and what was decided between, for the record."""

    names: tuple[str, ...]
    combos: list[tuple[float, ...]]
    parts: list[list[Scores]]
    budget: Budget
    stages: list[dict[str, Any]]
    rungs: list[dict[str, Any]]
    labels: Mapping[str, Sequence[str]] = {}

    def at(self, combination: int) -> dict[str, float | str]:
        """Axis -> value of a combination; its name where the axis has names."""
        values = zip(self.names, self.combos[combination], strict=True)
        return {name: named(self.labels, name, value) for name, value in values}

    def left(self) -> float:
        """Full-length runs that may still be spent."""
        return self.budget.left(self.known())

    def known(self) -> list[Scores]:
        """What is known of all combinations."""
        return [part for parts in self.parts for part in parts]


def find_joint(
    train: Callable[..., Scores],
    *,
    axes: Mapping[str, Sequence[float]],
    lr_range: tuple[float, float],
    seeds: Sequence[int],
    steps: int,
    eval_steps: Sequence[int],
    metric: str,
    direction: str = "min",
    budget_runs: float | None = None,
    budget_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    labels: Mapping[str, Sequence[str]] | None = None,
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
    combos = list(itertools.product(*([float(v) for v in values] for values in axes.values())))
    default = DEFAULT_BUDGET + PER_COMBINATION * (len(combos) - 1)
    budget = Budget(budget_runs, budget_seconds, steps, clock, default)
    search = Joint(tuple(axes), combos, [[] for _ in combos], budget, [], [], labels or {})
    left = search.left
    plan = scout_plan(left() / len(combos), steps, eval_steps)
    rates = np.geomspace(*lr_range, plan.rates) if plan.rates > 1 else middle(lr_range)
    ratio = rates[1] / rates[0] if len(rates) > 1 else 3.0
    first = int(seeds[0])
    _train(train, search, [(k, lr, first) for k in range(len(combos)) for lr in rates], plan.rungs)
    for _ in range(2):
        lanes = [
            (k, float(lr), first)
            for k in leaders(search, FINALISTS)
            for lr in beyond(search.parts[k], ratio, left() / FINALISTS)
        ]
        if not lanes:
            break
        _train(train, search, lanes)
    others = [int(s) for s in seeds[1:]] or [first]
    fresh = max(seeds) + 1
    for number in range(MOST_ROUNDS):
        # The same seeds for the finalists, the confirmation's fresh: compared pair by pair.
        chosen = leaders(search, FINALISTS)
        if not chosen:
            break
        each = left() / len(chosen)
        queued = number < len(others) and each > FEW
        seed = [others[number]] if queued else [fresh]
        lanes = _block(search, chosen, seed, each, number)
        if not lanes:
            break
        fresh += not queued
        _train(train, search, lanes)
    answer = answer_of(search, metric)
    decided = {"stages": search.stages, "rungs": search.rungs, **budget.record(search.known())}
    return answer._replace(details={**answer.details, **decided})


def _block(
    search: Joint, chosen: Sequence[int], seeds: Sequence[int], budget: float, number: int
) -> list[Lane]:
    """Lanes of the finalists around their best rates, as many for each."""
    lanes: list[Lane] = []
    for k in chosen:
        if trained_any(search.parts[k]):
            lr, seed = block(search.parts[k], seeds, min(LEADERS, budget), number)
            lanes += [(k, float(a), int(b)) for a, b in zip(lr, seed, strict=True)]
    return lanes


def _train(
    train: Callable[..., Scores],
    search: Joint,
    lanes: Sequence[Lane],
    rungs: Sequence[tuple[int, int]] = (),
) -> None:
    """Trains lanes of several combinations in one call and files what came of them."""
    which = np.array([lane[0] for lane in lanes])
    lr = np.array([lane[1] for lane in lanes], np.float64)
    seed = np.array([lane[2] for lane in lanes], np.int64)
    hyper = {
        name: np.array([search.combos[k][place] for k in which])
        for place, name in enumerate(search.names)
    }
    keep = dict(rungs)

    def decide(step: int, scores: Scores) -> np.ndarray:
        going = np.zeros(len(which), bool)
        best, count = {}, len(np.unique(which))
        wanted = keep[step] * count
        allowed = search.budget.affordable(search.known(), scores, step, wanted)
        for k in np.unique(which):
            mine = which == k
            part = _take(scores, mine)
            going[mine] = survivors(part, step, max(1, keep[step] * allowed // wanted))
            row = int(np.searchsorted(scores.eval_steps, step))
            values = part.metric[row] * sign_of(scores.direction)
            best[int(k)] = np.nanmin(values) if np.isfinite(values).any() else np.inf
        begun = np.asarray(scores.initial, np.float64) * sign_of(scores.direction)
        begun = begun[np.isfinite(begun)]
        gain = float(begun.mean() - min(best.values())) if begun.size else 0.0
        ranked = _ranked(best, gain)
        if step == max(keep) and len(keep) > 1:
            # The better half goes on; a cheaper rung would judge them by their warm-up.
            going &= np.isin(which, ranked[: max(FINALISTS, -(-count // 2))])
        if allowed < count:
            going &= np.isin(which, ranked[:allowed])
        search.rungs.append(
            {"step": step, "lanes": len(going), "kept": int(going.sum()), "most": wanted}
            | ({} if allowed == wanted else {"cut_for_time_to": allowed})
        )
        return going

    scores = train(lr, seed, tuple(keep), decide if keep else None, hyper)
    paid = cost([scores])
    search.stages.append({"lanes": len(lr), "cost": paid, "low": lr.min(), "high": lr.max()})
    for k in np.unique(which):
        search.parts[k].append(_take(scores, which == k))


def _take(scores: Scores, mask: np.ndarray) -> Scores:
    """The lanes of `mask` bool[n] alone."""
    return scores._replace(
        metric=np.asarray(scores.metric)[:, mask],
        **{
            name: np.asarray(getattr(scores, name))[mask]
            for name in ("lr", "seed", "initial", "outcome", "diverged_at", "steps_trained")
        },
    )


def trained_any(parts: Sequence[Scores]) -> bool:
    """Whether any lane reached the end with some gain."""
    whole = table(parts)
    return bool(seed_effects.usable(whole).any()) and nothing_trains(whole, "") is None


def score_of(parts: Sequence[Scores]) -> float:
    """The promise of a combination: the fitted mean score at its best rate (to be minimized); inf
    where nothing trained to the end."""
    if not trained_any(parts):
        return float("inf")
    known = believe(parts)
    return float(known.mean[int(np.argmin(known.expected))])


def leaders(search: Joint, count: int) -> list[int]:
    """The most promising combinations, best first."""
    scores = {k: score_of(parts) for k, parts in enumerate(search.parts)}
    some = {k: score for k, score in scores.items() if np.isfinite(score)}
    gain = max((seed_effects.gap(table(search.parts[k])) for k in some), default=0.0)
    return _ranked(some, gain)[:count]


def _ranked(scores: Mapping[int, float], gain: float) -> list[int]:
    """Combinations from the lowest score up; as given where no more than a hair is between."""
    keys = list(scores)
    order = np.argsort(coarse(np.array([scores[k] for k in keys]), gain), kind="stable")
    return [keys[place] for place in order]


def answer_of(search: Joint, metric: str) -> Answer:
    """The answer of the best combination, with what the others said."""
    answers = [from_scores(parts, metric) for parts in search.parts]
    scores = [score_of(parts) for parts in search.parts]
    paid = cost([part for parts in search.parts for part in parts])
    trains = [k for k in leaders(search, len(scores)) if answers[k].verdict != NONE]
    sign = sign_of(search.parts[0][0].direction)
    rows = [
        {
            **search.at(k),
            "lr": answer.lr,
            "interval": answer.interval,
            "score": score * sign if np.isfinite(score) else None,
            "cost": answer.cost,
        }
        for k, (answer, score) in enumerate(zip(answers, scores, strict=True))
    ]
    details: dict[str, Any] = {"combinations": rows, "correlation": correlations(search, answers)}
    if not trains:
        return answers[0]._replace(cost=paid, details={**answers[0].details, **details, "at": {}})
    best = answers[trains[0]]
    at = search.at(trains[0])
    text = f"With {in_words(at)}: {best.sentence}"
    if len(trains) > 1:
        text += " " + _second(search, trains[0], trains[1])
    text += _tendency(details["correlation"])
    return best._replace(sentence=text, cost=paid, details={**best.details, **details, "at": at})


def _second(search: Joint, best: int, other: int) -> str:
    """How sure it is that the best combination beats the next one: at their best rates, over the
    seeds that both were trained with."""
    next_best = in_words(search.at(other))
    tables = [table(search.parts[k]) for k in (best, other)]
    columns = [_at_best(whole) for whole in tables]
    common = sorted(set(columns[0]) & set(columns[1]))
    if len(common) < 2:
        return f"Next: {next_best} (too few common seeds to compare)."
    apart = np.array([columns[1][seed] - columns[0][seed] for seed in common])
    error = apart.std(ddof=1) / np.sqrt(len(apart))
    if apart.mean() <= max(
        2 * error, TINY * max(map(seed_effects.gap, tables)), tables[0].rounding
    ):
        return f"{next_best} is as good ({len(common)} common seeds)."
    return f"{next_best} is worse by {apart.mean():.2g} +- {2 * error:.1g} ({len(common)} seeds)."


def _at_best(whole: Any) -> dict[int, float]:
    """Seed -> score at the rate that was tried with the best mean."""
    level = seed_effects.mean_scores(whole)
    counts = np.isfinite(whole.score).sum(1)
    level = np.where(counts == counts.max(), level, np.inf)
    row = whole.score[int(np.nanargmin(level))]
    known = zip(whole.seeds, row, strict=True)
    return {int(seed): float(v) for seed, v in known if np.isfinite(v)}


def correlations(search: Joint, answers: Sequence[Answer]) -> dict[str, float | None]:
    """Axis -> correlation of its values with log10 of the best learning rate there; a combination
    that stopped at a rung counts with the rate that led there. None below three combinations."""
    rates = [
        answer.lr if answer.lr is not None else leading_rate(parts)
        for answer, parts in zip(answers, search.parts, strict=True)
    ]
    known = [k for k, rate in enumerate(rates) if rate is not None]
    logs = np.log10([rates[k] or 1.0 for k in known])
    found: dict[str, float | None] = {}
    for place, name in enumerate(search.names):
        values = np.array([search.combos[k][place] for k in known])
        if len(values) and values.min() > 0 and values.max() >= 10 * values.min():
            values = np.log10(values)  # a multiplier, a weight decay: its size, not its distance
        enough = (
            name not in search.labels
            and len(known) >= 3
            and np.ptp(values) > 0
            and np.ptp(logs) > 0
        )
        found[name] = float(np.corrcoef(values, logs)[0, 1]) if enough else None
    return found


def leading_rate(parts: Sequence[Scores]) -> float | None:
    """The rate with the best metric at the last evaluation that any lane reached; None where no
    lane has a finite one."""
    scores = parts[0]
    values = np.asarray(scores.metric, np.float64) * sign_of(scores.direction)
    reached = np.isfinite(values).any(1)
    if not reached.any():
        return None
    row = values[int(np.flatnonzero(reached)[-1])]
    return float(scores.lr[int(np.nanargmin(row))])


def _tendency(correlation: Mapping[str, float | None]) -> str:
    parts = [
        f" A larger {name} goes with a {'larger' if value > 0 else 'smaller'} learning rate "
        f"(correlation {value:+.2f})."
        for name, value in correlation.items()
        if value is not None and abs(value) >= 0.7
    ]
    return "".join(parts)
