"""Curves of several combinations that agree with all lanes: a Gaussian process over log learning
rate, combination and seed.

As `lrlab.search.gaussian_process`, with m_k(x) and g_{s,k}(x) for each combination k: their
covariance is that of one combination times how alike two of them are,

    c(k, l) = (1 - d) ^ (steps between k and l),

where steps are counted along the values of each axis (1 between any two names). With d = 1 curves
have nothing in common but what a seed adds everywhere; with d near 0 a lane of one says nearly as
much about its neighbors. Two combinations may be alike at the same rate, or at the same distance
from the best rate of each (a momentum multiplies the step). The lanes leave open where these best
rates lie, so several guesses of all of them are tried. How alike combinations are, in which of both
ways and by which guess, is averaged over with the marginal likelihood as weight, as are lengths and
scales. It is the kernel of a multi-task Gaussian process (Bonilla, Chai and Williams 2007, NeurIPS
20).
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from lrlab.search.gaussian_process import (
    JITTER,
    LARGEST_RESIDUAL,
    Observations,
    heaviest,
    matern,
    shares_of,
)
from lrlab.search.settings import DEFAULTS, Priors

DEPARTURES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
"""Candidates of d. The difference of two neighbors' curves then has a standard deviation of sqrt(2
d) times that of a curve: 140, 45, 14, 4.5 and 1.4 %."""

DISTANT = 0.3
"""The error of a lane, in units of its own regret: what saturates is alike everywhere, and must not
say that valleys are. With 0.1, 10 of 16 values that were said to be worse were not, with 0.3 it was
2 of 12 (`experiments/finder_regret_axes.py`, 4 roots)."""

SAME_RATE = 1e-9
"""Decades: lanes of one seed at one rate see the same batches, whatever their further values."""


class Lanes(NamedTuple):
    """`seen` with `x` log10 of rates; `owner` int[n] their combinations."""

    seen: Observations
    owner: np.ndarray


class Places(NamedTuple):
    """Where curves are wanted: log10 of rates f64[G], and the combinations int[G]."""

    x: np.ndarray
    owner: np.ndarray


class Likeness(NamedTuple):
    """What combinations have in common: `steps` f64[K, K] between them; `middles` f64[M, K] log10
    of the best rate of each, M guesses of all of them, equally probable beforehand."""

    steps: np.ndarray
    middles: np.ndarray


class _Kernel(NamedTuple):
    """One choice: the logarithm of its weight; the correlation `alike` f64[K, K] of combinations
    and the place `zero` f64[K] from which each counts rates; the length; the Cholesky factor f64[n,
    n] of the lanes' covariance, and the residuals f64[n] whitened by it."""

    log: float
    alike: np.ndarray
    zero: np.ndarray
    length: float
    factor: np.ndarray
    whitened: np.ndarray


def draw_joint(
    lanes: Lanes,
    likeness: Likeness,
    cap: float,
    spread: float,
    places: Places,
    *,
    seed: int = 0,
    priors: Priors = DEFAULTS.posterior.priors,
) -> np.ndarray:
    """Curves of all combinations that agree with the lanes, f64[priors.curves, G], as saturated
    regret.

    Args:
        lanes: what was seen.
        likeness: of the combinations.
        cap: the saturation of the lanes' regret, and so the height of the curves.
        spread: the scale of seed parts and noise, as a share of the gap.
        places: where the curves are wanted.
        seed: of the drawing.
    """
    # BLAS threads cost more than they save on matrices this small, and spin on a busy machine.
    with threadpool_limits(1, "blas"):
        random, level, kernels = np.random.default_rng(seed), priors.level * cap, []
        guesses, same_rate = len(likeness.middles), np.zeros(likeness.middles.shape[1])
        for departure in DEPARTURES:
            alike = (1 - departure) ** likeness.steps
            kernels += _kernels(lanes, alike, same_rate, level, spread, priors)
            for middle in likeness.middles if departure < 1 else ():  # with 1 all are the same
                some = _kernels(lanes, alike, middle, level, spread, priors)
                kernels += [one._replace(log=one.log - np.log(guesses)) for one in some]
        logs = np.array([kernel.log for kernel in kernels])
        order, weights = heaviest(logs, priors.kernel_weight)
        curves = []
        for count, choice in zip(shares_of(weights, priors.curves), order, strict=True):
            if count:
                mean, root = _conditional(kernels[choice], lanes, level, places)
                curves.append(mean + random.standard_normal((int(count), len(mean))) @ root.T)
        return np.concatenate(curves)


def _kernels(
    lanes: Lanes,
    alike: np.ndarray,
    zero: np.ndarray,
    level: float,
    spread: float,
    priors: Priors,
) -> list[_Kernel]:
    """Every choice of length and scales for one likeness; the logarithms of their weights have one
    constant left out."""
    (x, seed, y, extra), owner = lanes
    place = x - zero[owner]
    apart = np.abs(place[:, None] - place)
    near = alike[owner[:, None], owner]
    same_seed = (seed[:, None] == seed) & (seed >= 0)  # clues have no seed
    of_seed = np.exp(-((apart / priors.seed_length) ** 2) / 2) * same_seed * near
    of_lane = (apart < SAME_RATE) * same_seed * near
    for part in (of_seed, of_lane):
        np.fill_diagonal(part, 1.0)
    fixed = max(priors.offset, priors.offset_per_spread * spread) ** 2 * same_seed
    # Curves cross; where they do, those of one combination do together.
    clue = np.sqrt(extra)
    fixed = fixed + np.outer(clue, clue) * (owner[:, None] == owner)
    fixed = fixed + np.diag(extra + (DISTANT * y) ** 2 + JITTER * level**2)
    kernels = []
    for length in priors.lengths:
        among = level**2 * matern(apart / length) * near + fixed
        for own, noise in itertools.product(priors.seed_scales, priors.noise_scales):
            whole = among + (own * spread) ** 2 * of_seed + (noise * spread) ** 2 * of_lane
            factor = np.linalg.cholesky(whole)
            rest = _solved(factor, y - level)
            far = np.minimum(np.abs(rest), LARGEST_RESIDUAL)
            log = -(far**2).sum() / 2 - np.log(np.diag(factor)).sum()
            # Scales near the spread that is seen are likelier beforehand than far ones.
            log -= (np.log(own) ** 2 + np.log(noise) ** 2) / (2 * np.log(priors.scale_factor) ** 2)
            kernels.append(_Kernel(float(log), alike, zero, length, factor, rest))
    return kernels


def _conditional(
    kernel: _Kernel, lanes: Lanes, level: float, places: Places
) -> tuple[np.ndarray, np.ndarray]:
    """Mean f64[G] and a root f64[G, G] of the covariance of the curves given the lanes."""
    there, owner = places.x - kernel.zero[places.owner], places.owner
    seen = lanes.seen.x - kernel.zero[lanes.owner]
    across = level**2 * matern(np.abs(there[:, None] - seen) / kernel.length)
    across *= kernel.alike[owner[:, None], lanes.owner]
    between = level**2 * matern(np.abs(there[:, None] - there) / kernel.length)
    between *= kernel.alike[owner[:, None], owner]
    reach = _solved(kernel.factor, across.T)
    covariance = between - reach.T @ reach
    covariance[np.diag_indices_from(covariance)] += JITTER * level**2
    return level + reach.T @ kernel.whitened, np.linalg.cholesky(covariance)


def _solved(factor: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The inverse of a lower triangle times `rest`."""
    from scipy.linalg import solve_triangular

    return solve_triangular(factor, rest, lower=True, check_finite=False)
