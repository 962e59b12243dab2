"""Recorded lanes for `finder_regret.py`: what a search would have trained is read instead."""

from __future__ import annotations

import numpy as np

from lrlab.core.records import DIVERGED, NOT_RUN, OK, OUTCOMES, PRUNED
from lrlab.search import Scores

TRUTH = 24
"""The first so many seeds of a record choose the best rate, the last so many are what all is read
on; searches get those between. With 12 and 12 the truth's own noise decided more than half of the
cases in which an interval was called wrong (17 pairs)."""


def searched(count: int) -> range:
    """The seeds of a record of `count` that searches get."""
    return range(TRUTH, count - TRUTH)


def replayed(lanes: dict, root: int):
    """A `train` for `find` that reads lanes from the record."""
    order = np.random.default_rng(root).permutation(searched(lanes["outcome"].shape[1]))
    evals, direction = lanes["eval_steps"], str(lanes.get("direction", "min"))

    def train(lr, seed, rungs=(), decide=None):
        i = np.abs(np.log(np.asarray(lr)[:, None] / lanes["lr"])).argmin(1)
        j = order[np.asarray(seed) % len(order)]
        metric = lanes["metric"][:, i, j].astype(float)
        outcome = (lanes["outcome"][i, j, None] == np.asarray(OUTCOMES)).argmax(-1)
        steps = lanes["steps_trained"][i, j].copy()
        at = lanes["diverged_at"][i, j]
        rest = lanes["lr"][i], np.asarray(seed)
        start, total = lanes["initial"][i, j], int(evals[-1])
        for step in rungs:
            later = (outcome == OK) | ((outcome == DIVERGED) & (at >= step))
            so_far = np.where((evals > step)[:, None], np.nan, metric)
            now = np.where(later, NOT_RUN, outcome)
            done = np.minimum(steps, step)
            keep = decide(
                step, Scores(*rest, so_far, evals, start, now, at, done, total, direction)
            )
            cut = later & ~keep
            outcome = np.where(cut, PRUNED, outcome)
            steps, metric = np.where(cut, step, steps), np.where(cut, so_far, metric)
        return Scores(*rest, metric, evals, start, outcome, at, steps, total, direction)

    return train
