"""Curves of several combinations that agree with all lanes: a Gaussian process over log learning
rate, combination and seed.

As `lrlab.search.gaussian_process`, with m_k(x) and g_{s,k}(x) for combination k, whose covariance is
that of one combination times how alike two of them are,

    c(k, l) = (1 - d) ^ (steps between k and l),

where steps are counted along the values of each axis (1 between any two names). d = 1 are curves
that have nothing in common but what a seed adds everywhere; with d near 0 a lane of one says nearly
as much about its neighbors. Two combinations may be alike at the same rate, or at the same distance
from the best rate of each (a momentum multiplies the step). How alike they are, and in which of both
ways, is averaged over with the marginal likelihood as weight, as are lengths and scales (a
coregionalization kernel: Bonilla, Chai and Williams 2007).
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from lrlab.search.gaussian_process import (
    JITTER,
    LARGEST_RESIDUAL,
    Kernel,
    Observations,
    heaviest,
    matern,
    shares_of,
)
from lrlab.search.settings import DEFAULTS, Priors

DEPARTURES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
"""Candidates of d. The difference of two neighbors' curves then has a standard deviation of sqrt(2
d) times that of a curve: 140, 45, 14, 4.5 and 1.4 %."""

DISTANT = 0.1
"""The error of a lane, in units of its own regret: what saturates is alike everywhere, and must not
say that valleys are."""


class Lanes(NamedTuple):
    """`seen` with `x` log10 of rates; `owner` int[n] their combinations."""

    seen: Observations
    owner: np.ndarray


class Likeness(NamedTuple):
    """What combinations have in common: `steps` f64[K, K] between them; `middle` f64[K] log10 of the
    best rate of each, as far as it is known."""

    steps: np.ndarray
    middle: np.ndarray


def draw_joint(
    lanes: Lanes,
    likeness: Likeness,
    cap: float,
    spread: float,
    grid: np.ndarray,
    owner: np.ndarray,
    *,
    seed: int = 0,
    priors: Priors = DEFAULTS.posterior.priors,
) -> np.ndarray:
    """Curves of all combinations that agree with the lanes, f64[priors.curves, G], as saturated
    regret.

    Args:
        cap: the saturation of the lanes' regret, and so the height of the curves.
        spread: the scale of seed parts and noise, as a share of the gap.
        grid: f64[G] log10 rates at which the curves are wanted, of the combinations `owner` int[G].
        seed: of the drawing.
    """
    with threadpool_limits(1, "blas"):
        random, level = np.random.default_rng(seed), priors.level * cap
        kernels, kinds = [], []
        for departure, aligned in itertools.product(DEPARTURES, (False, True)):
            if aligned and departure == 1:
                continue  # the same as not aligned
            alike = (1 - departure) ** likeness.steps
            shift = likeness.middle if aligned else np.zeros(len(likeness.middle))
            some = _kernels(lanes, alike, shift, level, spread, priors)
            kernels += some
            kinds += [(alike, shift)] * len(some)
        named = {id(kernel.factor): kind for kernel, kind in zip(kernels, kinds, strict=True)}
        chosen = heaviest(kernels, priors.kernel_weight)
        counts = shares_of(np.array([kernel.weight for kernel in chosen]), priors.curves)
        curves = []
        for count, kernel in zip(counts, chosen, strict=True):
            if not count:
                continue
            alike, shift = named[id(kernel.factor)]
            mean, root = _conditional(kernel, lanes, alike, shift, level, grid, owner)
            curves.append(mean + random.standard_normal((int(count), len(grid))) @ root.T)
        return np.concatenate(curves)


def _kernels(
    lanes: Lanes,
    alike: np.ndarray,
    shift: np.ndarray,
    level: float,
    spread: float,
    priors: Priors,
) -> list[Kernel]:
    """Every choice of length and scales for one likeness, its weight the logarithm of its posterior
    up to a constant."""
    (x, seed, y, extra), owner = lanes
    place = x - shift[owner]
    apart = np.abs(place[:, None] - place)
    near = alike[owner[:, None], owner]
    same_seed = (seed[:, None] == seed) & (seed >= 0)
    of_seed = np.exp(-((apart / priors.seed_length) ** 2) / 2) * same_seed * near
    of_lane = (apart < 1e-9) * same_seed * near  # the same batches: its noise is alike as well
    np.fill_diagonal(of_lane, 1.0)
    np.fill_diagonal(of_seed, 1.0)
    fixed = max(priors.offset, priors.offset_per_spread * spread) ** 2 * same_seed
    fixed = fixed + np.diag(extra + (DISTANT * y) ** 2)
    kernels = []
    for length in priors.lengths:
        among = level**2 * matern(apart / length) * near + fixed
        for own, noise in itertools.product(priors.seed_scales, priors.noise_scales):
            whole = among + (own * spread) ** 2 * of_seed + (noise * spread) ** 2 * of_lane
            whole[np.diag_indices_from(whole)] += JITTER * level**2
            factor = np.linalg.cholesky(whole)
            rest = solve_triangular(factor, y - level, lower=True, check_finite=False)
            far = np.minimum(np.abs(rest), LARGEST_RESIDUAL)
            log = -(far**2).sum() / 2 - np.log(np.diag(factor)).sum()
            log -= (np.log(own) ** 2 + np.log(noise) ** 2) / (2 * np.log(priors.scale_factor) ** 2)
            kernels.append(Kernel(float(log), length, factor, rest))
    return kernels


def _conditional(
    kernel: Kernel,
    lanes: Lanes,
    alike: np.ndarray,
    shift: np.ndarray,
    level: float,
    grid: np.ndarray,
    owner: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean f64[G] and a root f64[G, G] of the covariance of the curves given the lanes."""
    mine, place = grid - shift[owner], lanes.seen.x - shift[lanes.owner]
    across = matern(np.abs(mine[:, None] - place) / kernel.length) * alike[owner[:, None], lanes.owner]
    reach = solve_triangular(kernel.factor, level**2 * across.T, lower=True, check_finite=False)
    between = matern(np.abs(mine[:, None] - mine) / kernel.length) * alike[owner[:, None], owner]
    covariance = level**2 * between - reach.T @ reach
    covariance[np.diag_indices_from(covariance)] += JITTER * level**2
    return level + reach.T @ kernel.whitened, np.linalg.cholesky(covariance)
