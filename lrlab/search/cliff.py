"""How probably a further seed diverges at a rate: where some lanes did, and others survived.

A few lanes that survive just below a rate at which others diverged do not show that all would. Each
lane has a largest rate that it survives; over lanes its log10 is logistic, with a middle and a
width that the lanes leave open. A lane that diverges gains nothing, so that a rate costs what its
curve says and, as often as that happens, the rest of the gain. A lane that ends no better than it
began, where a smaller rate trains, counts as one that diverged (`seed_effects.exploded`).
"""

from __future__ import annotations

import numpy as np

from lrlab.search import seed_effects
from lrlab.search.gaussian_process import saturated, unsaturated
from lrlab.search.scores import Table
from lrlab.search.settings import CliffPriors

STEP = 0.02
"""Decades between candidates for the middle."""

BEYOND = 0.5
"""Decades that the middle may lie beyond the rates that were tried."""

NOTHING = 1e-6
"""Share of the seeds: where no more diverge, a curve stays as it is."""


def diverging(
    whole: Table, grid: np.ndarray, count: int, random: np.random.Generator, priors: CliffPriors
) -> np.ndarray | None:
    """Possible shares of the seeds that diverge at each rate of a grid, drawn given the lanes.

    A candidate is a middle and a width; a lane at x (log10 of its rate) diverges with the
    probability that is logistic in (x - middle) / width. Middles are uniform over what was tried
    and `BEYOND`, widths over `priors.widths`.

    Args:
        whole: the lanes of full length.
        grid: log10 of the rates, f64[G].
        count: how many candidates are drawn.
        priors: widths, and how many of the lanes do otherwise than their candidate says.

    Returns:
        f64[count, G], each row ascending where `grid` is; None where no lane diverged.
    """
    broken = seed_effects.exploded(whole)
    if not broken.any():
        return None
    x = np.log10(whole.lr)
    failed, survived = broken.sum(1), (np.isfinite(whole.score) & ~broken).sum(1)
    middles = np.arange(x[0] - BEYOND, x[-1] + BEYOND, STEP)
    widths = np.array(priors.widths)
    diverges = _logistic((x - middles[:, None, None]) / widths[:, None])  # [middles, widths, rates]
    diverges = priors.chance + (1 - 2 * priors.chance) * diverges
    log_likelihood = (failed * np.log(diverges) + survived * np.log1p(-diverges)).sum(-1)
    weight = np.exp(log_likelihood - log_likelihood.max()).ravel()
    drawn = random.choice(weight.size, count, p=weight / weight.sum())
    middle, width = middles[drawn // len(widths)], widths[drawn % len(widths)]
    return _logistic((grid - middle[:, None]) / width[:, None])


def _logistic(x: np.ndarray) -> np.ndarray:
    """The share of a logistic distribution of standard deviation 1 that lies below x."""
    return (1 + np.tanh(np.pi / np.sqrt(12) * x)) / 2


def with_divergence(curves: np.ndarray, share: np.ndarray | None, cap: float) -> np.ndarray:
    """Possible curves of regret where some of the seeds lose the whole gain.

    Args:
        curves: regret as a share of the gain, `saturated` at `cap`, f64[N, G].
        share: of the seeds that diverge, f64[N, G] (see `diverging`); None: none do.
        cap: where regret saturates.

    Returns:
        f64[N, G], saturated too, and nowhere below `curves`.

    >>> with_divergence(np.array([[0.01]]), np.array([[0.0]]), 0.2)
    array([[0.01]])
    """
    if share is None:
        return curves
    regret = unsaturated(curves, cap)
    costs = saturated(regret + share * (1 - regret), cap)
    # `unsaturated` is no exact inverse near the cap, where all rates are alike.
    return np.where(share > NOTHING, np.maximum(costs, curves), curves)
