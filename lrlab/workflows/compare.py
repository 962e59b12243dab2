"""`compare`: a search per entry, then its best rate on seeds that no search saw, paired."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrlab import config
from lrlab.config import Experiment
from lrlab.engine.memory import memory_scope
from lrlab.search.comparison import Comparison, compared
from lrlab.training.progress import USUAL, Control
from lrlab.training.recording import recorded
from lrlab.training.setup import Live, setup_of
from lrlab.workflows.finished import all_ended, ended, payload_of

FINAL_SEEDS = 5
"""Lanes of each entry's best rate, with the same fresh seeds for all entries: a search's own seeds
chose the rate, so its scores there are a little too good."""


@memory_scope()
def run_compare(
    experiment: Experiment,
    objects: Live,
    out: str | None,
    progress: bool,
    record: bool | None = None,
    lives: Mapping[str, Live] | None = None,
    control: Control = USUAL,
) -> Any:
    """`lrlab compare`: finds for every entry, each a run of its own inside the comparison's folder.

    A folder that holds an unfinished comparison is continued: entries that are done are read.
    """
    from lrlab.workflows.find import Ran, run_find

    began = time.perf_counter()
    merged = {name: (lives or {}).get(name, objects) for name in experiment.entries}
    _check(experiment, merged)

    def all_of(folder: Path | None) -> Comparison:
        answers, direction = {}, "min"
        for name, entry in experiment.entries.items():
            place = None if folder is None else str(folder / name)
            entry = entry.model_copy(update={"name": name})
            found = run_find(
                entry,
                merged[name],
                place,
                progress,
                folder is not None,
                final_seeds=FINAL_SEEDS,
                control=control._replace(part=True),
            )
            answers[name] = found.value
            direction = answers[name].details.get("direction", direction)
        base = None if folder is None else str(folder)
        return compared(answers, experiment.metric, direction)._replace(run=base)

    if path := ended("compare", experiment, None, out, record):
        all_ended(path / name for name in experiment.entries)
        return Ran(str(path), payload_of(path), all_of(path), read=True)
    with recorded("compare", experiment, None, out, record, control) as run:
        comparison = all_of(None if run is None else run.path)
        payload = {**comparison.payload(), "seconds": time.perf_counter() - began}
        if run is not None:
            run.finish(payload)
    return Ran(comparison.run, payload, comparison)


def _check(experiment: Experiment, objects: Mapping[str, Live]) -> None:
    """Puts every entry's group together, so that a mistake in the last is found before the first
    is trained.

    Raises:
        ConfigError: with the problems of all entries.
    """
    problems = []
    for name, entry in experiment.entries.items():
        low, high = entry.lr_range
        axes = {"lr": (low, high), **config.lane_axes(entry)}
        try:
            setup_of(entry, objects[name], axes=axes)
        except config.ConfigError as error:
            for one in error.problems:
                problems.append(one._replace(field=f"compare.{name}.{one.field}"))
    if problems:
        raise config.ConfigError(dict.fromkeys(problems))
