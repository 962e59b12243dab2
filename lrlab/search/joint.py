"""All combinations of further lane axes in one posterior: which is best, at which rate, how surely.

Every draw has a curve for each combination, from one Gaussian process over all lanes
(`lrlab.search.joint_process`): lanes of one seed are compared across combinations, and what
combinations have in common is learned once. The curves are those of lanes that survive; how many
diverge is drawn for each combination by itself, and costs the rest of the gain
(`lrlab.search.cliff`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.search import cliff, seed_effects
from lrlab.search.gaussian_process import Observations, saturated, unsaturated
from lrlab.search.joint_process import Lanes, Likeness, Places, draw_joint
from lrlab.search.posterior import BAND, Posterior, clues, posterior_of, scales_of
from lrlab.search.promise import Promise, interval_of, promise_of
from lrlab.search.scores import Scores, Table, table
from lrlab.search.settings import DEFAULTS, PosteriorSettings

APART = 100.0
"""Decades from one combination to the next where their lanes are in one table: more than rates
span."""

CUT_PER_DECADE = 8
"""Places of the grid for a combination that was cut at a rung: its curve is known roughly at
best."""

NEAR, FAR = 1.5, 4
"""Decades from the best rate of a combination within which its grid is fine; beyond, one place of
so many is kept: the cost of a draw is the cube of their number."""

MOST = 8
"""Combinations that are followed, those that came nearest to the best: the cost of a draw is the
cube of their number. The others are behind all of these."""

GUESSES = 6
"""Guesses of the best rates, by which combinations are alike. With one, as if these were known, 79
% of the intervals of 128 searches were right, with six 87 % and with twelve 85 %
(`experiments/finder_regret_axes.py`, 8 roots). The cost of a draw goes with their number."""

CHALLENGE = 0.02
"""Probability below which another combination is not trained further: that it beats the pick, or
that it is as good and this is not known yet."""


class Joint(NamedTuple):
    """`curves` f64[N, G]: in each draw the curves of all combinations side by side, saturated
    regret against one best; `owner` int[G] their combinations; `posteriors`: combination -> its
    part of the draws; `trained`: combinations of which a lane reached the end; `cap` of the
    saturation."""

    curves: np.ndarray
    owner: np.ndarray
    posteriors: Mapping[int, Posterior]
    trained: tuple[int, ...]
    cap: float

    @property
    def least(self) -> np.ndarray:
        """The best of all combinations in each draw, f64[N]."""
        return np.asarray(self.curves.min(1))

    @property
    def measured(self) -> bool:
        """Whether some good rate had two seeds, so that noise is known."""
        return next(iter(self.posteriors.values())).measured

    def best_of(self, combination: int) -> np.ndarray:
        """How much its best rate costs in each draw, saturated, f64[N]."""
        mine = self.curves[:, self.owner == combination]
        return np.asarray(mine.min(1) - self.least)

    def regret(self, combination: int, place: int) -> np.ndarray:
        """What a place of a combination's grid costs in each draw, saturated, f64[N]."""
        return np.asarray(self.posteriors[combination].curves[:, place] - self.least)

    def share(self, regret: np.ndarray, tolerance: float) -> float:
        """The probability that a regret f64[N] is within a tolerance (share of the gap); never 0 or
        1, as draws are finitely many."""
        within = int((regret <= saturated(np.array(tolerance), self.cap)).sum())
        return (within + 0.5) / (len(regret) + 1)

    def most(self, regret: np.ndarray, confidence: float) -> float:
        """What a regret f64[N] is at most (share of the gap) in so large a share of the draws."""
        quantile = np.quantile(regret, confidence, method="inverted_cdf")
        return float(unsaturated(quantile, self.cap))


class Choice(NamedTuple):
    """The combination to train with and what its rate promises, against all combinations."""

    combination: int
    promise: Promise


def side_by_side(scores: Scores, which: np.ndarray) -> Scores:
    """Lanes of several combinations int[n] on one axis: their `lr` is log10 of the rate, `APART`
    decades further for each combination."""
    return scores._replace(lr=np.log10(scores.lr) + APART * which)


def steps_between(combinations: Sequence[Sequence[float]], are_names: Sequence[bool]) -> np.ndarray:
    """Steps along the values of each axis between combinations, f64[K, K]; 1 between two names.

    >>> steps_between([(0.0,), (0.1,), (1.0,)], [False])[0].tolist()
    [0.0, 1.0, 2.0]
    >>> steps_between([(0.0,), (1.0,), (2.0,)], [True])[0].tolist()
    [0.0, 1.0, 1.0]
    """
    total = np.zeros((len(combinations), len(combinations)))
    for column, names in zip(np.array(combinations).T, are_names, strict=True):
        rank = np.searchsorted(np.unique(column), column)
        apart = np.abs(rank[:, None] - rank)
        total += np.minimum(apart, 1) if names else apart
    return total


