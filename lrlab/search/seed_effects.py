"""Levels, seed effects and noise of a table of scores."""

from __future__ import annotations

import numpy as np

from lrlab.search.scores import Table

FIT_SPAN = 0.3
"""Seed effects are fitted on rates whose level is within this share of the span of all levels from
the best: far off, scores say little about a seed."""

NOISE_SPAN = 0.1
"""Noise is measured on rates whose level is within this share of the gap from the best: between bad
rates seeds differ for other reasons."""

TRAINS = 0.5
"""Share of the gap that the mean of a rate gains where the rate is not too small: lanes of larger
ones that gain nothing exploded."""

MAX_ROUNDS = 50
"""Alternating means, at most; a few settle every table that has an overlap."""


def usable(table: Table) -> np.ndarray:
    """Rates with at least one full-length score; bool[L]."""
    return np.asarray(np.isfinite(table.score).any(1))


def mean_initial(table: Table) -> float:
    """The mean value before training; nan where it was never finite."""
    finite = table.initial[np.isfinite(table.initial)]
    return float(finite.mean()) if finite.size else float("nan")


def gap(table: Table) -> float:
    """Initial value minus the best mean score: what training gains; the unit of regret. Where the
    initial value is not known, what the rates differ by."""
    means = mean_scores(table)
    if not np.isfinite(means).any():
        return 0.0
    initial, best = mean_initial(table), float(np.nanmin(means))
    return initial - best if np.isfinite(initial) else float(np.nanmax(means)) - best


def gains(table: Table, chance: float) -> bool:
    """Whether any rate comes out below the metric before training, by more than rounding and than
    `chance` standard deviations between seeds there; yes where that metric is not known.

    Also of the same seeds alone: where seeds differ far more than rates do, the mean of a rate that
    only lucky ones had is low before training too. Neither is a share of the loss: a constant added
    to it changes nothing.
    """
    initial = table.initial[np.isfinite(table.initial)]
    if not initial.size:
        return True
    gained = table.initial - table.score
    rates = np.isfinite(gained).any(1)
    own = np.nanmean(gained[rates], 1).max() if rates.any() else np.inf
    return min(gap(table), float(own)) > max(table.rounding, chance * float(initial.std()))


def mean_scores(table: Table) -> np.ndarray:
    """Mean over seeds with what each seed adds to every rate taken out, f64[L]; nan without scores.

    Rates that were tried with different seeds are then comparable.
    """
    return effects(table)[0]


def effects(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """(level f64[L], effect f64[S]) of score[l, s] = level_l + effect_s, fitted by alternating
    means over the scores that there are; a level is nan where its rate has none."""
    score, rates = table.score, usable(table)
    seen = np.isfinite(score)
    effect = np.zeros(score.shape[1])
    level = np.full(len(score), np.nan)
    for _ in range(MAX_ROUNDS):
        level[rates] = _mean(np.where(seen, score - effect, 0)[rates], seen[rates], 1)
        best = np.nanmin(level)
        near = rates & (level <= best + FIT_SPAN * np.nanmax(level - best))
        mask = seen & near[:, None]
        residual = np.where(mask, score - np.nan_to_num(level)[:, None], 0)
        new = _mean(residual, mask, 0)
        new = new - new[mask.any(0)].mean() if mask.any() else new
        if np.allclose(new, effect, atol=1e-12):
            break
        effect = new
    return level, effect


def _mean(values: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    return (values * mask).sum(axis) / np.maximum(mask.sum(axis), 1)


def noise_of(table: Table, everywhere: bool = False) -> float | None:
    """The standard deviation between seeds near the best rates, shared seed effects taken out; None
    where no rate there had two seeds. `everywhere`: at the best rate that had."""
    level = mean_scores(table)
    rates = usable(table)
    with np.errstate(invalid="ignore"):
        near = rates & (level <= np.nanmin(level) + NOISE_SPAN * max(gap(table), 0))
    several = rates & (np.isfinite(table.score).sum(1) > 1)
    if everywhere and several.any():
        near = several & (level <= level[several].min())
    residuals = table.score[near] - level[near][:, None]
    many = np.isfinite(residuals).sum(1) > 1
    if not many.any():
        return None
    residuals = residuals[many]
    freedom = int((np.isfinite(residuals).sum(1) - 1).sum())
    return float(np.sqrt(np.nansum((residuals - np.nanmean(residuals, 1)[:, None]) ** 2) / freedom))


def exploded(table: Table) -> np.ndarray:
    """Lanes whose rate was too large, bool[L, S]: those that diverged, and those that ended no
    better than they began although a smaller rate trains (`TRAINS`). With clipped losses,
    accuracies, or Adam's bounded steps nothing ever becomes infinite."""
    broken = np.asarray(table.diverged & (table.steps_trained > 0))
    gained = mean_initial(table) - mean_scores(table)
    with np.errstate(invalid="ignore"):  # nan: not tried, or not known
        trains = np.flatnonzero(gained > TRAINS * gap(table))
        lost = table.score >= table.initial - table.rounding
    larger = np.arange(len(table.lr)) > (trains[0] if trains.size else len(table.lr))
    return broken | (lost & larger[:, None])


def largest_stable(table: Table) -> float | None:
    """The largest rate below which no tried rate diverged for any seed; None where none did."""
    broken = (table.diverged & (table.steps_trained > 0)).any(1)
    if not broken.any():
        return None
    first = int(np.argmax(broken))
    return None if first == 0 else float(table.lr[first - 1])
