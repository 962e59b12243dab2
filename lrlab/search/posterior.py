"""What trained lanes say about every learning rate: regret with its uncertainty, pick, interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.records import PRUNED
from lrlab.search import cliff, gaussian_process, seed_effects
from lrlab.search.gaussian_process import Observations, saturated, unsaturated
from lrlab.search.scores import Scores, Table, as_loss, table
from lrlab.search.settings import DEFAULTS, PosteriorSettings

BAND = (0.05, 0.95)
"""The quantiles of possible curves between which a band is drawn."""

WELL_KNOWN = 5
"""Seeds with which a rate's mean says more of where the curve lies than its neighbors do."""


class Posterior(NamedTuple):
    """`lr` f64[G] ascending; `curves` f64[N, G] possible curves of the mean score as saturated
    regret (share of the gap); `mean` f64[G] their mean in the metric's units, to be minimized, and
    `band` the ends, f64[G] each, between which 90 % of them lie; `safe` bool[G]: among rates that
    trained, with no failure between; `stable` bool[G]: the same where only lanes that exploded are
    failures; `eligible` bool[G]: a pick may stand there, as the nearest rate that was trained has
    at least half the seeds of any within `settings.replication` of it, lies below any failure as
    such rates do, and gained something; `cap` of the saturation; `spread` between seeds as a share
    of the gap, `noise` the same in the metric's units, 0 where it is not `measured`: no good rate
    had two seeds."""

    lr: np.ndarray
    curves: np.ndarray
    mean: np.ndarray
    safe: np.ndarray
    eligible: np.ndarray
    cap: float
    spread: float
    noise: float
    measured: bool = True
    settings: PosteriorSettings = DEFAULTS.posterior
    band: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0))
    stable: np.ndarray = np.empty(0, bool)

    @property
    def regret(self) -> np.ndarray:
        """How much worse each possible curve is at each rate than at its best, f64[N, G]."""
        return self.curves - self.curves.min(1, keepdims=True)

    @property
    def expected_regret(self) -> np.ndarray:
        """Of each rate, f64[G]."""
        return self.regret.mean(0)

    @property
    def equivalence(self) -> float:
        """The difference between two rates, as a share of the gap, that a few lanes do not tell."""
        return float(np.clip(self.spread, *self.settings.equivalence))

    def probability(self, place: int, tolerance: float) -> float:
        """The probability that the regret at a grid place is at most `tolerance` (share of the
        gap): that of the possible curves, and never 0 or 1, as they are finitely many."""
        limit = saturated(np.array(tolerance), self.cap)
        within = int((self.regret[:, place] <= limit).sum())
        return (within + 0.5) / (len(self.curves) + 1)

    def resolved(self, place: int, confidence: float) -> float:
        """What the regret at a grid place (share of the gap) is at most, in so large a share of the
        possible curves."""
        most = np.quantile(self.regret[:, place], confidence, method="inverted_cdf")
        return float(unsaturated(most, self.cap))


def posterior_of(
    parts: Sequence[Scores], *, seed: int = 0, settings: PosteriorSettings = DEFAULTS.posterior
) -> Posterior:
    """What the lanes of some training calls leave possible.

    Lanes that a rung cut short count as clues: their regret at that rung, with an error of
    `settings.clue` (of larger rates than the leader's `clue_above`) times the cap. At least one
    lane must have been trained to the end, with some gain. `seed` of the drawing.
    """
    whole = table(parts)
    best, gap, noise, spread, cap = scales_of(whole, settings)
    lanes = _observations(parts, whole, best, gap, cap, settings)
    low, high = np.log10(whole.lr[0]), np.log10(whole.lr[-1])
    grid = np.linspace(low, high, max(2, int((high - low) * settings.grid_per_decade) + 2))
    grid = np.unique(np.concatenate([grid, np.log10(whole.lr)]).round(9))
    curves = gaussian_process.draw_curves(
        lanes, cap, spread, grid, seed=seed, priors=settings.priors
    )
    shift = _level(lanes, curves.mean(0), grid, cap)
    of_metric = lambda shares: best + gap * unsaturated(shares + shift, cap)  # noqa: E731
    mean, ends = of_metric(curves.mean(0)), np.quantile(curves, BAND, axis=0)
    random = np.random.default_rng(seed)
    share = cliff.diverging(whole, grid, len(curves), random, settings.cliff)
    curves = cliff.with_divergence(curves, share, cap)
    expected = (curves - curves.min(1, keepdims=True)).mean(0)
    middle = float(grid[int(np.argmin(np.where(_steady(whole, grid), expected, np.inf)))])
    failed = max(settings.failed, settings.failed_spreads * spread)
    safe = _safe(whole, lanes, saturated(np.array(failed), cap), grid, middle)
    stable = _safe(whole, lanes, np.array(np.inf), grid, middle)
    replicated = _replicated(whole, grid, settings.replication)
    replicated &= grid <= _ceiling(whole, replicated, grid, middle)
    gained = replicated & _gained(whole, grid)
    lr = 10**grid
    lr[np.searchsorted(grid, np.log10(whole.lr).round(9))] = whole.lr  # to the last digit
    return Posterior(
        lr, curves, mean, safe, gained if gained.any() else replicated, cap, spread, noise or 0.0,
        noise is not None, settings, (of_metric(ends[0]), of_metric(ends[1])), stable,
    )  # fmt: skip


