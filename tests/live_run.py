"""A run that is under way, without training: what an engine would record, commit by commit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lrlab import runs
from lrlab.core.records import DIVERGED, NOT_RUN, OK
from lrlab.runs.recorder import Stage

STEPS, EVALS = 60, (20, 40, 60)

RATES = np.geomspace(1e-3, 10.0, 9)

CONFIG = """steps = 60
seeds = 2

[task]
name = "bowl"

[optimizer]
name = "momentum"
"""


def losses(lr: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """[steps, lanes]: best at 0.1, nan from step 30 on for the highest rate."""
    floor = 0.1 + np.log10(lr / 0.1) ** 2
    values = floor + (3.0 - floor) * np.exp(-steps[:, None] / 15.0)
    values[np.ix_(steps >= 30, lr >= 9.0)] = np.nan
    return values


class LiveRun:
    """The writer of such a run. A class because it holds the lock and the stage.

    `cells`: where the lanes stand in the grid of `rates` and two seeds; None: they fill it.
    `more`: further lines of the configuration.
    """

    def __init__(
        self,
        path: Path,
        command: str = "sweep",
        cells: np.ndarray | None = None,
        name: str = "bowl",
        rates: np.ndarray = RATES,
        more: str = "",
    ) -> None:
        manifest = {"modes": {"valid_loss": "min"}, "metric": "valid_loss"}
        self.run = runs.create(path, name, command, CONFIG + more, manifest)
        self.axes = {"lr": rates, "seed": np.array([0, 1])}
        self.cells = np.arange(2 * len(rates)) if cells is None else cells
        self.lr = np.repeat(rates, 2)[self.cells]
        self.done = 0
        self.path = path

    def begin(self, name: str = "") -> Stage:
        """The stage, made at the first commit: a run has none while it compiles."""
        self.stage = self.run.stage(name, STEPS, EVALS, self.axes, self.cells)
        self.done = 0
        return self.stage

    def advance(self, end: int) -> None:
        """Trains up to `end` updates, and commits."""
        if not self.done:
            self.begin()
        lanes = np.arange(len(self.lr))
        steps = np.arange(self.done, end)
        self.stage.rows("train_loss", "step", self.done, lanes, losses(self.lr, steps))
        at = [k for k, step in enumerate(EVALS) if self.done < step <= end]
        if at:
            values = losses(self.lr, np.array(EVALS)[at] - 1) + 0.05
            self.stage.rows("valid_loss", "eval_step", at[0], lanes, values)
        self.done = end
        self.stage.commit(self.arrays(), {"cohort": 0, "step": end, "seconds": end / 10.0})
        self.stage.wait()

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds of the lanes, and a state that nobody who looks needs."""
        lost = (self.lr >= 9.0) & (self.done > 30)
        ended = OK if self.done == STEPS else NOT_RUN
        return {
            "outcome": np.where(lost, DIVERGED, ended).astype(np.int8),
            "diverged_at": np.where(lost, 30, -1),
            "last_loss": losses(self.lr, np.array([29]))[0],
            "steps_trained": np.where(lost, 30, self.done),
            "initial_valid_loss": np.full(len(self.lr), 3.0),
            "lanes": np.arange(len(self.lr)),
            "state_000": np.zeros((len(self.lr), 7), np.float32),
        }

    def finish(self) -> None:
        """Trains to the end, with an answer."""
        self.advance(STEPS)
        self.stage.finish()
        evidence = [{"lr": lr, "seeds": [0], "scores": [0.1 + np.log10(lr / 0.1) ** 2],
                     "steps": [STEPS], "outcome": ["ok"]} for lr in RATES.tolist()]  # fmt: skip
        self.run.finish({
            "metric": "valid_loss", "seconds": 6.0, "lr": 0.1, "interval": [0.05, 0.2],
            "verdict": "interior", "sentence": "Train with learning rate 0.1.", "cost": 18.0,
            "evidence": evidence,
        })  # fmt: skip
        self.run.close()
