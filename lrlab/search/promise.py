"""What an answer promises: a learning rate, an interval, and how sure both are.

The regret of a rate is what it costs: its mean score minus the best, as a share of what training
gains. A rate is good enough where its regret is at most the tolerance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.search.gaussian_process import saturated
from lrlab.search.likeliest import chances
from lrlab.search.posterior import Posterior, decades

COARSER = 1.1
"""By how much a tolerance grows where no interval is probable enough at a smaller one: as finely as
it is printed."""


class Promise(NamedTuple):
    """Grid places of the learning rate and of the ends of its interval; `confidence`: probability
    that the pick's regret is within the tolerance; `resolved`: the smallest tolerance (share of the
    gap) within which it is at the confidence that was asked for. The interval is for the larger of
    tolerance and `resolved`; `right`: the probability that it is right (`lrlab.search.likeliest`).
    """

    pick: int
    low: int
    high: int
    confidence: float
    resolved: float
    right: float


def promise_of(posterior: Posterior, tolerance: float, goal: float) -> Promise:
    """The pick and its interval, from the curves that are possible.

    The pick is the middle of the rates around the least expected regret that cost at most the
    tolerance (or what is resolved, where that is larger) by the mean of the curves, as near as the
    expected regret allows: far from what is bad on either side. The interval around it is the one
    that is most probably right, as far as no lane failed nearby.

    Args:
        tolerance: share of the gap.
        goal: the probability for `resolved`.
    """
    expected, x = posterior.expected_regret, np.log10(posterior.lr)
    sound = posterior.eligible & posterior.safe
    best = int(np.argmin(np.where(sound if sound.any() else posterior.eligible, expected, np.inf)))
    low, high = _within(posterior, best, max(tolerance, posterior.resolved(best, goal)))
    inner = np.arange(low, high + 1)
    cheap = expected[inner] <= expected[best] + posterior.settings.slack * tolerance
    inner = inner[cheap & posterior.eligible[inner]]
    pick = int(inner[np.argmin(np.abs(x[inner] - (x[low] + x[high]) / 2))])
    resolved = posterior.resolved(pick, goal)
    low, high, right = interval_of(posterior, pick, max(tolerance, resolved))
    return Promise(pick, low, high, posterior.probability(pick, tolerance), resolved, right)


def stated_promise(
    posterior: Posterior, promise: Promise, tolerance: float, wanted: float, coarsest: float
) -> Promise:
    """The promise as an answer states it: of the smallest level (in steps of `COARSER`), from the
    tolerance or what is resolved on, at which the interval is right with the probability `wanted`;
    of the one most probably right, where there is none. Where lanes that failed nearby leave none,
    they are taken for unlucky ones, unless they exploded.

    Args:
        coarsest: the largest level, in units of the smallest.
    """
    stated, least = promise, max(tolerance, promise.resolved)
    for reach in (posterior.safe, *([posterior.stable] if posterior.stable.size else [])):
        level = least
        while level * COARSER <= coarsest * least and stated.right < wanted:
            level *= COARSER
            low, high, right = interval_of(posterior, promise.pick, level, reach)
            if right > stated.right:
                stated = promise._replace(low=low, high=high, right=right, resolved=level)
    return stated


def interval_of(
    posterior: Posterior, pick: int, level: float, within: np.ndarray | None = None
) -> tuple[int, int, float]:
    """The ends of the interval around a pick that is most probably right, and that probability.

    Where several are as probable, the one in the middle of them.

    Args:
        level: what its rates cost at most, share of the gap.
        within: bool[G], the places that it may hold; None for the safe ones.
    """
    settings = posterior.settings
    sound = (posterior.safe if within is None else within).copy()
    sound[pick] = True
    reach = run_around(sound, pick)
    limits = saturated(np.array([level, settings.worst * level]), posterior.cap)
    right = chances(
        posterior.regret, decades(np.log10(posterior.lr)), pick, reach,
        (float(limits[0]), float(limits[1])), settings.held, settings.least_good,
    )  # fmt: skip
    low, high = np.nonzero(right >= right.max() - 1e-9)
    middle = np.abs(low - np.median(low)) + np.abs(high - np.median(high))
    place = int(np.argmin(middle))
    return reach[0] + int(low[place]), pick + int(high[place]), float(right.max())


def _within(posterior: Posterior, place: int, level: float) -> tuple[int, int]:
    """The ends of the run of rates around `place` that cost at most `level` by the mean of the
    possible curves."""
    mean = posterior.curves.mean(0)
    limit = saturated(np.array(posterior.settings.ends * level), posterior.cap)
    good = (mean - mean.min() <= limit) & posterior.safe
    good[place] = True
    return run_around(good, place)


def run_around(good: np.ndarray, place: int) -> tuple[int, int]:
    """The ends of the run of True that holds `place`.

    >>> run_around(np.array([True, False, True, True]), 3)
    (2, 3)
    """
    low = high = place
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(good) - 1 and good[high + 1]:
        high += 1
    return low, high
