"""What trained lanes say about every learning rate: regret with its uncertainty, pick, interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.search import fit, surrogate
from lrlab.search.scores import Scores, Table, outcomes, sign_of, table

CAP = 0.1
"""Regret, as a share of what training gains, beyond which rates are all alike: bad."""

ALIKE = (0.003, 0.02)
"""Two rates are as good as each other where they differ by less than one seed does from the next,
but never by less or more than these shares of what training gains."""

FAILED = 0.5
"""A lane that lost this share of the gap failed: no rate of the interval is nearer to its rate than
to one that did not."""

DOUBT = 0.1
"""A rate stays in the interval while this share of the possible curves has it as good as the
pick."""

SAFE = 0.04
"""Regret that nine of ten possible curves keep to within the interval."""

UNKNOWN_SPREAD = 0.01
"""The spread between seeds, as a share of the gap, where each rate had one seed only."""

LEAST_SPREAD = 0.003

PER_DECADE = 20

MANY = 240
"""Lanes beyond which rates with the same seeds are joined, and far ones left out."""


class Belief(NamedTuple):
    """`lr` f64[G] ascending; `paths` f64[N, G] possible curves of the mean score as saturated
    regret (share of the gap); `mean` f64[G] their mean in the metric's units, to be minimized;
    `cap` of the saturation; `safe` bool[G]: nearer to rates that trained than to any at which a
    lane failed; `spread` between seeds as a share of the gap, `noise` the same in the metric's
    units."""

    lr: np.ndarray
    paths: np.ndarray
    mean: np.ndarray
    safe: np.ndarray
    cap: float
    spread: float
    noise: float

    @property
    def regret(self) -> np.ndarray:
        """How much worse each possible curve is at each rate than at its best, f64[N, G]."""
        return self.paths - self.paths.min(1, keepdims=True)

    @property
    def expected(self) -> np.ndarray:
        """The expected regret of each rate, f64[G]."""
        return self.regret.mean(0)

    @property
    def alike(self) -> float:
        """The difference between two rates, as a share of the gap, that does not matter."""
        return float(np.clip(self.spread, *ALIKE))


def believe(parts: Sequence[Scores], *, seed: int = 0) -> Belief:
    """What the lanes of some training calls leave possible.

    Lanes that a rung cut short count as clues: their regret at that rung, with an error as large as
    half the cap. At least one lane must have been trained to the end, with some gain.
    """
    whole = table(parts)
    level = fit.mean_scores(whole)
    gap = fit.start(whole) - float(np.nanmin(level))
    if not gap > 0:  # unknown start: the spread of what was seen stands in
        gap = max(float(np.nanmax(level) - np.nanmin(level)), 1e-300)
    noise = fit.noise_of(whole)
    spread = max(LEAST_SPREAD, noise / gap) if noise > 0 else UNKNOWN_SPREAD
    cap = max(CAP, 4 * spread)
    row, column = np.nonzero(np.isfinite(whole.score))
    regret = (whole.score[row, column] - np.nanmin(level)) / gap
    known = surrogate.Lanes(
        np.log10(whole.lr[row]),
        column,
        surrogate.saturated(regret, cap),
        np.zeros(len(row)),
    )
    lanes = _joined(known, cap) if len(row) > MANY else known
    cut = _clues(parts, cap)
    lanes = surrogate.Lanes(*(np.concatenate(pair) for pair in zip(lanes, cut, strict=True)))
    low, high = np.log10(whole.lr[0]), np.log10(whole.lr[-1])
    grid = np.linspace(low, high, max(2, int((high - low) * PER_DECADE) + 2))
    grid = np.unique(np.concatenate([grid, np.log10(whole.lr)]).round(9))
    paths = surrogate.draw(lanes, cap, spread, grid, seed=seed)
    mean = float(np.nanmin(level)) + gap * surrogate.unsaturated(paths.mean(0), cap)
    safe = _safe(whole, lanes, surrogate.saturated(np.array(FAILED), cap), grid)
    return Belief(10**grid, paths, mean, safe, cap, spread, noise)


def _safe(whole: Table, lanes: surrogate.Lanes, limit: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Grid places nearer (in log) to the largest rate below any failure than to the failure, and so
    on the other side: bool[G]. Below the best, slow lanes that a rung cut do not count."""
    best = lanes.x[int(np.argmin(lanes.y + np.where(lanes.extra > 0, np.inf, 0)))]
    ran = whole.diverged & (whole.steps_trained > 0)
    bad = np.concatenate([lanes.x[lanes.y >= limit], np.log10(whole.lr[ran.any(1)])])
    slow = np.concatenate([lanes.x[(lanes.y >= limit) & (lanes.extra > 0)]])
    good = np.setdiff1d(lanes.x[lanes.extra == 0], bad)
    below = np.setdiff1d(bad[bad < best], slow)
    above = bad[bad > best]
    safe = np.ones(len(grid), bool)
    if above.size:
        inside = good[(good >= best) & (good < above.min())]
        last = inside.max() if inside.size else best
        safe &= grid <= (last + above.min()) / 2
    if below.size:
        inside = good[(good <= best) & (good > below.max())]
        last = inside.min() if inside.size else best
        safe &= grid >= (last + below.max()) / 2
    return safe


