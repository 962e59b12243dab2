"""The best learning rate of one group, with the standard error that its lanes leave.

What a search calls as good is a matter of tolerance, and wider or narrower than what is known of
the best rate itself. A power law through best rates needs the latter: here the posterior of the
place of the minimum, under a Gaussian process in log LR for the mean score, with what each seed
adds to all rates and noise (Rasmussen and Williams 2006, chapters 2 and 5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from lrlab.search.differences import rounding

CAP = 1.0
"""Share of what training gains at which regret saturates."""

NEAR = 0.3
"""Share: rates that lose less, and two more on either side at least, are looked at."""

LENGTHS = (0.3, 0.5, 0.8, 1.3)
HEIGHTS = (0.3, 1.0, 3.0, 10.0)
SEED_SCALES = (0.0, 1.0, 5.0, 30.0)
NOISE_SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
"""Candidates, averaged over by their marginal likelihood: correlation lengths in decades, heights
of the curve in units of the cap, what a seed adds in units of the noise, and the noise in units of
its estimate."""

UNKNOWN_NOISE = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)
"""Candidates where no rate has two seeds, as shares of what training gains."""

BEHIND = (0.7, 0.5)
"""A lane that a rung cut counts as so high, with so large a standard deviation, in units of the
cap: it was behind, nobody knows how far."""

SMOOTHER = 0.8
"""The posterior's standard deviation is multiplied by this: it allows for curves rougher than those
of training, and its mean errs less than its draws. Chosen on simulated curves, so that errors are
right within a factor of about 1.5 (`experiments/calibration.py`)."""

LEAST = 0.05
"""Least standard error in units of the distance between the rates around the best."""

PER_DECADE = 40
DRAWS = 400
HEAVIEST = 12
"""The grid on which curves are drawn, how many, and from how many kernels at most."""

JITTER = 1e-8
"""Added to the diagonal of covariances, in units of their height."""


class BestRate(NamedTuple):
    """The natural logarithm of a best rate, and its standard error."""

    log: float
    error: float


class _Levels(NamedTuple):
    """Mean scores f64[L] with their covariance f64[L, L] per variance of a lane, what is left over
    (a sum of squares of `freedom` degrees) and the log weight of the covariance."""

    mean: np.ndarray
    covariance: np.ndarray
    rest: float
    freedom: int
    log: float


def best_rate(
    lr: np.ndarray, scores: np.ndarray, initial: float, cut: np.ndarray | None = None
) -> BestRate | None:
    """The best rate by the lanes of one group.

    Args:
        lr: f64[L] ascending.
        scores: f64[L, S] of lanes trained to the end, to be minimized; nan where there is none.
        initial: the score before training, to which those of lanes that diverged are set.
        cut: bool[L], rates of which lanes were cut short for being behind; none by default.

    Returns:
        None where fewer than three rates were trained to the end, or nothing is gained.

    >>> lr = np.geomspace(0.001, 1.0, 7)
    >>> found = best_rate(lr, (np.log10(lr)[:, None] + 1.4) ** 2, 2.0)
    >>> round(float(np.exp(found.log)), 2), bool(0 < found.error < 0.1)
    (0.04, True)
    """
    seen = np.isfinite(scores).any(1)
    if seen.sum() < 3:
        return None
    with np.errstate(invalid="ignore"):
        coarse = _levels(scores[seen], 1.0).mean
    best = float(coarse.min())
    gap = initial - best
    if not (np.isfinite(gap) and gap > rounding(scores)):
        return None
    behind = np.zeros(len(lr), bool) if cut is None else cut & ~seen
    level = np.where(behind, 1.0, np.nan)
    level[seen] = (coarse - best) / gap
    known = np.isfinite(level)
    x, regret, level, behind = np.log10(lr)[known], scores[known], level[known], behind[known]
    regret = _capped((regret - best) / gap)
    low, high = _window(level)
    around = slice(low, high + 1)
    # BLAS threads cost more than they save on matrices this small.
    with threadpool_limits(1, "blas"):
        places = _places(x[around], regret[around], behind[around])
    middle = int(np.argmin(level))
    apart = x[min(middle + 1, len(x) - 1)] - x[max(middle - 1, 0)]
    error = max(SMOOTHER * float(places.std()), LEAST * apart / 2)
    return BestRate(float(places.mean() * np.log(10)), float(error * np.log(10)))


def _capped(regret: np.ndarray) -> np.ndarray:
    return np.where(regret > 0, -CAP * np.expm1(-np.maximum(regret, 0) / CAP), regret)


def _window(level: np.ndarray) -> tuple[int, int]:
    """The rates around the best that count: up to the first that is bad, two on either side at
    least; more would only cost time.

    >>> _window(np.array([1.0, 1.0, 0.5, 0.1, 0.0, 0.9, 0.9]))
    (2, 6)
    """
    low = high = int(np.argmin(level))
    middle = low
    while low > 0 and (level[low] < NEAR or middle - low < 2):
        low -= 1
    while high < len(level) - 1 and (level[high] < NEAR or high - middle < 2):
        high += 1
    return low, high


def _levels(scores: np.ndarray, ratio: float) -> _Levels:
    """Mean scores by generalized least squares, what a seed adds having `ratio` times the standard
    deviation of the noise."""
    row, column = np.nonzero(np.isfinite(scores))
    y, count = scores[row, column], scores.shape[0]
    design = np.zeros((len(y), count))
    design[np.arange(len(y)), row] = 1
    among = np.eye(len(y)) + ratio**2 * (column[:, None] == column)
    inverse = np.linalg.inv(among)
    precision = design.T @ inverse @ design
    covariance = np.linalg.inv(precision)
    mean = covariance @ (design.T @ (inverse @ y))
    rest = y - design @ mean
    log = -(np.linalg.slogdet(among)[1] + np.linalg.slogdet(precision)[1]) / 2
    return _Levels(mean, covariance, float(rest @ inverse @ rest), len(y) - count, float(log))


def _places(x: np.ndarray, regret: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Log10 rates of the minima of curves that agree with the lanes, f64[DRAWS]."""
    done = ~behind
    logs, means, covariances = [], [], []
    for ratio in SEED_SCALES if (np.isfinite(regret[done]).sum(1) > 1).any() else (0.0,):
        levels = _levels(regret[done], ratio)
        for noise in _noises(levels):
            logs.append(levels.log - levels.freedom * np.log(noise) - levels.rest / (2 * noise**2))
            mean = np.full(len(x), BEHIND[0] * CAP)
            mean[done] = levels.mean
            covariance = np.diag(np.where(behind, (BEHIND[1] * CAP) ** 2, 0.0))
            covariance[np.ix_(done, done)] = noise**2 * levels.covariance
            means.append(mean)
            covariances.append(covariance)
    grid = np.linspace(x[0], x[-1], max(8, int((x[-1] - x[0]) * PER_DECADE) + 1))
    return _minima(x, np.array(logs), np.array(means), np.array(covariances), grid)


