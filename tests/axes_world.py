"""Training with a known answer along further lane axes, for tests of searches."""

from __future__ import annotations

import numpy as np

from lrlab.core.records import DIVERGED, OK, PRUNED
from lrlab.search import Scores, find_axes

STEPS, EVALS = 100, list(range(5, 101, 5))
START, CURVATURE = 2.0, 0.3


class World:
    """The loss falls from 2 towards a floor that depends on the axes, where the rate is `best` of
    them; 0.3 more for each squared decade from it. `noise`: what a seed adds everywhere, `own`: to
    each lane by itself. It diverges `breaks` times above the best rate."""

    def __init__(self, best, floor, noise=0.0, breaks=np.inf, own=0.0) -> None:
        self.best, self.floor, self.noise, self.breaks = best, floor, noise, breaks
        self.own = own
        self.calls: list[int] = []

    def train(self, lr, seed, rungs=(), decide=None, further=None):
        self.calls.append(len(lr))
        lr, seed = np.asarray(lr), np.asarray(seed)
        optimum, floor = self.best(**further), self.floor(**further)
        luck = np.array([np.random.default_rng(int(s)).normal() for s in seed]) * self.noise
        if self.own:
            values = np.stack(list(further.values()))
            keys = zip(seed.tolist(), np.log(lr).tolist(), values.T.tolist(), strict=True)
            bits = [abs(hash((s, round(x, 6), *v))) for s, x, v in keys]
            luck = luck + self.own * np.array([np.random.default_rng(b).normal() for b in bits])
        end = np.minimum(START, floor + CURVATURE * (np.log10(lr) - np.log10(optimum)) ** 2 + luck)
        share = (np.array(EVALS) / STEPS)[:, None]
        metric = START + (end - START) * share
        broken = lr > self.breaks * optimum
        metric[:, broken] = np.nan
        kinds = np.where(broken, DIVERGED, OK)
        trained = np.where(broken, 3, STEPS)
        for rung in rungs:
            so_far = self._scores(lr, seed, metric, kinds, broken, trained)
            cut = ~decide(rung, so_far) & (kinds == OK)
            kinds = np.where(cut, PRUNED, kinds)
            trained = np.where(cut, rung, trained)
            metric[np.array(EVALS) > rung] = np.where(cut, np.nan, metric[np.array(EVALS) > rung])
        return self._scores(lr, seed, metric, kinds, broken, trained)

    def _scores(self, lr, seed, metric, kinds, broken, trained) -> Scores:
        when, start = np.where(broken, 2, -1), np.full(len(lr), START)
        return Scores(
            lr, seed, metric, np.array(EVALS), start, kinds, when, trained, STEPS,
        )  # fmt: skip


def search(world, axes, **options):
    return find_axes(
        world.train, axes=axes, lr_range=(1e-5, 10.0), seeds=[0, 1, 2], steps=STEPS,
        eval_steps=EVALS, metric="valid_loss", **options,
    )  # fmt: skip