def joint_of(
    calls: Sequence[Scores],
    parts: Sequence[Sequence[Scores]],
    *,
    trained: Sequence[int],
    steps: np.ndarray,
    seed: int = 0,
    settings: PosteriorSettings = DEFAULTS.posterior,
) -> Joint:
    """What all lanes leave possible.

    Args:
        calls: what was trained, `side_by_side`.
        parts: the same by combination.
        trained: combinations of which a lane reached the end with some gain; at least one.
        steps: f64[K, K] between combinations (`steps_between`).
        seed: of the drawing.
    """
    whole = table(calls)
    best, gap, noise, spread, cap = scales_of(whole, settings)
    row, column = np.nonzero(_said(whole, {k: table(parts[k]) for k in trained}))
    regret = saturated((whole.score[row, column] - best) / gap, cap)
    lanes = Observations(whole.lr[row], column, regret, np.zeros(len(row)))
    cut = clues(calls, cap, settings.clue, settings.clue)
    lanes = Observations(*(np.concatenate(pair) for pair in zip(lanes, cut, strict=True)))
    lanes, followed = _followed(Lanes(lanes, np.round(lanes.x / APART).astype(int)), settings)
    own = {
        k: _thinned(posterior_of(parts[k], seed=seed, settings=settings))
        for k in trained
        if k in followed
    }
    grids = {k: np.log10(own[k].lr) if k in own else _rough(parts[k]) for k in followed}
    guess, middles = np.random.default_rng([seed, 1]), np.zeros((GUESSES, len(parts)))
    for k in followed:
        seen = Observations(*(column[lanes.owner == k] for column in lanes.seen))
        middles[:, k] = _best(own[k], guess) if k in own else _leading(seen, guess)
    places = np.concatenate(list(grids.values()))
    owner = np.concatenate([np.full(len(x), k) for k, x in grids.items()])
    curves = draw_joint(
        lanes, Likeness(steps, middles), cap, spread, Places(places, owner), seed=seed,
        priors=settings.priors,
    )  # fmt: skip
    of_metric = lambda shares: best + gap * unsaturated(shares, cap)  # noqa: E731
    posteriors, random = {}, np.random.default_rng(seed)
    for k, x in grids.items():
        mine = curves[:, owner == k]
        mean, (low, high) = mine.mean(0), np.quantile(mine, BAND, axis=0)
        part = _unknown(x)
        if k in own:
            part = own[k]
            share = cliff.diverging(table(parts[k]), x, len(mine), random, settings.cliff)
            mine = cliff.with_divergence(mine, share, cap)
            curves[:, owner == k] = mine
        posteriors[k] = part._replace(
            curves=mine, mean=of_metric(mean), cap=cap, spread=spread, noise=noise or 0.0,
            measured=noise is not None, settings=settings, band=(of_metric(low), of_metric(high)),
        )  # fmt: skip
    return Joint(curves, owner, posteriors, tuple(own), cap)


def _said(whole: Table, trained: Mapping[int, Table]) -> np.ndarray:
    """The lanes, bool[L, S], that say something of a curve: all that have a score, but of the
    combinations that were trained to the end (`trained`, with their own tables) none that exploded.
    How often that happens is estimated apart (`lrlab.search.cliff`), and a curve that bends up to
    the cap would count it twice."""
    said, owner = np.isfinite(whole.score), np.round(whole.lr / APART).astype(int)
    for k, own in trained.items():
        lost = np.ix_(np.flatnonzero(owner == k), np.searchsorted(whole.seeds, own.seeds))
        said[lost] &= ~seed_effects.exploded(own)
    return np.asarray(said)


def choice_of(joint: Joint, tolerance: float, goal: float) -> Choice:
    """The combination whose best sound rate has the least expected regret, with its promise.

    The interval is for the rate at this combination, against the best rate there; `confidence` and
    `resolved` are against the best of all combinations.
    """
    chosen = min(joint.trained, key=lambda k: _expected(joint, k))
    return Choice(chosen, promised(joint, chosen, tolerance, goal))


