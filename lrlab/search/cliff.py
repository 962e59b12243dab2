"""How probably a further seed diverges at a rate: where some lanes did, and others survived.

A few lanes that survive just below a rate at which others diverged do not show that all would. Each
lane has a largest rate that it survives; over lanes its log10 is logistic, with a middle and a
width that the lanes leave open. A lane that diverges gains nothing, so that a rate costs what its
curve says and, as often as that happens, the rest of the gain.
"""

from __future__ import annotations

import numpy as np

from lrlab.search.gaussian_process import saturated, unsaturated
from lrlab.search.scores import Table
from lrlab.search.settings import CliffPriors

STEP = 0.02
"""Decades between candidates for the middle."""

BEYOND = 0.5
"""Decades that the middle may lie beyond the rates that were tried."""


def diverging(
    whole: Table, grid: np.ndarray, count: int, random: np.random.Generator, priors: CliffPriors
) -> np.ndarray | None:
    """`count` possible shares of the seeds that diverge at each rate of `grid` (log10, f64[G]),
    f64[count, G], drawn given the lanes; None where no lane diverged.

    P(a lane at x diverges) is logistic in (x - middle) / width; middles are uniform over what was
    tried, widths over `priors.widths`. `priors.chance` of the lanes do otherwise for other reasons.
    """
    broken = whole.diverged & (whole.steps_trained > 0)
    if not broken.any():
        return None
    x = np.log10(whole.lr)
    failed, survived = broken.sum(1), (np.isfinite(whole.score) & ~broken).sum(1)
    middles = np.arange(x[0] - BEYOND, x[-1] + BEYOND, STEP)
    widths = np.array(priors.widths)
    share = _logistic((x - middles[:, None, None]) / widths[:, None])  # [middles, widths, rates]
    share = priors.chance + (1 - 2 * priors.chance) * share
    log = (failed * np.log(share) + survived * np.log1p(-share)).sum(-1)
    weight = np.exp(log - log.max()).ravel()
    drawn = random.choice(weight.size, count, p=weight / weight.sum())
    middle, width = middles[drawn // len(widths)], widths[drawn % len(widths)]
    return _logistic((grid - middle[:, None]) / width[:, None])


def _logistic(x: np.ndarray) -> np.ndarray:
    """The share of a logistic distribution of standard deviation 1 that lies below x."""
    return (1 + np.tanh(np.pi / np.sqrt(12) * x)) / 2


def with_divergence(curves: np.ndarray, share: np.ndarray | None, cap: float) -> np.ndarray:
    """Possible curves of the saturated regret, f64[N, G], where `share` of the seeds, f64[N, G],
    lose the whole gain.

    >>> with_divergence(np.array([[0.01]]), np.array([[0.0]]), 0.2)
    array([[0.01]])
    """
    if share is None:
        return curves
    regret = unsaturated(curves, cap)
    # Near the cap nothing is told apart, and turning back and forth is not exact.
    return np.where(
        share > 1e-6, np.maximum(saturated(regret + share * (1 - regret), cap), curves), curves
    )
