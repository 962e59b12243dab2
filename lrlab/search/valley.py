"""What losses over the learning rate look like: a bottom between two walls.

Too small a rate is slow, too large a one unstable, and between them rates make little difference.
With x log10 of the rate, a valley costs

    b(x) = saturated(left max(0, c - w/2 - x)^2 + right max(0, x - c - w/2)^2),

where c is the middle of the bottom, w its width, and left and right say how steep the walls are. A
Gaussian process alone draws bottoms that are too narrow: what makes it bend at a wall makes it
ripple beside it, and the lowest ripple is what regret is measured from. So its mean is a valley
here, and what it adds to that is small. On two problems with a wide plain (late_drop and
scale_free, 2 searches of 20 runs each) the bottoms that are left possible are 0.63 and 0.89 times
as wide as the truth, without valleys 0.43 and 0.47.

Valleys that agree with the lanes are found by importance sampling whose proposals follow the
weights (population Monte Carlo; Cappe et al. 2004, J. Comput. Graph. Stat. 13:907).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.search.settings import DEFAULTS, ValleyPriors

LARGEST_RESIDUAL = 1e150
"""Whitened residuals are cut here: scores of 1e300 are a loss that exploded, not an overflow."""

CENTERS = 60
"""Gaussians of which a round's proposals are a mixture."""

NARROWING = 0.6
"""Their standard deviation, in units of that of the valleys so far: wide enough that no valley is
left out, narrow enough that many proposals count (264 of 1,500 in the median of 45 searches)."""

TEMPERED = 40.0
"""Effective valleys that weights are evened out to before they say where to look next."""

LEAST_EFFECTIVE = 100.0
"""Effective valleys at which no further round is needed."""


class Whitening(NamedTuple):
    """One choice of scales: `inverse` f64[n, n] of the Cholesky factor of the lanes' covariance
    about a valley, and the logarithm of its weight before what lanes say of any valley."""

    inverse: np.ndarray
    weight: float


class Valleys(NamedTuple):
    """Valleys with their weights: `shape` f64[M, 4] as `valley` takes it; `logs` f64[H, M] the
    logarithm of the weight of each with each whitening; `evidence`: of all together."""

    shape: np.ndarray
    logs: np.ndarray
    evidence: float

    @property
    def effective(self) -> float:
        """How many valleys of equal weight tell as much."""
        return _effective(np.logaddexp.reduce(self.logs, 0))


def valley(x: np.ndarray, shape: np.ndarray, cap: float) -> np.ndarray:
    """Saturated regret f64[M, G] of valleys at log10 rates `x` f64[G].

    Args:
        shape: f64[M, 4]: the middle (log10); the natural logarithms of the width (decades) and of
            the left and the right wall (shares per square decade).
        cap: of the saturation.

    >>> valley(np.array([-3.0, -2.0, -1.5]), np.log([[np.exp(-2), 1.0, 0.04, 0.1]]), 1e9).round(4)
    array([[0.01, 0.  , 0.  ]])
    """
    middle, half = shape[:, :1], np.exp(shape[:, 1:2]) / 2
    left, right = (np.maximum(sign * (middle - x) - half, 0) for sign in (1, -1))
    cost = np.exp(shape[:, 2:3]) * left**2 + np.exp(shape[:, 3:]) * right**2
    return -cap * np.expm1(-cost / cap)


def sampled(
    x: np.ndarray,
    y: np.ndarray,
    cap: float,
    whitenings: list[Whitening],
    best: float,
    reach: tuple[float, float],
    random: np.random.Generator,
    priors: ValleyPriors = DEFAULTS.posterior.priors.valley,
) -> Valleys:
    """Valleys that agree with lanes.

    Args:
        x, y: f64[n] log10 rates and saturated regret.
        whitenings: the scales to average over.
        best: log10 of the rate that did best, where the looking begins.
        reach: the ends of where the middle may be, log10.
    """
    lowest = np.array([reach[0] - 1, *np.log([priors.widths[0], priors.walls[0], priors.walls[0]])])
    highest = np.array(
        [reach[1] + 1, *np.log([priors.widths[1], priors.walls[1], priors.walls[1]])]
    )
    level = -np.log(highest - lowest).sum()  # uniform, in log but for the middle

    def weighed(shape: np.ndarray, proposed: np.ndarray) -> Valleys:
        within = ((shape >= lowest) & (shape <= highest)).all(1)
        rest = y - valley(x, shape, cap)
        logs = np.stack([_likelihood(rest, one) for one in whitenings])
        logs = logs + np.where(within, level - proposed, -np.inf)
        return Valleys(shape, logs, float(np.logaddexp.reduce(logs.ravel())) - np.log(len(shape)))

    shape = random.uniform(lowest, highest, (priors.samples, 4))
    shape[:, 0] = random.normal(best, priors.around, priors.samples)
    proposed = _normal(shape[:, 0] - best, priors.around) - np.log(highest - lowest)[1:].sum()
    found = weighed(shape, proposed)
    for turn in range(priors.rounds):
        if turn > 1 and found.effective >= LEAST_EFFECTIVE:
            break
        found = weighed(*_proposals(found, random))
    return found


def _likelihood(rest: np.ndarray, whitening: Whitening) -> np.ndarray:
    far = np.minimum(np.abs(rest @ whitening.inverse.T), LARGEST_RESIDUAL)
    return whitening.weight - (far**2).sum(1) / 2


def _normal(distance: np.ndarray, scale: float) -> np.ndarray:
    return -((distance / scale) ** 2) / 2 - np.log(scale * np.sqrt(2 * np.pi))


def _proposals(found: Valleys, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Valleys near those that agree best, and the logarithm of the density they are drawn from."""
    count, size = found.shape.shape
    logs = np.logaddexp.reduce(found.logs, 0)
    logs = logs - logs.max()
    for _ in range(100):
        if _effective(logs) >= TEMPERED:
            break
        logs = 0.8 * logs
    weights = np.exp(logs) / np.exp(logs).sum()
    apart = found.shape - weights @ found.shape
    spread = apart.T @ (apart * weights[:, None]) + np.diag([1e-4, 1e-3, 1e-2, 1e-2])
    factor = NARROWING * np.linalg.cholesky(spread)
    centers = found.shape[random.choice(count, CENTERS, p=weights)]
    shape = centers[random.integers(0, CENTERS, count)]
    shape = shape + random.standard_normal((count, size)) @ factor.T
    straight = np.linalg.inv(factor)
    here, there = shape @ straight.T, centers @ straight.T
    square = (here**2).sum(1)[:, None] + (there**2).sum(1) - 2 * here @ there.T
    density = np.logaddexp.reduce(-square / 2, 1) - np.log(CENTERS)
    return shape, density - np.log(np.diag(factor)).sum() - size / 2 * np.log(2 * np.pi)


def _effective(logs: np.ndarray) -> float:
    """1 over the sum of squared weights, from their logarithms."""
    weights = np.exp(logs - logs.max())
    return float(weights.sum() ** 2 / (weights**2).sum())
