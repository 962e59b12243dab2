"""What a replay gives back: one lane of a run, watched update by update."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.core.brief import fields_of


class Replay(NamedTuple):
    """What a lane did. `steps` int[n]: the updates watched; `series` name -> f64[n], each read at
    that update: `train_loss` (before it), `learning_rate`, `gradient_norm`, `update_norm`,
    `weight_norm` and `update_to_weight` (after it), and what the probes measure; of a step of one's
    own (`Task.step`) no norms. `stored_loss` f64[n]: what the run recorded. `same`: every loss
    equals the recorded one, bit for bit."""

    run: str
    lane: dict[str, float]
    outcome: str
    diverged_at: int
    steps: np.ndarray
    series: dict[str, np.ndarray]
    stored_loss: np.ndarray
    same: bool
    sentence: str

    def __repr__(self) -> str:
        return fields_of(self)
