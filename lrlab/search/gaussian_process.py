"""The loss as a function of log learning rate, from a few noisy lanes: which curves are possible.

A Gaussian process in two layers. What lane (x, s) scored, as regret in units of what training
gains, is

    y(x, s) = m(x) + g_s(x) + e,

where x is log10 of the rate, m the mean over all seeds (what is sought), g_s what seed s adds to
it - nearly alike for neighboring rates, which is why lanes of one seed tell more about each other
than lanes of several - and e is noise. m has a Matern 5/2 kernel, smooth as losses are inside
a valley: against 3/2 it raises the mean log likelihood of what a pick truly costs from -0.22 to
-0.06 (48 searches of 20 runs, 12 pairs). A cliff is left to the saturation, and to the region that
is known to train (`lrlab.search.posterior`). Kernel lengths and noise
levels are not chosen but averaged over, weighted by their marginal likelihood (Rasmussen and
Williams 2006, chapter 5); `lrlab.search.settings.Priors` has the candidates.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from lrlab.search.settings import DEFAULTS, Priors

JITTER = 1e-5
"""Added to the diagonal of the curves' covariance, in units of its height: rounding may leave it
indefinite where the grid is fine."""

LARGEST_RESIDUAL = 1e150
"""Whitened residuals are cut here: scores of 1e300 are a loss that exploded, not an overflow."""


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
    level = priors.level * cap
    height = level**2
    across = np.abs(grid[:, None] - lanes.x)
    between = np.abs(grid[:, None] - grid)
    kernels = _kernels(lanes, level, spread, priors)
    order, weights = heaviest(np.array([kernel.weight for kernel in kernels]), priors.kernel_weight)
    counts = shares_of(weights, priors.curves)
    curves = []
    for count, place in zip(counts, order, strict=True):
        kernel = kernels[place]
        reach = np.linalg.solve(kernel.factor, height * matern(across / kernel.length).T)
        mean = level + reach.T @ kernel.whitened
        covariance = height * matern(between / kernel.length) - reach.T @ reach
        covariance[np.diag_indices_from(covariance)] += JITTER * height
        root = np.linalg.cholesky(covariance)
        curves.append(mean + random.standard_normal((int(count), len(grid))) @ root.T)
    return np.concatenate(curves)


def _kernels(lanes: Observations, level: float, spread: float, priors: Priors) -> list[_Kernel]:
    """Every choice of length and scales, its weight the logarithm of its posterior."""
    apart = np.abs(lanes.x[:, None] - lanes.x)
    same_seed = lanes.seed[:, None] == lanes.seed
    of_seed = np.exp(-((apart / priors.seed_length) ** 2) / 2) * same_seed
    offset = max(priors.offset, priors.offset_per_spread * spread)
    choices = list(itertools.product(priors.lengths, priors.seed_scales, priors.noise_scales))
    among = np.stack([level**2 * matern(apart / length) for length, _, _ in choices])
    seeds, noises = (np.array([choice[i] for choice in choices]) for i in (1, 2))
    among += ((seeds * spread) ** 2)[:, None, None] * of_seed + offset**2 * same_seed
    diagonal = np.arange(len(lanes.x))
    among[:, diagonal, diagonal] += ((noises * spread) ** 2)[:, None] + lanes.extra
    factors = np.linalg.cholesky(among)
    rest = np.broadcast_to((lanes.y - level)[:, None], (len(choices), len(lanes.x), 1))
    whitened = np.linalg.solve(factors, rest)[..., 0]
    far = np.minimum(np.abs(whitened), LARGEST_RESIDUAL)
    logs = -(far**2).sum(1) / 2 - np.log(factors[:, diagonal, diagonal]).sum(1)
    # Scales near the spread that is seen are likelier beforehand than far ones.
    logs -= (np.log(seeds) ** 2 + np.log(noises) ** 2) / (2 * np.log(priors.scale_factor) ** 2)
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
