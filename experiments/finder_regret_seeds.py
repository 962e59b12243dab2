"""How far along the learning rates is a seed lucky? What `Priors.seed_length` is measured by.

At rates that cost at most 5 %, without a lane that diverged, the variance between seeds of the
difference of two rates, less what each rate has of its own (from second differences of
neighbours), over twice the variance between seeds at one rate: 1 minus the correlation of what a
seed adds to both. The median over pairs of problem and optimizer, beside 1 - exp(-d^2 / (2 L^2))
of the length L that fits best from a quarter of a decade to one.

Hypothesis: a seed that is good at one rate is good beside it, and no longer half a decade on.

Command: python experiments/finder_regret_seeds.py FOLDER ...  (of finder_regret.py --out FOLDER)

Cost: seconds, where the records are there.

Result: a length of 0.32 decades (59 pairs of *checked*), where `find` had assumed 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrlab.search.scores import sign_of

GOOD = 0.05
"""Shares of the gain that a rate may cost: beyond, seeds differ for other reasons."""

NOISELESS = 1e-4
"""Spreads between seeds, as a share of the gain, below which there is nothing to measure."""

CLASS = 0.125
"""Decades that distances are put together by: the steps of the records."""

PAIRS = 30
"""Least pairs of problem and optimizer that a median is of."""

FITTED = (0.24, 1.01)
"""Decades of distance that the length is fitted on; nearer, what each rate has of its own decides,
farther few pairs have good rates."""


class Luck(NamedTuple):
    """Of one pair: the share of its spread that each rate has of its own, and by the number of
    steps between two rates, 1 minus the correlation of what seeds add to both."""

    own: float
    apart: dict[int, float]


def luck_of(lanes: dict[str, np.ndarray]) -> Luck | None:
    """The luck of a record; None where fewer than three rates are good, or seeds do not matter."""
    sign = sign_of(str(lanes.get("direction", "min")))
    start, final = sign * lanes["initial"].astype(float), sign * lanes["metric"][-1].astype(float)
    ok = (lanes["outcome"] == "ok") & np.isfinite(final)
    score, x = np.where(ok, np.minimum(final, start), start), np.log10(lanes["lr"])
    mean = score.mean(1)
    gain = start.mean() - mean.min()
    good = np.flatnonzero((mean - mean.min() <= GOOD * gain) & ok.all(1))
    if len(good) < 3:
        return None
    spread = float(np.median(score[good].std(1, ddof=1)))
    if spread < NOISELESS * gain:
        return None
    middles = [i for i in good if i - 1 in good and i + 1 in good]
    second = [(score[i - 1] - 2 * score[i] + score[i + 1]).var(ddof=1) / 6 for i in middles]
    own = float(np.mean(second)) if second else 0.0
    apart: dict[int, list[float]] = {}
    for i in good:
        for j in good[good > i]:
            between = float((score[i] - score[j]).var(ddof=1)) - 2 * own
            apart.setdefault(round((x[j] - x[i]) / CLASS), []).append(between / (2 * spread**2))
    return Luck(own**0.5 / spread, {k: float(np.mean(v)) for k, v in apart.items()})


def length_of(distance: np.ndarray, apart: np.ndarray) -> float:
    """The length L, decades, at which 1 - exp(-d^2 / (2 L^2)) is nearest to what was measured."""
    lengths = np.linspace(0.1, 2, 191)
    expected = 1 - np.exp(-(distance[:, None] ** 2) / (2 * lengths**2))
    return float(lengths[((expected - apart[:, None]) ** 2).sum(0).argmin()])


def main(folders: list[Path]) -> None:
    records = sorted(path for folder in folders for path in folder.glob("*.npz"))
    all_of_them = (luck_of(dict(np.load(path))) for path in records)
    lucks = [luck for luck in all_of_them if luck is not None]
    own = np.median([luck.own for luck in lucks])
    print(f"{len(lucks)} pairs; of its own a rate has {own:.2f} of the spread (median)")
    distances, medians = [], []
    for steps in sorted({steps for luck in lucks for steps in luck.apart}):
        here = [luck.apart[steps] for luck in lucks if steps in luck.apart]
        if len(here) < PAIRS:
            continue
        distances.append(steps * CLASS)
        medians.append(float(np.median(here)))
    distance, apart = np.array(distances), np.array(medians)
    chosen = (distance > FITTED[0]) & (distance < FITTED[1])
    length = length_of(distance[chosen], apart[chosen])
    print("decades apart   1 - correlation   fitted")
    for d, value in zip(distance, apart, strict=True):
        print(f"{d:13.3f}   {value:15.2f}   {1 - np.exp(-(d**2) / (2 * length**2)):6.2f}")
    print(f"length: {length:.2f} decades")


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
