"""Trials of one learning rate each, from recorded lanes: what the peers of `find` are given.

A trial costs the share of a full run that its lanes trained, as in `find`'s own accounts. It needs
no package beyond NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from finder_regret_replay import searched

LOW, HIGH = -6.0, 1.0
"""log10 of the range that everyone searches."""

TRIALS = 10
"""Trials per full-length run of the budget, at most: lanes that diverge at once, or are pruned,
cost next to nothing, and a search that stays with them has to end."""

BUDGETS = (5, 10, 20, 40)
"""Full-length runs, as `find` is measured with."""

SLOW = BUDGETS[:3]
"""The same for Gaussian processes: their searches of 40 runs take 4 to 30 seconds each."""

SEEDS = {"fresh": 1, "fixed": 1, "two": 2}
"""Habit -> lanes of a trial. "fresh": another seed for each trial (`seed=trial.number`), "fixed":
seed 0 for all, "two": two fresh seeds for each, and their mean."""


class Lanes(NamedTuple):
    """One trial as its training would give it. `losses` f64[E], to be minimized, at `shares` f64[E]
    of a full run, nan after a divergence; `value` at the end: at most the initial loss, which a run
    that diverged counts as; `cost` in full-length runs."""

    losses: np.ndarray
    shares: np.ndarray
    value: float
    cost: float


class Trial(NamedTuple):
    """`lr`, what was seen of it, its cost in full-length runs, and whether it ran to its end."""

    lr: float
    value: float
    cost: float
    complete: bool = True


Train = Callable[[float, int], Lanes]
"""(learning rate, number of the trial) -> its lanes."""


def training(lanes: dict, root: int, habit: str = "fresh") -> Train:
    """What a trial gets from a record: the nearest rate; the seeds that are not the truth's, in
    `find`'s order for this root."""
    order = np.random.default_rng(root).permutation(searched(lanes["outcome"].shape[1]))
    sign = -1.0 if str(lanes.get("direction", "min")) == "max" else 1.0
    total, count = int(lanes["eval_steps"][-1]), SEEDS[habit]
    shares = lanes["eval_steps"] / total

    def train(lr: float, number: int) -> Lanes:
        i = int(np.abs(np.log(lr / lanes["lr"])).argmin())
        seeds = np.zeros(1, int) if habit == "fixed" else count * number + np.arange(count)
        j = order[seeds % len(order)]
        losses = sign * lanes["metric"][:, i, j].astype(float)
        start = sign * lanes["initial"][i, j].astype(float)
        final = np.where(lanes["outcome"][i, j] == "ok", losses[-1], np.inf)
        value = np.where(np.isfinite(final), np.minimum(final, start), start).mean()
        cost = lanes["steps_trained"][i, j].sum() / total
        return Lanes(losses.mean(1), shares, float(value), float(cost))

    return train


def room(trials: list[Trial], budget: float, each: int = 1) -> bool:
    """Whether another trial of `each` full-length runs fits the budget."""
    spent = sum(trial.cost for trial in trials)
    return spent + each <= budget + 1e-9 and len(trials) < TRIALS * budget


def within(trials: list[Trial], budget: float, each: int = 1) -> list[Trial]:
    """The first trials, up to where a smaller budget would have stopped."""
    count = 0
    while count < len(trials) and room(trials[:count], budget, each):
        count += 1
    return trials[:count]


def best(trials: list[Trial]) -> float | None:
    """The rate of the trial with the least value, of those that ran to their end."""
    whole = [trial for trial in trials if trial.complete and np.isfinite(trial.value)]
    return min(whole, key=lambda trial: trial.value).lr if whole else None


def trained(train: Train, lr: float, number: int) -> Trial:
    lane = train(lr, number)
    return Trial(float(lr), lane.value, lane.cost)


def asked(
    train: Train, budget: float, each: int, ask: Callable[[list[Trial]], float]
) -> list[Trial]:
    """Trials one by one, each where `ask` says from those before."""
    trials: list[Trial] = []
    while room(trials, budget, each):
        trials.append(trained(train, ask(trials), len(trials)))
    return trials


def random_search(train: Train, root: int, budget: float, each: int) -> list[Trial]:
    """Log-uniform rates."""
    draw = np.random.default_rng([root, 1])  # not the stream that orders the seeds
    return asked(train, budget, each, lambda _: 10 ** draw.uniform(LOW, HIGH))


def two_stage_grid(train: Train, root: int, budget: float, each: int) -> list[Trial]:
    """Half of the budget on the middles of equal parts (in log) of the range, the rest evenly
    around the best of them, up to its neighbours. The root chooses nothing but the seeds."""
    count = max(1, -(-int(budget / each) // 2))
    step = (HIGH - LOW) / count
    trials = [trained(train, 10**x, n) for n, x in enumerate(LOW + step * (np.arange(count) + 0.5))]
    middle = np.log10(best(trials) or 10 ** ((LOW + HIGH) / 2))
    left = int((budget - sum(trial.cost for trial in trials)) / each + 1e-9)
    ends = max(LOW, middle - step), min(HIGH, middle + step)
    for x in np.linspace(*ends, left + 2)[1:-1]:
        trials.append(trained(train, 10**x, len(trials)))
    return trials


class Peer(NamedTuple):
    """A search, and how it is run.

    `search(train, root, budget, lanes of a trial)` -> trials in order; `rules`: (what is added to
    the peer's name, the rate that is taken from them); `nested`: a search with a smaller budget is
    the beginning of one with a larger; the seeds' `habits`, and the `budgets`.
    """

    search: Callable[[Train, int, float, int], list[Trial]]
    rules: tuple[tuple[str, Callable[[list[Trial]], float | None]], ...] = (("", best),)
    nested: bool = True
    habits: tuple[str, ...] = tuple(SEEDS)
    budgets: tuple[int, ...] = BUDGETS


PEERS = {
    "random search": Peer(random_search),
    "two-stage grid": Peer(two_stage_grid, nested=False),
}


class Pick(NamedTuple):
    """`lr`: what a person would take by a `rule`, after trials that cost `cost` of a `budget`."""

    rule: str
    budget: int
    cost: float
    lr: float | None


def picks(peer: Peer, lanes: dict, root: int, habit: str) -> Iterator[Pick]:
    """What one peer says at each budget."""
    each, train = SEEDS[habit], training(lanes, root, habit)
    longest = peer.search(train, root, max(peer.budgets), each) if peer.nested else []
    for budget in peer.budgets:
        if peer.nested:
            trials = within(longest, budget, each)
        else:
            trials = peer.search(train, root, budget, each)
        cost = sum(trial.cost for trial in trials)
        for rule, pick in peer.rules:
            yield Pick(rule, budget, cost, pick(trials))
