"""What is logged to: the one protocol of trackers and of loggers of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from lrlab.core.text import JsonObject


class Place(NamedTuple):
    """Where a tracker keeps what is its own, and how its run is called.

    `folder`: `log` in the run folder; None where nothing is recorded. `id`: the same for as long as
    the run folder lives, letters and digits; by it a continued run finds its tracker run. `name`:
    for people.
    """

    folder: Path | None
    id: str
    name: str


@runtime_checkable
class Logger(Protocol):
    """Something that runs are logged to, `log=[logger]`. All calls come from the process and the
    thread that called lrlab, after what they say is committed in the run folder (where there is
    one). One that raises is reported once, and training continues without it.

    A search trains in several stages, each with lanes of its own: `start` is called at the
    beginning of each; a sweep has one. Where a killed run is continued, a step that was under way
    may come a second time, unless `start` says what is there.

    >>> class Printer:
    ...     def start(self, config):
    ...         print("lanes:", config["lanes"])
    ...     def lanes(self, step, metrics):
    ...         print(step, metrics["valid_loss"].shape)
    ...     def finish(self, summary, files):
    ...         print(sorted(summary["best"]))
    >>> import lrlab
    >>> result = lrlab.sweep("wine-linear", optimizer="sgd", lr=[0.01, 0.1], steps=20, seeds=1,
    ...                      batch_size=16, eval_every=10, progress=False, log=[Printer()])
    lanes: {'lr': [0.01, 0.1], 'seed': [0]}
    10 (2, 1)
    20 (2, 1)
    ['interval', 'lr', 'sentence', 'verdict']
    """

    def start(self, config: JsonObject) -> int | None:
        """A run, or a stage of a search, begins, or continues.

        `config`: `name`, `command`, `run` (its folder, or None), `experiment` (the whole
        configuration), `stage` (its number), `first_step` (updates of full length before this
        stage: add it where steps must grow over a search), `steps`, `lanes` (axis -> values in the
        arrays' order), `directions` (metric -> "min" or "max"), `metric` (the one that decides).

        Returns:
            The last step of this stage that is logged already, 0 for none; None to go by what the
            run folder says.
        """
        ...

    def lanes(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """What the evaluation after `step` updates of the stage measured: name -> array with the
        stage's lane axes, nan where a lane had ended (or, in a search, there is none). Of what is
        recorded at every update (`train_loss`, `learning_rate`) it is the row of the last one."""
        ...

    def finish(self, summary: JsonObject, files: Sequence[Path]) -> None:
        """The run has its answer. `summary`: the command's JSON object, and the answer; `files`:
        those of the run folder that are worth keeping with it."""
        ...
