"""What population-based training gives back: members over generations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.core.brief import fields_of
from lrlab.core.score import LAST


class Population(NamedTuple):
    """What became of N members over G generations.

    `hyper` name -> f64[G, N]: what each member trained with; `scores` f[G, N]: `metric` at the
    generation's end, by its `score` (`lrlab.core.score`) of the ends so far; nan: diverged.
    `source` int[G - 1, N]: whose state each took over then (its own number: it continued). `steps`
    int[G]: updates done at each end. `train_loss` [T, N].
    """

    metric: str
    hyper: dict[str, np.ndarray]
    scores: np.ndarray
    source: np.ndarray
    steps: np.ndarray
    train_loss: np.ndarray
    score: str = LAST

    def __repr__(self) -> str:
        return fields_of(self)

    def schedule(self, name: str = "lr") -> np.ndarray:
        """The values that led to the best member, generation by generation, f64[G]: the schedule
        that the population came to."""
        member = int(np.nanargmin(self.scores[-1]))
        values = [self.hyper[name][-1, member]]
        for row, source in zip(self.hyper[name][-2::-1], self.source[::-1], strict=True):
            member = int(source[member])
            values.append(row[member])
        return np.array(values[::-1])