def _noises(levels: _Levels) -> np.ndarray:
    if levels.freedom < 1 or levels.rest <= 0:
        return np.array(UNKNOWN_NOISE if levels.freedom < 1 else UNKNOWN_NOISE[:1])
    estimate = np.sqrt(levels.rest / levels.freedom)
    return np.maximum(estimate * np.array(NOISE_SCALES), UNKNOWN_NOISE[0] / 10)


def _minima(
    x: np.ndarray, logs: np.ndarray, means: np.ndarray, noises: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """Draws of the minimum from the kernels of highest posterior weight, f64[DRAWS].

    For each choice of the noise: `logs` f64[N] its weight, `means` f64[N, L] the levels, `noises`
    f64[N, L, L] their covariance.
    """
    level = (10 * CAP) ** 2  # of the unknown mean: wide
    kernels = [(length, height * CAP) for length in LENGTHS for height in HEIGHTS]
    among = np.stack([h**2 * _kernel(x, x, length) + level for length, h in kernels])
    among = among[:, None] + noises
    places = np.arange(len(x))
    heights = np.array([h for _, h in kernels])
    among[..., places, places] += JITTER * heights[:, None, None] ** 2 + 1e-12
    factors = np.linalg.cholesky(among)
    rest = np.broadcast_to(means[..., None], (*among.shape[:3], 1))
    whitened = np.linalg.solve(factors, rest)[..., 0]
    weight = logs - (whitened**2).sum(-1) / 2 - np.log(factors[..., places, places]).sum(-1)
    weight = np.exp(weight - weight.max())
    order = np.argsort(-weight, axis=None)[:HEAVIEST]
    shares = weight.ravel()[order] / weight.ravel()[order].sum()
    random = np.random.default_rng(0)
    counts = random.multinomial(DRAWS, shares)
    drawn = []
    for flat, count in zip(order[counts > 0], counts[counts > 0], strict=True):
        kernel, choice = np.unravel_index(int(flat), weight.shape)
        length, height = kernels[int(kernel)]
        factor = factors[kernel, choice]
        across = height**2 * _kernel(x, grid, length) + level
        reach = np.linalg.solve(factor, across)
        mean = reach.T @ whitened[kernel, choice]
        covariance = height**2 * _kernel(grid, grid, length) + level - reach.T @ reach
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
        curves = mean + random.standard_normal((int(count), len(grid))) @ root.T
        drawn.append(grid[curves.argmin(1)])
    return np.concatenate(drawn)


def _kernel(x: np.ndarray, other: np.ndarray, length: float) -> np.ndarray:
    """Squared exponential, 1 at distance 0."""
    return np.exp(-(((x[:, None] - other) / length) ** 2) / 2)