class Scales(NamedTuple):
    """The units of a table: its `best` mean score and the `gap` to it from before training, in the
    metric's units; `noise` between seeds likewise, None where no good rate had two; `spread`, what
    stands for it as a share of the gap; `cap` of the saturation."""

    best: float
    gap: float
    noise: float | None
    spread: float
    cap: float


def scales_of(whole: Table, settings: PosteriorSettings = DEFAULTS.posterior) -> Scales:
    """The units of a table of which a lane was trained to the end."""
    level = seed_effects.mean_scores(whole)
    gap = seed_effects.mean_initial(whole) - float(np.nanmin(level))
    if not gap > 0:  # unknown start: the spread of what was seen stands in
        gap = max(float(np.nanmax(level) - np.nanmin(level)), 1e-300)
    noise = seed_effects.noise_of(whole)
    least, most = settings.spread_limits
    if noise is not None:
        spread = max(least, noise / gap)
    else:  # that of a worse rate says more than a guess, where it is larger
        other = seed_effects.noise_of(whole, everywhere=True) or 0.0
        spread = max(settings.unknown_spread, other / gap)
    spread = min(spread, most)
    cap = max(settings.cap, settings.cap_per_spread * spread)
    return Scales(float(np.nanmin(level)), gap, noise, spread, cap)


def _observations(
    parts: Sequence[Scores],
    whole: Table,
    best: float,
    gap: float,
    cap: float,
    settings: PosteriorSettings,
) -> Observations:
    """Full-length lanes, and those that a rung cut. Lanes that exploded are left out where others
    did not: how often that happens is estimated apart (`lrlab.search.cliff`), and a curve that
    bends up to the cap for them would count it twice."""
    there = np.isfinite(whole.score)
    survived = there & ~seed_effects.exploded(whole)
    row, column = np.nonzero(survived if survived.any() else there)
    regret = saturated((whole.score[row, column] - best) / gap, cap)
    lanes = Observations(np.log10(whole.lr[row]), column, regret, np.zeros(len(row)))
    if len(row) > settings.max_lanes:
        lanes = _joined(lanes, cap, settings.max_lanes)
    cut = clues(parts, cap, settings.clue, settings.clue_above)
    cut = cut._replace(x=np.log10(cut.x))
    return Observations(*(np.concatenate(pair) for pair in zip(lanes, cut, strict=True)))


def _level(lanes: Observations, mean: np.ndarray, grid: np.ndarray, cap: float) -> float:
    """How far the lanes of good rates lie above the mean of the possible curves, on average over
    the rates with `WELL_KNOWN` seeds, or else at least half the seeds of the one with most. The
    curves stand near the best score that was seen, a lucky one where seeds differ: regret, a
    difference, does not depend on that, the score of a rate does."""
    good = (lanes.extra == 0) & (lanes.y < cap / 2)
    if not good.any():
        return 0.0
    x, place, count = np.unique(lanes.x[good], return_inverse=True, return_counts=True)
    above = lanes.y[good] - np.interp(x, grid, mean)[place]
    enough = WELL_KNOWN if count.max() >= WELL_KNOWN else count.max() / 2
    return float(above[count[place] >= enough].mean())


def clues(parts: Sequence[Scores], cap: float, error: float, above: float) -> Observations:
    """Lanes that were cut: how far behind the leader they were then, as one further seed: what that
    has of its own says nothing about any one of them. `x` is their `lr` as it stands. Their error
    is `error`, or `above` for rates larger than the leader's: as the schedule falls they gain most.
    """
    x, y, errors = [], [], []
    for part in parts:
        losses = part.losses
        start = part.initial[np.isfinite(part.initial)]
        if not start.size:
            continue
        for lane in np.flatnonzero(part.outcome == PRUNED):
            reached = np.flatnonzero(np.isfinite(losses[:, lane]))
            if not reached.size:
                continue
            row = losses[reached[-1]]
            best = row[np.isfinite(row)].min()
            gap = max(as_loss(start.mean(), part.direction) - best, 1e-300)
            x.append(part.lr[lane])
            y.append(min((row[lane] - best) / gap, 1.0))
            leader = part.lr[int(np.nanargmin(np.where(np.isfinite(row), row, np.nan)))]
            errors.append(above if part.lr[lane] > leader else error)
    behind = saturated(np.array(y, np.float64), cap)
    own = np.full(len(x), -1)
    return Observations(np.array(x, np.float64), own, behind, (np.array(errors) * cap) ** 2)


