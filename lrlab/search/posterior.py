"""What trained lanes say about every learning rate: regret with its uncertainty, pick, interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.search import gaussian_process, seed_effects
from lrlab.search.scores import Scores, Table, outcomes, sign_of, table

CAP = 0.2
"""Regret, as a share of what training gains, beyond which rates are all alike: bad. Wide enough
that one lucky lane leaves the rates of the valley better than those that train nothing."""

ALIKE = (0.005, 0.02)
"""Two rates are as good as each other where they differ by less than one seed does from the next,
but never by less or more than these shares of what training gains."""

FAILED = 0.5
"""A lane that lost this share of the gap failed: no rate of the interval is nearer to its rate than
to one that did not."""

MOST = 0.05
"""The regret (share of the gap) that no rate of the interval should have."""

NARROWEST = 0.12
"""Decades on either side of the pick that an interval holds where that is safe: what so few lanes
say about rates closer to each other than that is chance."""

AROUND = 0.3
"""Decades within which a pick needs at least half the seeds of any rate that was tried: one lucky
seed does not beat a rate that held with several."""

CLUE = 0.3
"""The error of what a lane says that a rung cut, in units of the cap: curves cross, but seldom from
far behind."""

UNKNOWN_SPREAD = 0.01
"""The spread between seeds, as a share of the gap, where each rate had one seed only."""

LEAST_SPREAD = 0.003

MOST_SPREAD = 1e6
"""Seeds that differ by this many gaps tell nothing about rates; a larger number would overflow."""

PER_DECADE = 20

MANY = 240
"""Lanes beyond which rates with the same seeds are joined, and far ones left out."""


class Belief(NamedTuple):
    """`lr` f64[G] ascending; `paths` f64[N, G] possible curves of the mean score as saturated
    regret (share of the gap); `mean` f64[G] their mean in the metric's units, to be minimized;
    `cap` of the saturation; `safe` bool[G]: nearer to rates that trained than to any at which a
    lane failed; `held` bool[G]: the nearest rate that was tried has at least half the seeds of any
    within `AROUND` of it; `spread` between seeds as a share of the gap, `noise` the same in the
    metric's units, 0 where it is not `measured`: no good rate had two seeds."""

    lr: np.ndarray
    paths: np.ndarray
    mean: np.ndarray
    safe: np.ndarray
    held: np.ndarray
    cap: float
    spread: float
    noise: float
    measured: bool = True

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

    Lanes that a rung cut short count as clues: their regret at that rung, with an error of `CLUE`
    times the cap. At least one lane must have been trained to the end, with some gain.
    """
    whole = table(parts)
    level = seed_effects.mean_scores(whole)
    gap = seed_effects.start(whole) - float(np.nanmin(level))
    if not gap > 0:  # unknown start: the spread of what was seen stands in
        gap = max(float(np.nanmax(level) - np.nanmin(level)), 1e-300)
    noise = seed_effects.noise_of(whole)
    spread = UNKNOWN_SPREAD if noise is None else min(max(LEAST_SPREAD, noise / gap), MOST_SPREAD)
    cap = max(CAP, 4 * spread)
    row, column = np.nonzero(np.isfinite(whole.score))
    regret = (whole.score[row, column] - np.nanmin(level)) / gap
    known = gaussian_process.Lanes(
        np.log10(whole.lr[row]), column, gaussian_process.saturated(regret, cap), np.zeros(len(row))
    )
    lanes = _joined(known, cap) if len(row) > MANY else known
    cut = _clues(parts, cap)
    lanes = gaussian_process.Lanes(*(np.concatenate(pair) for pair in zip(lanes, cut, strict=True)))
    low, high = np.log10(whole.lr[0]), np.log10(whole.lr[-1])
    grid = np.linspace(low, high, max(2, int((high - low) * PER_DECADE) + 2))
    grid = np.unique(np.concatenate([grid, np.log10(whole.lr)]).round(9))
    paths = gaussian_process.draw(lanes, cap, spread, grid, seed=seed)
    mean = float(np.nanmin(level)) + gap * gaussian_process.unsaturated(paths.mean(0), cap)
    best = float(grid[int(np.argmin((paths - paths.min(1, keepdims=True)).mean(0)))])
    safe = _safe(whole, lanes, gaussian_process.saturated(np.array(FAILED), cap), grid, best)
    held, measured = _held(whole, grid), noise is not None
    return Belief(10**grid, paths, mean, safe, held, cap, spread, noise or 0.0, measured)


def _held(whole: Table, grid: np.ndarray) -> np.ndarray:
    """Grid places whose nearest rate (in log, of those trained to the end) has at least half the
    seeds of any within `AROUND` of it, bool[G]."""
    usable = seed_effects.usable(whole)
    tried = np.log10(whole.lr[usable])
    seeds = np.isfinite(whole.score[usable]).sum(1)
    close = np.abs(tried[:, None] - tried) <= AROUND
    held = seeds >= np.where(close, seeds, 0).max(1) / 2
    return held[np.abs(grid[:, None] - tried).argmin(1)]


def _safe(
    whole: Table, lanes: gaussian_process.Lanes, limit: np.ndarray, grid: np.ndarray, best: float
) -> np.ndarray:
    """Grid places nearer (in log) to the largest rate below any failure than to the failure, and so
    on the other side: bool[G]. `best` (log10) is where the least regret is expected: a single lucky
    lane beyond a cliff does not move the region there. Below it, slow lanes that a rung cut do not
    count."""
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


def _clues(parts: Sequence[Scores], cap: float) -> gaussian_process.Lanes:
    """Lanes that were cut: how far behind the leader they were then, as one further seed: what that
    has of its own says nothing about any one of them."""
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
    behind = gaussian_process.saturated(np.array(y, np.float64), cap)
    own = np.full(len(x), -1)
    return gaussian_process.Lanes(np.array(x), own, behind, np.full(len(x), (CLUE * cap) ** 2))


def _joined(lanes: gaussian_process.Lanes, cap: float) -> gaussian_process.Lanes:
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
    return gaussian_process.Lanes(x[keep], own, y[keep], np.zeros(len(own)))


def choose(belief: Belief) -> tuple[int, int, int]:
    """Grid places of (pick, low, high): the learning rate and the ends of its interval.

    The interval around the least expected regret is the one that is most likely right in what it
    says (`_likeliest`), and at least `NARROWEST` wide on either side where regret stays small. The
    pick is its middle (far from what is bad on either side), as near as the expected regret allows.
    """
    expected, regret = belief.expected, belief.regret
    held = belief.held
    best = int(np.argmin(np.where(held, expected, np.inf)))
    low, high = _likeliest(belief, best)
    x = np.log10(belief.lr)
    inner = np.arange(low, high + 1)
    inner = inner[(expected[inner] <= expected[best] + belief.alike / 4) & held[inner]]
    pick = int(inner[np.argmin(np.abs(x[inner] - (x[low] + x[high]) / 2))])
    worst = np.quantile(regret, 0.9, axis=0)
    near = (np.abs(x - x[pick]) <= NARROWEST) & belief.safe
    near &= worst <= np.maximum(_limit(belief), worst[best] + belief.alike)
    near[low : high + 1] = True
    low, high = run_around(near, pick)
    return pick, low, high


def _limit(belief: Belief) -> float:
    return float(gaussian_process.saturated(np.array(MOST), belief.cap))


def _likeliest(belief: Belief, best: int) -> tuple[int, int]:
    """The interval around `best` that is most likely right, (low, high): in most possible curves it
    holds half (in log) of the rates that are alike, and none with a regret above `MOST`.

    Wider would hold more of the good, narrower less of the bad; neither level is chosen by hand. Of
    intervals that are right in as many curves, the narrowest.
    """
    x, regret = np.log10(belief.lr), belief.regret
    inside = belief.safe.copy()
    inside[best] = True
    first, last = run_around(inside, best)
    alike = (regret <= belief.alike) * _decades(x)
    half = alike.sum(1, keepdims=True) / 2
    bad = regret > _limit(belief)
    # Sums up to a place, so that those of every interval are differences.
    held, failed = (
        np.pad(np.cumsum(values[:, first : last + 1], 1), ((0, 0), (1, 0)))
        for values in (alike, bad)
    )
    ends = slice(best - first + 1, None)
    odds = np.zeros((best - first + 1, last - best + 1))
    for low in range(len(odds)):
        enough = held[:, ends] - held[:, [low]] >= half - 1e-12
        odds[low] = (enough & (failed[:, ends] == failed[:, [low]])).mean(0)
    width = x[best : last + 1] - x[first : best + 1, None]
    narrow = np.where(odds >= odds.max() - 1e-9, width, np.inf)
    low, high = np.unravel_index(int(np.argmin(narrow)), odds.shape)
    return first + int(low), best + int(high)


def _decades(x: np.ndarray) -> np.ndarray:
    """What each place of a grid stands for, f64[G]."""
    return np.gradient(x) if len(x) > 1 else np.ones(len(x))


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
    weight = (belief.regret <= belief.alike).mean(0) * _decades(x)
    share = np.cumsum(weight) / weight.sum()
    return np.interp((np.arange(count) + 0.5) / count, share, x)
