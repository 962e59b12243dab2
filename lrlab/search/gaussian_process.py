"""The loss as a function of log learning rate, from a few noisy lanes: which curves are possible.

A Gaussian process in two layers. What lane (x, s) scored, as regret in units of what training
gains, is

    y(x, s) = m(x) + g_s(x) + e,

where x is log10 of the rate, m the mean over all seeds (what is sought), g_s what seed s adds to
it - nearly alike for neighboring rates, which is why lanes of one seed tell more about each other
than lanes of several - and e is noise. m has a Matern 3/2 kernel: continuous, but free to turn at
a cliff, so that it does not dip between points as a polynomial does. Kernel lengths and noise
levels are not chosen but averaged over, weighted by their marginal likelihood (Rasmussen and
Williams 2006, chapter 5).
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

LENGTHS = (0.3, 0.5, 0.8, 1.3)
"""Decades over which m is alike, all as likely beforehand."""

SEED_LENGTH = 1.0
"""Decades over which a seed's own part is alike."""

PARTS = (0.1, 0.3, 1.0, 3.0)
NOISES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Of seed parts and of noise, in units of the spread between seeds that is seen."""

OFFSET = 0.05
"""The standard deviation of what a seed adds to all rates alike: wide, so that seeds are compared
within themselves."""

UNSEEN = 0.7
"""What is believed of a rate before anything is known, in units of the cap: not good."""

PATHS = 320
"""Curves drawn."""

KEPT = 0.9
"""Kernels that hold this share of the weight are drawn from."""


class Lanes(NamedTuple):
    """Lanes as columns: `x` f64[n] log10 rates, `seed` int[n], `y` f64[n] saturated regret, `extra`
    f64[n] the further variance of what is only a clue (a lane that was cut short)."""

    x: np.ndarray
    seed: np.ndarray
    y: np.ndarray
    extra: np.ndarray


class _Kernel(NamedTuple):
    weight: float
    length: float
    factor: np.ndarray
    half: np.ndarray


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


def draw(lanes: Lanes, cap: float, spread: float, grid: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Curves m that agree with the lanes, f64[PATHS, G], as saturated regret.

    Args:
        lanes: what was seen.
        cap: the saturation of `lanes.y`, and so the height of m.
        spread: the scale of seed parts and noise, as a share of the gap.
        grid: f64[G] log10 rates at which the curves are wanted.
        seed: of the drawing.
    """
    # BLAS threads cost more than they save on matrices this small, and spin on a busy machine.
    with threadpool_limits(1, "blas"):
        return _drawn(lanes, cap, spread, grid, np.random.default_rng(seed))


def _drawn(
    lanes: Lanes, cap: float, spread: float, grid: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    height = (UNSEEN * cap) ** 2
    across = np.abs(grid[:, None] - lanes.x)
    between = np.abs(grid[:, None] - grid)
    kernels = _heaviest(_kernels(lanes, height, UNSEEN * cap, spread))
    counts = _shares(np.array([kernel.weight for kernel in kernels]), PATHS)
    paths = []
    for count, kernel in zip(counts, kernels, strict=True):
        reach = np.linalg.solve(kernel.factor, height * _matern(across / kernel.length).T)
        middle = UNSEEN * cap + reach.T @ kernel.half
        covariance = height * _matern(between / kernel.length) - reach.T @ reach
        covariance[np.diag_indices_from(covariance)] += 1e-5 * height
        root = np.linalg.cholesky(covariance)
        paths.append(middle + random.standard_normal((int(count), len(grid))) @ root.T)
    return np.concatenate(paths)


def _kernels(lanes: Lanes, height: float, middle: float, spread: float) -> list[_Kernel]:
    apart = np.abs(lanes.x[:, None] - lanes.x)
    own = lanes.seed[:, None] == lanes.seed
    mine = np.exp(-((apart / SEED_LENGTH) ** 2) / 2) * own
    choices = list(itertools.product(LENGTHS, PARTS, NOISES))
    among = np.stack([height * _matern(apart / length) for length, _, _ in choices])
    parts, noises = (np.array([choice[i] for choice in choices]) for i in (1, 2))
    among += ((parts * spread) ** 2)[:, None, None] * mine + max(OFFSET, 3 * spread) ** 2 * own
    diagonal = np.arange(len(lanes.x))
    among[:, diagonal, diagonal] += ((noises * spread) ** 2)[:, None] + lanes.extra
    factors = np.linalg.cholesky(among)
    rest = np.broadcast_to((lanes.y - middle)[:, None], (len(choices), len(lanes.x), 1))
    halves = np.linalg.solve(factors, rest)[..., 0]
    far = np.minimum(
        np.abs(halves), 1e150
    )  # scores of 1e300 are a loss that exploded, not an error
    logs = -(far**2).sum(1) / 2 - np.log(factors[:, diagonal, diagonal]).sum(1)
    # Levels near the spread that is seen are likelier beforehand than far ones.
    logs -= (np.log(parts) ** 2 + np.log(noises) ** 2) / (2 * np.log(4.0) ** 2)
    lengths = [choice[0] for choice in choices]
    return [_Kernel(*kernel) for kernel in zip(logs, lengths, factors, halves, strict=True)]


def _heaviest(kernels: list[_Kernel]) -> list[_Kernel]:
    """Those with most of the weight, heaviest first, weights (logarithms so far) then sum to 1."""
    logs = np.array([kernel.weight for kernel in kernels])
    weights = np.exp(logs - logs.max())
    order = np.argsort(-weights, kind="stable")
    total = np.cumsum(weights[order]) / weights.sum()
    order = order[: int(np.searchsorted(total, KEPT)) + 1]
    sum_ = weights[order].sum()
    return [kernels[i]._replace(weight=float(weights[i] / sum_)) for i in order]


def _matern(distance: np.ndarray) -> np.ndarray:
    scaled = np.sqrt(3) * distance
    return (1 + scaled) * np.exp(-scaled)


def _shares(weights: np.ndarray, total: int) -> np.ndarray:
    """`total` divided in proportion to `weights`, int[len(weights)], largest remainders first.

    >>> _shares(np.array([0.5, 0.3, 0.2]), 4).tolist()
    [2, 1, 1]
    """
    exact = weights * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(-(exact - counts), kind="stable")[: total - counts.sum()]] += 1
    return counts