def _clues(parts: Sequence[Scores], cap: float) -> surrogate.Lanes:
    """Lanes that were cut: how far behind the leader they were then, each as a seed of its own."""
    x, y = [], []
    for part in parts:
        values = np.asarray(part.metric, np.float64) * sign_of(part.direction)
        start = part.initial[np.isfinite(part.initial)]
        if not start.size:
            continue
        for lane in np.flatnonzero(outcomes(part) == "pruned"):
            reached = np.flatnonzero(np.isfinite(values[:, lane]))
            if not reached.size:
                continue
            row = values[reached[-1]]
            best = row[np.isfinite(row)].min()
            gap = max(start.mean() * sign_of(part.direction) - best, 1e-300)
            x.append(np.log10(part.lr[lane]))
            y.append(min((row[lane] - best) / gap, 1.0))
    behind = surrogate.saturated(np.array(y, np.float64), cap)
    own = -1 - np.arange(len(x))
    return surrogate.Lanes(np.array(x), own, behind, np.full(len(x), (0.5 * cap) ** 2))


def _joined(lanes: surrogate.Lanes, cap: float) -> surrogate.Lanes:
    """One lane per rate, the mean over its seeds; of rates far from the best only the nearest."""
    x, place = np.unique(lanes.x, return_inverse=True)
    counts = np.bincount(place)
    y = np.bincount(place, lanes.y) / counts
    near = np.flatnonzero(y < 0.9 * cap)
    low, high = (near[0], near[-1]) if near.size else (0, len(x) - 1)
    keep = slice(max(0, low - 3), high + 4)
    thin = max(1, -(-len(x[keep]) // MANY))
    keep = slice(keep.start, keep.stop, thin)
    own = np.arange(len(x[keep]))
    return surrogate.Lanes(x[keep], own, y[keep], np.zeros(len(own)))


def choose(belief: Belief) -> tuple[int, int, int]:
    """Grid places of (pick, low, high): the learning rate and the ends of its interval.

    The interval is the run of rates around the least expected regret that are as good as it, within
    what does not matter, in at least `DOUBT` of the possible curves, and whose regret stays within
    `SAFE` in nine of ten. The pick is its middle (far from what is bad on either side), as near as
    the expected regret allows.
    """
    expected, regret = belief.expected, belief.regret
    best = int(np.argmin(expected))
    alike = belief.alike
    behind = belief.paths - belief.paths[:, [best]]
    good = np.quantile(behind, DOUBT, axis=0) <= alike
    worst = np.quantile(regret, 0.9, axis=0)
    good &= belief.safe & (worst <= np.maximum(SAFE, worst[best] + alike))
    good[best] = True
    low, high = run_around(good, best)
    x = np.log10(belief.lr)
    inner = low + np.flatnonzero(expected[low : high + 1] <= expected[best] + alike / 4)
    pick = int(inner[np.argmin(np.abs(x[inner] - (x[low] + x[high]) / 2))])
    return pick, low, high


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


def contenders(belief: Belief, count: int) -> np.ndarray:
    """Log10 of `count` rates spread evenly over those that may be among the best, f64[count]."""
    x = np.log10(belief.lr)
    weight = (belief.regret <= belief.alike).mean(0) * np.gradient(x)
    share = np.cumsum(weight) / weight.sum()
    return np.interp((np.arange(count) + 0.5) / count, share, x)
