"""Rungs: how many rates start, when they are judged, and which go on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.search.differences import coarse, lowest_place
from lrlab.search.scores import Scores, outcomes, sign_of

FLAT_SHARE = 0.02
"""Rates whose scores differ by less than this share of what training gains are alike."""


class Scout(NamedTuple):
    """How many rates start, and (update, lanes kept at most) of each rung."""

    rates: int
    rungs: tuple[tuple[int, int], ...]


def scout_plan(budget: float, steps: int, eval_steps: Sequence[int]) -> Scout:
    """The scout that leaves most of a budget (full-length runs) to what follows.

    Rungs are evaluations, the nearest before the end; where there are none, fewer rates start.

    >>> evals = range(50, 1001, 50)
    >>> [scout_plan(budget, 1000, evals).rates for budget in (1, 5, 20, 100)]
    [1, 12, 16, 16]
    """
    shares, rates = ((0.1, 4), (0.25, 2)), 12
    if budget >= 14:
        shares, rates = ((0.1, 8), (0.35, 5)), 16
    elif budget >= 8:
        shares, rates = ((0.1, 6), (0.3, 3)), 14
    elif budget < 4.5:
        shares = ((0.05, 3), (0.25, 1))
    inner = [step for step in eval_steps if step < steps]
    found: dict[int, int] = {}
    for share, keep in shares if inner else ():
        step = min(inner, key=lambda step: abs(step - share * steps))
        found[int(step)] = min(keep, found.get(int(step), keep))
    rungs = tuple(sorted(found.items()))
    while rates > 1 and scout_cost(rates, rungs, steps) > max(1.0, 0.75 * budget):
        rates -= 1
    return Scout(rates, rungs)


def scout_cost(rates: int, rungs: Sequence[tuple[int, int]], steps: int) -> float:
    """Full-length runs that a scout costs at most.

    >>> scout_cost(10, [(10, 4), (50, 2)], 100)
    3.6
    """
    paid, going, last = 0, rates, 0
    for step, keep in rungs:
        paid += going * (step - last)
        going, last = min(going, keep), step
    return (paid + going * (steps - last)) / steps


def survivors(scores: Scores, step: int, keep: int) -> np.ndarray:
    """The lanes that go on after a rung, at most `keep`: the leader and its neighbors, in one run
    of rates, first those that may still overtake it.

    A lane's hope is its metric at the end if it goes on falling with the logarithm of time as it
    did of late; slow learners whose hope is below the leader's metric today are not cut for being
    slow. Larger rates than the leader's get the benefit of a tie: annealing has not come to them
    yet. Where the rate makes no difference so far, lanes from end to end go on.
    """
    row = int(np.searchsorted(scores.eval_steps, step))
    sign = sign_of(scores.direction)
    now = standing(scores, row) * sign
    going = (outcomes(scores) != "diverged") & (outcomes(scores) != "pruned")
    if not np.isfinite(now[going]).any():
        return going  # none can be judged yet: they will recover or diverge
    going &= np.isfinite(now)
    if going.sum() <= keep:
        return going
    order = np.argsort(scores.lr, kind="stable")
    order = order[going[order]]
    now, hope = now[order], hopes(scores, row)[order] * sign
    kept = np.zeros(len(going), bool)
    known = np.asarray(scores.initial, np.float64)
    known = known[np.isfinite(known)] * sign
    # Where the start is not known, what the rates differ by stands for what is gained.
    gain = abs(float(known.mean() - now.min())) if known.size else float(np.ptp(now))
    if len(order) > 2 and np.ptp(now) <= FLAT_SHARE * gain:
        kept[order[np.linspace(0, len(order) - 1, keep).round().astype(int)]] = True
        return kept
    now, hope = np.split(coarse(np.concatenate([now, hope]), gain), 2)
    low = high = leader = lowest_place(now)
    while high - low + 1 < keep:
        left = now[low - 1] if low > 0 else np.inf
        right = now[high + 1] if high + 1 < len(now) else np.inf
        # Slow learners that may overtake the leader come in turn with the rates above it.
        slow = low > 0 and hope[low - 1] <= now[leader] and leader - low <= high - leader
        if low == 0 or (high + 1 < len(now) and right <= left and not slow):
            high += 1
        else:
            low -= 1
    kept[order[low : high + 1]] = True
    return kept


def standing(scores: Scores, row: int) -> np.ndarray:
    """The metric of each lane at evaluation `row`, but no better than its mean over the second half
    of the evaluations so far; [n].

    A loss that jumps about, as beyond a cliff, is low at one evaluation or the other by chance.
    """
    values = np.asarray(scores.metric, np.float64)[: row + 1]
    late = values[np.asarray(scores.eval_steps)[: row + 1] >= scores.eval_steps[row] / 2]
    sign = sign_of(scores.direction)
    with warnings.catch_warnings():  # evaluations without a value say nothing
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        mean = np.nanmean(np.where(np.isfinite(late), late, np.nan), 0)
    return sign * np.maximum(values[row] * sign, mean * sign)


def hopes(scores: Scores, row: int) -> np.ndarray:
    """The metric each lane would end with if it went on as between half of the time at evaluation
    `row` and then, linearly in the logarithm of time; never worse than it is; [n]."""
    step = int(scores.eval_steps[row])
    values = np.asarray(scores.metric, np.float64)
    back = int(np.searchsorted(scores.eval_steps, step / 2))
    if back < row:
        before, past = values[back], int(scores.eval_steps[back])
        halvings = np.log(scores.steps / step) / np.log(step / past)
    else:
        before, halvings = np.asarray(scores.initial, np.float64), np.log2(scores.steps / step)
    sign = sign_of(scores.direction)
    with np.errstate(invalid="ignore"):
        gain = np.maximum((before - values[row]) * sign, 0.0)
    return np.asarray(values[row] - sign * np.nan_to_num(gain) * halvings)