def promised(joint: Joint, combination: int, tolerance: float, goal: float) -> Promise:
    """What the best rate of a combination promises."""
    posterior = joint.posteriors[combination]
    own = promise_of(posterior, tolerance, goal)
    regret = joint.regret(combination, own.pick)
    resolved = joint.most(regret, goal)
    if resolved > max(tolerance, own.resolved):  # others may be better: the rate is no surer
        low, high, right = interval_of(posterior, own.pick, resolved)
        own = own._replace(low=low, high=high, right=right)
    return own._replace(confidence=joint.share(regret, tolerance), resolved=resolved)


def rival(joint: Joint, choice: Choice, tolerance: float) -> int | None:
    """The combination to train beside the chosen one: that which most likely beats the pick by more
    than the tolerance; where none is likely to (`CHALLENGE`), the one of which it is least known
    whether it is as good. None where that is known of all."""
    pick = joint.posteriors[choice.combination].curves[:, choice.promise.pick]
    limit = saturated(np.array(tolerance), joint.cap)
    others = [k for k in joint.posteriors if k != choice.combination]
    beats = {
        k: float((pick - joint.curves[:, joint.owner == k].min(1) > limit).mean()) for k in others
    }
    if not others:
        return None
    likely = max(others, key=lambda k: beats[k])
    if beats[likely] >= CHALLENGE:
        return likely
    within = {k: joint.share(joint.best_of(k), tolerance) for k in others}
    # What a rung cut is known from its beginning alone.
    doubt = {
        k: share * (1.0 if k not in joint.trained else 1 - share) for k, share in within.items()
    }
    unknown = max(others, key=lambda k: doubt[k])
    return unknown if doubt[unknown] >= CHALLENGE else None


def _expected(joint: Joint, combination: int) -> float:
    """The least expected regret of a combination's sound rates."""
    posterior = joint.posteriors[combination]
    sound = posterior.eligible & posterior.safe
    sound = sound if sound.any() else posterior.eligible
    expected = (posterior.curves - joint.least[:, None]).mean(0)
    return float(np.where(sound, expected, np.inf).min())


def _followed(lanes: Lanes, settings: PosteriorSettings) -> tuple[Lanes, list[int]]:
    """The lanes of the combinations that came nearest to the best, with `x` log10 of their rates,
    and these combinations; the best lanes of them where there are too many."""
    seen, owner = lanes
    nearest = {int(k): float(seen.y[owner == k].min()) for k in np.unique(owner)}
    followed = sorted(sorted(nearest, key=lambda k: nearest[k])[:MOST])
    keep = np.flatnonzero(np.isin(owner, followed))
    if len(keep) > settings.max_lanes:
        keep = np.sort(keep[np.argsort(seen.y[keep], kind="stable")[: settings.max_lanes]])
    some = Observations(*(column[keep] for column in seen))
    return Lanes(some._replace(x=some.x - APART * owner[keep]), owner[keep]), followed


def _best(own: Posterior, random: np.random.Generator) -> np.ndarray:
    """Guesses of the best rate by the lanes of a combination alone, log10, f64[GUESSES]."""
    curves = own.curves[random.choice(len(own.curves), GUESSES)]
    return np.asarray(np.log10(own.lr)[curves.argmin(1)])


def _leading(seen: Observations, random: np.random.Generator) -> np.ndarray:
    """The same of a combination that was cut: about the rate that led, as near as its neighbors."""
    x = np.unique(seen.x)
    apart = float(np.median(np.diff(x))) if len(x) > 1 else 0.0
    return seen.x[int(seen.y.argmin())] + apart * random.uniform(-0.5, 0.5, GUESSES)


def _thinned(posterior: Posterior) -> Posterior:
    """With one of `FAR` places of the grid where the best rate is far."""
    x, places = np.log10(posterior.lr), np.arange(len(posterior.lr))
    near = np.abs(x - x[posterior.expected_regret.argmin()]) <= NEAR
    keep = near | (places % FAR == 0) | (places == len(x) - 1)
    return posterior._replace(
        lr=posterior.lr[keep], curves=posterior.curves[:, keep], safe=posterior.safe[keep],
        eligible=posterior.eligible[keep], stable=posterior.stable[keep],
    )  # fmt: skip


def _unknown(x: np.ndarray) -> Posterior:
    """Of a combination that was cut: nothing was seen to the end, nor failed."""
    every, none = np.ones(len(x), bool), np.empty(0)
    return Posterior(10**x, none, none, every, ~every, 0.0, 0.0, 0.0)


def _rough(parts: Sequence[Scores]) -> np.ndarray:
    """The grid of a combination that was cut, log10 of rates."""
    lr = np.concatenate([part.lr for part in parts])
    low, high = np.log10(lr.min()), np.log10(lr.max())
    return np.unique(np.linspace(low, high, max(2, int((high - low) * CUT_PER_DECADE) + 2)))
