"""Recorded lanes for `finder_regret_axes.py`, and for peers: read instead of trained. Only numpy is
needed to read a score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SEEDS = 48
"""Of a record; searches see the second half."""


def order_of(root: int) -> np.ndarray:
    """The seeds of a record that a search sees, in its order."""
    return np.random.default_rng(root).permutation(np.arange(SEEDS // 2, SEEDS))


def scores_of(lanes: dict[str, np.ndarray]) -> np.ndarray:
    """min(final, initial) of each lane, its initial value where it diverged: f64[L, V, S] or as few
    as `lanes` hold."""
    start, final = lanes["initial"], lanes["metric"][-1]
    good = (lanes["outcome"] == "ok") & np.isfinite(final)
    return np.where(good, np.minimum(final, start), start).astype(float)


def between(lanes: dict[str, np.ndarray], lr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of the rate below each of `lr`, and the weights of the one above."""
    x, at = np.log(lanes["lr"]), np.log(np.asarray(lr, float))
    low = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    return low, np.clip((at - x[low]) / (x[low + 1] - x[low]), 0, 1)


def score_at(lanes: dict[str, np.ndarray], lr: float, value: int, seed: int) -> float:
    """What a run would have scored."""
    (low,), (weight,) = between(lanes, np.array([lr]))
    some = {k: lanes[k][..., value, seed] for k in ("metric", "initial", "outcome")}
    curve = scores_of(some)
    return float((1 - weight) * curve[low] + weight * curve[low + 1])


def replayed(lanes: dict[str, np.ndarray], axis: str, order: Sequence[int]):
    """A `train` for `find_axes` that reads lanes from the record."""
    from lrlab.core.records import DIVERGED, NOT_RUN, OK, OUTCOMES, PRUNED
    from lrlab.search import Scores

    evals, kinds = lanes["eval_steps"], np.asarray(OUTCOMES)

    def train(lr, seed, rungs=(), decide=None, further=None):
        lr, seed = np.asarray(lr, float), np.asarray(seed)
        low, weight = between(lanes, lr)
        k = np.abs(np.asarray(further[axis])[:, None] - lanes["values"]).argmin(1)
        j = np.asarray(order)[seed % len(order)]
        i = np.where(weight > 0.5, low + 1, low)  # what happens is the nearest rate's
        ends = [lanes["metric"][:, at, k, j].astype(float) for at in (low, low + 1)]
        fine = [lanes["outcome"][at, k, j] == "ok" for at in (low, low + 1)]
        metric = lanes["metric"][:, i, k, j].astype(float)
        both = fine[0] & fine[1]
        w = weight[both]
        metric[:, both] = (1 - w) * ends[0][:, both] + w * ends[1][:, both]
        outcome = (lanes["outcome"][i, k, j][:, None] == kinds).argmax(-1)
        steps, at = lanes["steps_trained"][i, k, j].copy(), lanes["diverged_at"][i, k, j]
        start, total = lanes["initial"][i, k, j], int(evals[-1])
        for step in rungs:
            later = (outcome == OK) | ((outcome == DIVERGED) & (at >= step))
            so_far = np.where((evals > step)[:, None], np.nan, metric)
            now, done = np.where(later, NOT_RUN, outcome), np.minimum(steps, step)
            keep = decide(step, Scores(lr, seed, so_far, evals, start, now, at, done, total))
            cut = later & ~keep
            outcome = np.where(cut, PRUNED, outcome)
            steps, metric = np.where(cut, step, steps), np.where(cut, so_far, metric)
        return Scores(lr, seed, metric, evals, start, outcome, at, steps, total)

    return train
