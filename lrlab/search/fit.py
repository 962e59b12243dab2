"""The loss as a smooth function of log learning rate, from a few noisy scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.search.scores import Table

LENGTH = 0.6
"""Decades: how far a score speaks for its neighbors."""

CAP = 0.1
"""Scores above the best by more than this share of the gap are all the same: bad."""


class Curve(NamedTuple):
    """Mean score against learning rate: `lr` f64[G] a fine grid, `mean` and `error` f64[G], one
    standard deviation of what is not known (seed noise, and the distance to rates that were tried);
    `noise` the standard deviation between seeds at one rate, after the part that all rates of a
    seed share was taken out."""

    lr: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    noise: float


def usable(table: Table) -> np.ndarray:
    """Rates with at least one full-length score; bool[L]."""
    return np.asarray(np.isfinite(table.score).any(1))


def start(table: Table) -> float:
    """The mean value before training; nan where it was never finite."""
    known = table.initial[np.isfinite(table.initial)]
    return float(known.mean()) if known.size else float("nan")


def gap(table: Table) -> float:
    """Initial value minus the best mean score: what training gains; the unit of regret."""
    means = mean_scores(table)
    return start(table) - float(np.nanmin(means)) if np.isfinite(means).any() else 0.0


def mean_scores(table: Table) -> np.ndarray:
    """Mean over seeds with what each seed adds to every rate taken out, f64[L]; nan without scores.

    Rates that were tried with different seeds are then comparable: score[l, s] = rate_l + seed_s,
    fitted by alternating means over the scores that there are.
    """
    score, rates = table.score, usable(table)
    seen = np.isfinite(score)
    effect = np.zeros(score.shape[1])
    level = np.full(len(score), np.nan)
    for _ in range(50):
        level[rates] = _mean(np.where(seen, score - effect, 0)[rates], seen[rates], 1)
        # Seeds are compared near the best rates: far off, scores say little about a seed.
        near = rates & (level <= np.nanmin(level) + 0.3 * np.nanmax(level - np.nanmin(level)))
        mask = seen & near[:, None]
        residual = np.where(mask, score - np.nan_to_num(level)[:, None], 0)
        new = _mean(residual, mask, 0)
        new = new - new[mask.any(0)].mean() if mask.any() else new
        if np.allclose(new, effect, atol=1e-12):
            break
        effect = new
    return level


def _mean(values: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    return (values * mask).sum(axis) / np.maximum(mask.sum(axis), 1)


def curve(table: Table, per_decade: int = 48) -> Curve:
    """A Gaussian process through the mean scores in log LR, with the noise between seeds.

    Matern 3/2 kernel of length `LENGTH`: continuous, but free to turn at a cliff, so that it does
    not dip between points as a polynomial does. Scores far above the best (instability, too small
    rates) are capped: a cliff repels without bending the valley beside it.
    """
    rates = usable(table)
    x, y = np.log10(table.lr[rates]), mean_scores(table)[rates]
    counts = np.isfinite(table.score[rates]).sum(1)
    noise = noise_of(table)
    height = max(CAP * abs(gap(table)), 4 * noise, 1e-12 * max(1.0, float(np.abs(y).max())))
    y = np.minimum(y, y.min() + height)
    inside = np.linspace(x[0], x[-1], int((x[-1] - x[0]) * per_decade) + 2)
    grid = np.unique(np.concatenate([inside, x]))
    center, spread = float(np.median(y)), height / 2
    among = spread**2 * _matern(x[:, None] - x) + np.diag(noise**2 / counts + (1e-3 * spread) ** 2)
    across = spread**2 * _matern(grid[:, None] - x)
    solved = np.linalg.solve(among, np.column_stack([y - center, across.T]))
    mean = center + across @ solved[:, 0]
    variance = spread**2 - np.einsum("ij,ji->i", across, solved[:, 1:])
    return Curve(10**grid, mean, np.sqrt(np.maximum(variance, 0)), noise)


def _matern(distance: np.ndarray) -> np.ndarray:
    scaled = np.sqrt(3) * np.abs(distance) / LENGTH
    return (1 + scaled) * np.exp(-scaled)


def noise_of(table: Table) -> float:
    """The standard deviation between seeds near the best rates, shared seed effects taken out."""
    level = mean_scores(table)
    rates = usable(table)
    with np.errstate(invalid="ignore"):
        near = rates & (level <= np.nanmin(level) + 0.1 * max(gap(table), 0))
    residuals = table.score[near] - level[near][:, None]
    many = np.isfinite(residuals).sum(1) > 1
    if not many.any():
        return 0.0
    residuals = residuals[many]
    freedom = int((np.isfinite(residuals).sum(1) - 1).sum())
    return float(np.sqrt(np.nansum((residuals - np.nanmean(residuals, 1)[:, None]) ** 2) / freedom))


def largest_stable(table: Table) -> float | None:
    """The largest rate below which no tried rate diverged for any seed; None where none did."""
    ran = table.steps_trained > 0
    broken = (table.diverged & ran).any(1)
    if not broken.any():
        return None
    first = int(np.argmax(broken))
    return None if first == 0 else float(table.lr[first - 1])
