"""How sure a best of several is, from few seeds: the price of picking it, and its probability."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike

EFFECT_SCALE = 0.5
"""Scale of the Cauchy prior on differences between settings, in standard deviations between seeds.
Calibrated for true differences of 0.5 to 1 such units and too modest beyond
(`experiments/calibration.py`); 0.5 and 0.7 are the usual choices (Rouder et al. 2012)."""

NULL_DRAWS = 20_000
"""Comparisons of equal settings that are drawn: a level of 5 % is then known to 0.15 %."""


def pair_level(settings: int, seeds: int, confidence: float = 0.95) -> float:
    """The confidence that each interval of best minus other needs, for all of them to hold at once.

    The best of several was picked because its scores are low, so the largest of its paired t
    statistics exceeds the usual limit more often than the interval of one pair admits. Its
    distribution is drawn here for equal settings (normal, `seeds` values each), pick included:
    among equal settings the best beats any other with a probability of at most 1 - confidence.

    >>> round(pair_level(2, 5), 2), round(pair_level(6, 5), 2)
    (0.95, 0.99)
    """
    if settings <= 2:
        return confidence
    return _pair_level(settings, seeds, confidence)


@functools.lru_cache(maxsize=256)
def _pair_level(settings: int, seeds: int, confidence: float) -> float:
    from scipy import stats

    random = np.random.default_rng(0)
    largest = []
    for _ in range(20):  # in parts, for the memory
        x = random.standard_normal((NULL_DRAWS // 20, settings, seeds))
        best = x[np.arange(len(x)), x.mean(2).argmin(1)]
        behind = x - best[:, None]
        error = behind.std(2, ddof=1) / np.sqrt(seeds)
        ratio = np.divide(behind.mean(2), error, out=np.zeros_like(error), where=error > 0)
        largest.append(ratio.max(1))
    error = np.sqrt(confidence * (1 - confidence) / NULL_DRAWS)
    limit = float(np.quantile(np.concatenate(largest), min(1.0, confidence + 2 * error)))
    level = 1 - 2 * float(stats.t.sf(limit, seeds - 1))
    return max(confidence, level)


def probability_best(scores: ArrayLike, draws: int = 4000, seed: int = 0) -> np.ndarray:
    """For each setting of [L, S] (lower is better) the probability that its true mean is the lowest
    (ties shared); f64[L], sums to 1.

    With few seeds their spread is hardly known, and a resample of two or three seeds knows no more
    than the signs. So means are drawn from their posterior instead: Student's t from the spread of
    the paired differences, drawn together by what the differences do seed by seed, and shrunk to
    each other by a Cauchy prior on the differences of `EFFECT_SCALE` standard deviations (Rouder et
    al. 2009, Psychon. Bull. Rev. 16:225; 2012, J. Math. Psychol. 56:356). One seed gives no spread:
    then all are as probable.

    Raises:
        ValueError: scores that are not finite, or not [settings, seeds].

    >>> probability_best([[1.0, 1.1], [2.0, 2.1]]).tolist()
    [1.0, 0.0]
    >>> probability_best([[1.0, 1.1], [2.0, 2.5]]).round(1).tolist()
    [0.9, 0.1]
    """
    x = np.asarray(scores, np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise ValueError("scores must be finite, [settings, seeds]")
    settings, seeds = x.shape
    if settings == 1 or seeds == 1:
        return np.full(settings, 1 / settings)
    x = x - x.mean(0)  # what a seed adds to all settings
    mean = x.mean(1)
    rest = x - mean[:, None]
    contrasts, freedom = settings - 1, seeds - 1
    within, between = float((rest**2).sum()), float(seeds * (mean**2).sum())
    if within <= 1e-24 * between:  # a mere shift; rounding apart
        lowest = mean <= mean.min() + 1e-12 * np.abs(mean).max()
        return lowest / lowest.sum()
    random = np.random.default_rng(seed)
    kept = _kept(random, within, between, contrasts, seeds, draws)
    # The variance's posterior given what is kept, over its estimate; per contrast.
    size = within / contrasts
    spread = (size + between / contrasts * (1 - kept)) / (size / freedom)
    spread = spread / random.chisquare(seeds, draws)
    noise = rest @ random.standard_normal((seeds, draws)) / np.sqrt(seeds * freedom)
    means = kept * mean[:, None] + np.sqrt(kept * spread) * noise
    best = means == means.min(0)
    return (best / best.sum(0)).mean(1)


def _kept(
    random: np.random.Generator,
    within: float,
    between: float,
    contrasts: int,
    seeds: int,
    draws: int,
) -> np.ndarray:
    """Shares of the differences that the prior leaves, drawn from their posterior; f64[draws].

    A Cauchy prior is a normal one of variance g (per variance of a lane) whose g is inverse gamma;
    given g, n g / (1 + n g) of a difference is kept. The posterior of g is summed on a grid.
    """
    g = np.geomspace(1e-4, 1e8, 600)
    kept = seeds * g / (1 + seeds * g)
    log = -np.log(g) / 2 - EFFECT_SCALE**2 / (2 * g)  # inverse gamma(1/2), times g: the grid is log
    log -= contrasts / 2 * np.log1p(seeds * g)
    log -= contrasts * seeds / 2 * np.log(within + between * (1 - kept))
    weight = np.exp(log - log.max())
    return random.choice(kept, draws, p=weight / weight.sum())