def _joined(lanes: Observations, cap: float, most: int) -> Observations:
    """One lane per rate, the mean over its seeds; of rates far from the best (at 0.9 of the cap)
    only the nearest three."""
    x, place = np.unique(lanes.x, return_inverse=True)
    y = np.bincount(place, lanes.y) / np.bincount(place)
    near = np.flatnonzero(y < 0.9 * cap)
    low, high = (near[0], near[-1]) if near.size else (0, len(x) - 1)
    keep = slice(max(0, low - 3), high + 4)
    keep = slice(keep.start, keep.stop, max(1, -(-len(x[keep]) // most)))
    own = np.arange(len(x[keep]))
    return Observations(x[keep], own, y[keep], np.zeros(len(own)))


def _replicated(whole: Table, grid: np.ndarray, around: float) -> np.ndarray:
    """Grid places whose nearest rate (in log, of those trained to the end) has at least half the
    seeds of any within `around` decades of it, bool[G]."""
    usable = seed_effects.usable(whole)
    tried = np.log10(whole.lr[usable])
    seeds = np.isfinite(whole.score[usable]).sum(1)
    close = np.abs(tried[:, None] - tried) <= around
    enough = seeds >= np.where(close, seeds, 0).max(1) / 2
    return enough[np.abs(grid[:, None] - tried).argmin(1)]


def _gained(whole: Table, grid: np.ndarray) -> np.ndarray:
    """Grid places whose nearest rate (in log, of those trained to the end) came out below the
    metric before training, on average over its seeds, bool[G]. Where noise hides everything the fit
    may be the least where nothing trains."""
    usable = seed_effects.usable(whole)
    gain = (whole.initial - whole.score)[usable]
    seen = np.isfinite(gain)
    mean = np.where(seen, gain, 0).sum(1) / np.maximum(seen.sum(1), 1)
    gained = ~seen.any(1) | (mean > whole.rounding)  # unknown, where none was measured before
    return gained[np.abs(grid[:, None] - np.log10(whole.lr[usable])).argmin(1)]


def _steady(whole: Table, grid: np.ndarray) -> np.ndarray:
    """Grid places whose nearest rate (in log, of all that were tried) exploded for no seed,
    bool[G]; all, where every rate did for some. Lanes that survived such a rate may have the best
    scores of all, and be lucky."""
    broken = np.asarray(seed_effects.exploded(whole).any(1))
    nearest = np.abs(grid[:, None] - np.log10(whole.lr)).argmin(1)
    return np.ones(len(grid), bool) if broken.all() else ~broken[nearest]


def _ceiling(whole: Table, replicated: np.ndarray, grid: np.ndarray, best: float) -> float:
    """Where some rate above `best` (log10) exploded: the largest rate below it that was trained
    with several seeds. Between that and the failure a lane survives by luck; inf without one."""
    broken = np.log10(whole.lr[seed_effects.exploded(whole).any(1)])
    if not (broken > best).any():
        return np.inf
    tried = np.log10(whole.lr[seed_effects.usable(whole)])
    below = tried[tried < broken[broken > best].min()]
    several = below[replicated[np.abs(grid[:, None] - below).argmin(0)]]
    return float(several.max()) + 1e-9 if several.size else np.inf


def _safe(
    whole: Table, lanes: Observations, limit: np.ndarray, grid: np.ndarray, best: float
) -> np.ndarray:
    """Grid places up to the largest rate below any failure; on the other side, where rates are too
    small and losses rise slowly, up to the middle (in log) between the smallest that trained and
    the failure: bool[G]. `best` (log10) is where the least regret is expected: a single lucky
    lane beyond a cliff does not move the region there. Below it, slow lanes that a rung cut do not
    count."""
    broken = seed_effects.exploded(whole).any(1)
    bad = np.concatenate([lanes.x[lanes.y >= limit], np.log10(whole.lr[broken])])
    slow = lanes.x[(lanes.y >= limit) & (lanes.extra > 0)]
    good = np.setdiff1d(lanes.x[lanes.extra == 0], bad)
    below = np.setdiff1d(bad[bad < best], slow)
    above = bad[bad > best]
    safe = np.ones(len(grid), bool)
    if above.size:
        inside = good[(good >= best) & (good < above.min())]
        last = inside.max() if inside.size else best
        safe &= grid <= last + 1e-9
    if below.size:
        inside = good[(good <= best) & (good > below.max())]
        last = inside.min() if inside.size else best
        safe &= grid >= (last + below.max()) / 2
    return safe


def decades(x: np.ndarray) -> np.ndarray:
    """What each place of a grid stands for, f64[G]."""
    return np.gradient(x) if len(x) > 1 else np.ones(len(x))


def contenders(posterior: Posterior, count: int) -> np.ndarray:
    """Log10 of `count` rates spread evenly over those that may be among the best, f64[count]."""
    x = np.log10(posterior.lr)
    weight = (posterior.regret <= posterior.equivalence).mean(0) * decades(x)
    share = np.cumsum(weight) / weight.sum()
    return np.interp((np.arange(count) + 0.5) / count, share, x)
