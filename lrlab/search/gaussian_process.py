"""The loss as a function of log learning rate, from a few noisy lanes: which curves are possible.

A Gaussian process in two layers. What lane (x, s) scored, as regret in units of what training
gains, is

    y(x, s) = m(x) + g_s(x) + e,

where x is log10 of the rate, m the mean over all seeds (what is sought), g_s what seed s adds to
it (nearly alike for neighboring rates, which is why lanes of one seed tell more about each other
than lanes of several), and e is noise. m is a valley (`lrlab.search.valley`) and what it adds to
that, or, with less weight, a curve about one level, which may have any shape; both with a Matern
5/2 kernel, smooth as losses are inside a valley. A cliff is left to the walls, the saturation, and
the region that is known to train (`lrlab.search.posterior`). Kernel lengths and noise
levels are not chosen but averaged over, weighted by their marginal likelihood (Rasmussen and
Williams 2006, chapter 5); `lrlab.search.settings.Priors` has the candidates.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from lrlab.search.settings import DEFAULTS, Priors
from lrlab.search.valley import LARGEST_RESIDUAL, Whitening, sampled, valley

JITTER = 1e-5
"""Added to the diagonal of the curves' covariance, in units of its height: rounding may leave it
indefinite where the grid is fine."""


DIGITS = 7
"""Decimals that regret, a share, is rounded to, and digits of its scales: which valleys are drawn
hangs on chance, and must not hang on the last bits of a loss that stands at another level."""


class Observations(NamedTuple):
    """Lanes as columns: `x` f64[n] log10 rates, `seed` int[n], `y` f64[n] saturated regret, `extra`
    f64[n] the further variance of what is only a clue (a lane that was cut short)."""

    x: np.ndarray
    seed: np.ndarray
    y: np.ndarray
    extra: np.ndarray


class _Kernel(NamedTuple):
    """One choice of length and scales: its weight, the Cholesky factor f64[n, n] of the covariance
    of the lanes, and the residuals f64[n] whitened by it."""

    weight: float
    length: float
    factor: np.ndarray
    whitened: np.ndarray


def saturated(regret: np.ndarray, cap: float) -> np.ndarray:
    """cap (1 - exp(-regret / cap)) for positive regret: slope 1 at 0, never above the cap.

    Beyond the cap all rates are alike: bad. A cliff then does not bend the valley beside it.

    >>> saturated(np.array([-0.1, 0.0, 0.01, 5.0]), 0.1).round(4).tolist()
    [-0.1, 0.0, 0.0095, 0.1]
    """
    return np.where(regret > 0, -cap * np.expm1(-np.maximum(regret, 0) / cap), regret)


def unsaturated(value: np.ndarray, cap: float) -> np.ndarray:
    """The inverse of `saturated`, up to 98 % of the cap.

    >>> float(unsaturated(saturated(np.array(0.05), 0.1), 0.1).round(12))
    0.05
    """
    share = np.clip(value / cap, 0, 0.98)
    return np.where(value > 0, -cap * np.log1p(-share), value)


def draw_curves(
    lanes: Observations,
    cap: float,
    spread: float,
    grid: np.ndarray,
    *,
    seed: int = 0,
    priors: Priors = DEFAULTS.posterior.priors,
) -> np.ndarray:
    """Curves m that agree with the lanes, f64[priors.curves, G], as saturated regret.

    Args:
        lanes: what was seen.
        cap: the saturation of `lanes.y`, and so the height of m.
        spread: the scale of seed parts and noise, as a share of the gap.
        grid: f64[G] log10 rates at which the curves are wanted.
        seed: of the drawing.
    """
    rounded = np.round(np.clip(lanes.y, -1.0, 1.0), DIGITS)  # what is far needs no digits
    lanes = lanes._replace(
        y=np.where(np.abs(lanes.y) < 1, rounded, lanes.y), extra=np.round(lanes.extra, DIGITS)
    )
    cap, spread = (float(f"{value:.{DIGITS}g}") for value in (cap, spread))
    # BLAS threads cost more than they save on matrices this small, and spin on a busy machine.
    with threadpool_limits(1, "blas"):
        return _drawn(lanes, cap, spread, grid, np.random.default_rng(seed), priors)


def _drawn(
    lanes: Observations,
    cap: float,
    spread: float,
    grid: np.ndarray,
    random: np.random.Generator,
    priors: Priors,
) -> np.ndarray:
    kernels = _kernels(lanes, priors.level * cap, spread, priors)
    logs = np.array([kernel.weight for kernel in kernels])
    whitenings, residuals = _about_valleys(lanes, spread, kernels, priors)
    full = lanes.extra == 0
    best = float(lanes.x[full][np.argmin(lanes.y[full])])
    valleys = sampled(
        lanes.x, lanes.y, cap, whitenings, best, (float(grid[0]), float(grid[-1])), random,
        priors.valley,
    )  # fmt: skip
    none = np.logaddexp.reduce(logs) - np.log(len(priors.lengths)) + np.log(priors.valley.none)
    some = valleys.evidence + np.log1p(-priors.valley.none)
    plain = round(priors.curves * float(np.exp(none - np.logaddexp(none, some))))
    parts = [_about_level(lanes, cap, grid, kernels, plain, random, priors)] if plain else []
    weights = np.exp(valleys.logs - valleys.logs.max()).ravel()
    drawn = random.choice(weights.size, priors.curves - plain, p=weights / weights.sum())
    scale, place = np.divmod(drawn, len(valleys.shape))
    for one in np.unique(scale):
        shape = valleys.shape[place[scale == one]]
        rest = (lanes.y - valley(lanes.x, shape, cap)) @ whitenings[one].inverse.T
        height, length = residuals[one] ** 2, priors.valley.residual_length
        level = priors.valley.base**2
        reach = _covariance(lanes.x, grid, height, length, level)
        reach = whitenings[one].inverse @ reach
        covariance = _covariance(grid, grid, height, length, level) - reach.T @ reach
        covariance[np.diag_indices_from(covariance)] += JITTER * (height + level)
        root = np.linalg.cholesky(covariance)
        noise = random.standard_normal((len(shape), len(grid))) @ root.T
        parts.append(valley(grid, shape, cap) + rest @ reach + noise)
    return np.concatenate(parts)


def _covariance(
    x: np.ndarray, other: np.ndarray, height: float, length: float, level: float
) -> np.ndarray:
    return height * matern(np.abs(x[:, None] - other) / length) + level


def _about_valleys(
    lanes: Observations, spread: float, kernels: Sequence[_Kernel], priors: Priors
) -> tuple[list[Whitening], list[float]]:
    """The likeliest scales of seed parts and noise, with each candidate for what a curve adds to
    its valley; and these candidates, in the same order."""
    known = priors.valley
    scales = list(itertools.product(priors.seed_scales, priors.noise_scales))
    logs = np.array([kernel.weight for kernel in kernels]).reshape(len(priors.lengths), -1)
    most = max(1, min(known.scales, known.scaled_lanes // len(lanes.x)))
    likeliest = np.argsort(-np.logaddexp.reduce(logs, 0), kind="stable")[:most]
    whitenings, residuals = [], []
    for seeds, noises in (scales[place] for place in likeliest):
        for residual in known.residuals:
            among = _covariance(
                lanes.x, lanes.x, residual**2, known.residual_length, known.base**2
            ) + _of_seeds(lanes, seeds, spread, priors)
            among[np.diag_indices_from(among)] += (noises * spread) ** 2 + lanes.extra
            inverse = np.linalg.inv(np.linalg.cholesky(among))
            weight = float(np.log(np.diag(inverse)).sum()) - np.log(len(known.residuals))
            whitenings.append(Whitening(inverse, weight + _expected(seeds, noises, priors)))
            residuals.append(residual)
    return whitenings, residuals


def _of_seeds(lanes: Observations, scale: float, spread: float, priors: Priors) -> np.ndarray:
    """The covariance of what seeds add, f64[n, n]."""
    apart = np.abs(lanes.x[:, None] - lanes.x)
    same_seed = lanes.seed[:, None] == lanes.seed
    of_seed = np.exp(-((apart / priors.seed_length) ** 2) / 2) * same_seed
    offset = max(priors.offset, priors.offset_per_spread * spread)
    return (scale * spread) ** 2 * of_seed + offset**2 * same_seed


def _expected(seeds: float, noises: float, priors: Priors) -> float:
    """Scales near the spread that is seen are likelier beforehand than far ones: the logarithm of
    their weight."""
    return -(np.log(seeds) ** 2 + np.log(noises) ** 2) / (2 * np.log(priors.scale_factor) ** 2)


def _about_level(
    lanes: Observations,
    cap: float,
    grid: np.ndarray,
    kernels: Sequence[_Kernel],
    count: int,
    random: np.random.Generator,
    priors: Priors,
) -> np.ndarray:
    """Curves of the Gaussian process alone, f64[count, G]."""
    level = priors.level * cap
    height = level**2
    across = np.abs(grid[:, None] - lanes.x)
    between = np.abs(grid[:, None] - grid)
    order, weights = heaviest(np.array([kernel.weight for kernel in kernels]), priors.kernel_weight)
    lengths = {kernels[place].length for place in order}  # few; many kernels share one
    to_lanes = {length: height * matern(across / length).T for length in lengths}
    to_grid = {length: height * matern(between / length) for length in lengths}
    curves = []
    for some, place in zip(shares_of(weights, count), order, strict=True):
        kernel = kernels[place]
        reach = np.linalg.solve(kernel.factor, to_lanes[kernel.length])
        mean = level + reach.T @ kernel.whitened
        covariance = to_grid[kernel.length] - reach.T @ reach
        covariance[np.diag_indices_from(covariance)] += JITTER * height
        root = np.linalg.cholesky(covariance)
        curves.append(mean + random.standard_normal((int(some), len(grid))) @ root.T)
    return np.concatenate(curves)


def _kernels(lanes: Observations, level: float, spread: float, priors: Priors) -> list[_Kernel]:
    """Every choice of length and scales, its weight the logarithm of its posterior."""
    apart = np.abs(lanes.x[:, None] - lanes.x)
    choices = list(itertools.product(priors.lengths, priors.seed_scales, priors.noise_scales))
    means = {length: level**2 * matern(apart / length) for length in priors.lengths}
    seeds = {scale: _of_seeds(lanes, scale, spread, priors) for scale in priors.seed_scales}
    among = np.stack([means[length] + seeds[scale] for length, scale, _ in choices])
    noises = np.array([choice[2] for choice in choices])
    diagonal = np.arange(len(lanes.x))
    among[:, diagonal, diagonal] += ((noises * spread) ** 2)[:, None] + lanes.extra
    factors = np.linalg.cholesky(among)
    rest = np.broadcast_to((lanes.y - level)[:, None], (len(choices), len(lanes.x), 1))
    whitened = np.linalg.solve(factors, rest)[..., 0]
    far = np.minimum(np.abs(whitened), LARGEST_RESIDUAL)
    logs = -(far**2).sum(1) / 2 - np.log(factors[:, diagonal, diagonal]).sum(1)
    logs += np.array([_expected(*choice[1:], priors) for choice in choices])
    lengths = [choice[0] for choice in choices]
    return [_Kernel(*kernel) for kernel in zip(logs, lengths, factors, whitened, strict=True)]


def heaviest(logs: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The places of those with `share` of the weight, heaviest first, from the logarithms of the
    weights; and their weights, which sum to 1.

    >>> places, weights = heaviest(np.log([0.05, 0.35, 0.6]), 0.9)
    >>> places.tolist(), weights.round(3).tolist()
    ([2, 1], [0.632, 0.368])
    """
    weights = np.exp(logs - logs.max())
    order = np.argsort(-weights, kind="stable")
    total = np.cumsum(weights[order]) / weights.sum()
    order = order[: int(np.searchsorted(total, share)) + 1]
    return order, weights[order] / weights[order].sum()


def matern(distance: np.ndarray) -> np.ndarray:
    """The Matern 5/2 correlation at a distance in units of its length."""
    scaled = np.sqrt(5) * distance
    return (1 + scaled + scaled**2 / 3) * np.exp(-scaled)


def shares_of(weights: np.ndarray, total: int) -> np.ndarray:
    """`total` divided in proportion to `weights`, int[len(weights)], largest remainders first.

    >>> shares_of(np.array([0.5, 0.3, 0.2]), 4).tolist()
    [2, 1, 1]
    """
    exact = weights * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(-(exact - counts), kind="stable")[: total - counts.sum()]] += 1
    return counts
