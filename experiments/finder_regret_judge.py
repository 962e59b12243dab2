"""How `finder_regret.py` judges an answer: the truth of a pair, and whether an interval is right.

Regret is (score - best) / (initial - best). The truth is a curve through 49 rates, linear in log LR
between them; its best rate was chosen on other seeds than those that it is read on. A metric that
is to be maximized is judged by its negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from finder_regret_replay import TRUTH

from lrlab.search.scores import sign_of

TOLERANCE = 0.01
"""Share of what training gains: what a rate may cost and be good enough."""

LIMIT = 3.0
"""Tolerances that no rate of an interval may cost."""

FINE = 200
"""Points of the curve per decade."""

ERRORS = 2.0
"""Standard errors of the truth that everything is allowed."""


class Swept(NamedTuple):
    """The truth at the 49 rates that were trained: `lr`, `regret` and its standard error `error`
    f64[49]; `best` the place of the best; its score and the one before training in the metric's own
    direction."""

    lr: np.ndarray
    regret: np.ndarray
    error: np.ndarray
    best: int
    best_score: float
    initial_score: float


class Truth(NamedTuple):
    """`x` f64[G] log10 rates, 200 per decade from 1e-5 to 10; `regret`, `error` f64[G] its standard
    error; `best`: log10 of the best rate; `step`: decades between two rates that were trained."""

    x: np.ndarray
    regret: np.ndarray
    error: np.ndarray
    best: float
    step: float


def swept(lanes: Mapping[str, np.ndarray]) -> Swept:
    """The truth of a pair: the first `TRUTH` seeds of its record choose the best rate, all is read
    on the last `TRUTH`."""
    sign = sign_of(str(lanes.get("direction", "min")))
    start, final = sign * lanes["initial"].astype(float), sign * lanes["metric"][-1].astype(float)
    good = (lanes["outcome"] == "ok") & np.isfinite(final)
    score, x = np.where(good, np.minimum(final, start), start), np.log10(lanes["lr"])
    within = (x > -5.01) & (x < 1.01)  # a search may look beyond; the truth is these 49
    score = score[within]
    best = int(score[:, :TRUTH].mean(1).argmin())
    held = score[:, -TRUTH:]
    mean, initial = held.mean(1), float(start[:, -TRUTH:].mean())
    gap = initial - mean[best]
    regret = np.maximum((mean - mean[best]) / gap, 0)
    error = (held - held[best]).std(1, ddof=1) / np.sqrt(TRUTH) / gap
    return Swept(lanes["lr"][within], regret, error, best, sign * float(mean[best]), sign * initial)


def truth_of(lanes: Mapping[str, np.ndarray]) -> Truth:
    """The truth of a pair as a curve, from its record."""
    return curve(swept(lanes))


def curve(found: Swept) -> Truth:
    """The truth between the rates that were trained, linear in log LR."""
    x = np.log10(found.lr)
    fine = np.linspace(x[0], x[-1], int((x[-1] - x[0]) * FINE) + 1)
    curves = (np.interp(fine, x, values) for values in (found.regret, found.error))
    return Truth(fine, *curves, float(x[found.best]), float(x[1] - x[0]))


def regret_at(truth: Truth, lr: float | None) -> tuple[float, float]:
    """(regret, its standard error) at a rate; none, and one beyond the truth, cost everything."""
    if (
        lr is None
        or not np.isfinite(lr)
        or not truth.x[0] <= np.log10(max(lr, 1e-300)) <= truth.x[-1]
    ):
        return 1.0, 0.0
    place = np.log10(lr)
    return tuple(float(np.interp(place, truth.x, curve)) for curve in (truth.regret, truth.error))


def good(truth: Truth, tolerance: float) -> np.ndarray:
    """The rates whose regret is within a tolerance, bool[G]; at least a step of the sweep wide."""
    within = truth.regret <= tolerance
    if within.sum() < truth.step * FINE:
        within = np.abs(truth.x - truth.best) <= truth.step / 2
    return within


def judged(
    truth: Truth, interval: tuple[float, float], tolerance: float
) -> dict[str, float | bool]:
    """An interval against the truth. `sound`: no rate inside costs more than `LIMIT` tolerances
    (and the truth's error); `cover`: the part (in log) of the good rates that it holds; `right`:
    sound, with half of them or more; `width`: its decades over theirs."""
    low, high = np.log10(interval)
    inside = (truth.x >= low - 1e-9) & (truth.x <= high + 1e-9)
    inside[np.abs(truth.x - (low + high) / 2).argmin()] |= not inside.any()
    sound = (truth.regret[inside] <= LIMIT * tolerance + ERRORS * truth.error[inside]).all()
    within = good(truth, tolerance)
    cover = (inside & within).sum() / within.sum()
    width = (high - low) / (within.sum() / FINE)
    right = bool(sound and cover >= 0.5)
    return {"sound": bool(sound), "cover": float(cover), "right": right, "width": float(width)}


def biases(evidence, fit, direction: str = "min") -> list[float]:
    """(fit - mean over seeds) / standard error at each rate with five seeds or more, mirrored where
    the metric is to be maximized: above 0 is worse than the data."""
    result = []
    for row in evidence if fit else ():
        scores = np.array([score for score in row["scores"] if score is not None], float)
        if len(scores) >= 5 and scores.std() > 0:
            at = np.interp(np.log(row["lr"]), np.log(fit["lr"]), fit["mean"])
            error = scores.std(ddof=1) / np.sqrt(len(scores))
            result.append(float(sign_of(direction) * (at - scores.mean()) / error))
    return result
