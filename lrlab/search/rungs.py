"""Rungs: how many rates start, when they are judged, and which continue."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.records import DIVERGED, PRUNED
from lrlab.core.score import BEST
from lrlab.search.differences import coarse, lowest_place
from lrlab.search.scores import Scores
from lrlab.search.settings import DEFAULTS, SearchSettings


class Scout(NamedTuple):
    """How many rates start, and (update, lanes kept at most) of each rung."""

    rates: int
    rungs: tuple[tuple[int, int], ...]


def scout_plan(
    budget: float, steps: int, eval_steps: Sequence[int], settings: SearchSettings = DEFAULTS
) -> Scout:
    """The scout that leaves most of a budget (full-length runs) to what follows.

    Rungs are evaluations, the nearest before the end; where there are none, fewer rates start.

    >>> evals = range(50, 1001, 50)
    >>> [scout_plan(budget, 1000, evals).rates for budget in (1, 5, 20, 100)]
    [1, 12, 16, 16]
    """
    sizes = settings.scouts
    size = [one for one in sizes if one.budget <= budget or one is sizes[0]][-1]
    inner = [step for step in eval_steps if step < steps]
    kept: dict[int, int] = {}
    for share, keep in size.rungs if inner else ():
        step = min(inner, key=lambda step: abs(step - share * steps))
        kept[int(step)] = min(keep, kept.get(int(step), keep))
    rates, rungs = size.rates, tuple(sorted(kept.items()))
    while rates > 1 and scout_cost(rates, rungs, steps) > max(1.0, settings.scout_share * budget):
        rates -= 1
    return Scout(rates, rungs)


def scout_cost(rates: int, rungs: Sequence[tuple[int, int]], steps: int) -> float:
    """Full-length runs that a scout costs at most.

    >>> scout_cost(10, [(10, 4), (50, 2)], 100)
    3.6
    """
    paid, lanes, last = 0, rates, 0
    for step, keep in rungs:
        paid += lanes * (step - last)
        lanes, last = min(lanes, keep), step
    return (paid + lanes * (steps - last)) / steps


def rung_record(step: int, kept: np.ndarray, most: int, affordable: int) -> dict[str, int]:
    """What was decided at a rung, for the answer's details: `kept` bool[n]."""
    record = {"step": step, "lanes": len(kept), "kept": int(kept.sum()), "most": most}
    return record if affordable == most else {**record, "cut_for_time_to": affordable}


def survivors(
    scores: Scores, step: int, keep: int, settings: SearchSettings = DEFAULTS
) -> np.ndarray:
    """The lanes that continue after a rung, bool[n], at most `keep`: the leader and its neighbors,
    in one run of rates, first those that may still overtake it.

    A lane's hope is its metric at the end if it continues to fall with the logarithm of time as it
    did of late; slow learners whose hope is below the leader's metric today are not cut for being
    slow. Larger rates than the leader's get the benefit of a tie: annealing has not come to them
    yet. Where the rate makes no difference so far, lanes from end to end continue.
    """
    row = int(np.searchsorted(scores.eval_steps, step))
    now = standing(scores, row)
    alive = ~np.isin(scores.outcome, (DIVERGED, PRUNED))
    if not np.isfinite(now[alive]).any():
        return alive  # none can be judged yet: they will recover or diverge
    alive &= np.isfinite(now)
    if alive.sum() <= keep:
        return alive
    order = np.argsort(scores.lr, kind="stable")
    order = order[alive[order]]
    now, hope = now[order], hopes(scores, row)[order]
    kept = np.zeros(len(alive), bool)
    start = scores.initial_losses[np.isfinite(scores.initial_losses)]
    # Where the start is not known, what the rates differ by stands for what is gained.
    gain = abs(float(start.mean() - now.min())) if start.size else float(np.ptp(now))
    if len(order) > 2 and np.ptp(now) <= settings.verdict.flat * gain:
        kept[order[np.linspace(0, len(order) - 1, keep).round().astype(int)]] = True
        return kept
    now, hope = np.split(coarse(np.concatenate([now, hope]), gain), 2)
    explorers = settings.explorers if keep >= settings.explored_from else 0
    low, high = _around(now, hope, keep - explorers)
    above = order[high + 1 :]
    if explorers and len(above) > explorers:
        kept[above[_middles(scores, order[high], above, explorers)]] = True
    else:
        low, high = _around(now, hope, keep)
    kept[order[low : high + 1]] = True
    return kept


def _middles(scores: Scores, last: int, above: np.ndarray, count: int) -> np.ndarray:
    """Which `count` of the lanes `above` the lane `last` (int[m], by rate) stand in the middle of
    the larger rates, those included that earlier rungs cut: who explores there continues. Of two
    that are as near the larger one."""
    larger = np.sort(scores.lr[(scores.lr > scores.lr[last]) & (scores.outcome != DIVERGED)])
    wanted = np.log(larger[(len(larger) * (2 * np.arange(count) + 1)) // (2 * count)])
    apart = np.abs(np.log(scores.lr[above])[:, None] - wanted).round(9)
    return len(above) - 1 - apart[::-1].argmin(0)


def _around(now: np.ndarray, hope: np.ndarray, keep: int) -> tuple[int, int]:
    """The first and the last of `keep` neighbors around the leader."""
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
    return low, high


def standing(scores: Scores, row: int) -> np.ndarray:
    """The loss of each lane at evaluation `row`, but no better than its mean over the second half
    of the evaluations so far; f64[n].

    A loss that jumps about, as beyond a cliff, is low at one evaluation or the other by chance.
    Where the best evaluation counts, one low one is enough: then the best so far stands.
    """
    if scores.score == BEST:
        return scores.losses[row]
    losses = scores.losses[: row + 1]
    late = losses[np.asarray(scores.eval_steps)[: row + 1] >= scores.eval_steps[row] / 2]
    with warnings.catch_warnings():  # evaluations without a value say nothing
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        mean = np.nanmean(np.where(np.isfinite(late), late, np.nan), 0)
    return np.maximum(losses[row], mean)


def hopes(scores: Scores, row: int) -> np.ndarray:
    """The loss each lane would end with if it continued as between half of the time at evaluation
    `row` and then, linearly in the logarithm of time; never worse than it is; f64[n]."""
    step, losses = int(scores.eval_steps[row]), scores.losses
    back = int(np.searchsorted(scores.eval_steps, step / 2))
    if back < row:
        before, past = losses[back], int(scores.eval_steps[back])
        halvings = np.log(scores.steps / step) / np.log(step / past)
    else:
        before, halvings = scores.initial_losses, np.log2(scores.steps / step)
    with np.errstate(invalid="ignore", over="ignore"):  # losses of 1e300 and more
        gain = np.nan_to_num(np.maximum(before - losses[row], 0.0))
        return losses[row] - gain * halvings
