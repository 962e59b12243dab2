"""`compare`: a search per entry, then its best rate on seeds that no search saw, paired."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrlab.api.ended import all_ended, ended, payload_of
from lrlab.api.live import Live
from lrlab.api.recording import recorded
from lrlab.config import Experiment
from lrlab.search.comparison import Comparison, compared

FINAL_SEEDS = 5
"""Lanes of each entry's best rate, with the same fresh seeds for all entries: a search's own seeds
chose the rate, so its scores there are a little too good."""


def run_compare(
    experiment: Experiment,
    objects: Live,
    out: str | None,
    progress: bool,
    record: bool | None = None,
    lives: Mapping[str, Live] | None = None,
) -> Any:
    """`lrlab compare`: finds for every entry, each a run of its own inside the comparison's folder.

    A folder that holds an unfinished comparison is continued: entries that are done are read.
    """
    from lrlab.api.jobs import Ran, run_find

    began = time.perf_counter()

    def all_of(folder: Path | None) -> Comparison:
        answers, direction = {}, "min"
        for name, entry in experiment.entries.items():
            own = (lives or {}).get(name, Live())
            merged = Live(
                own.task or objects.task,
                own.optimizer or objects.optimizer,
                own.schedule or objects.schedule,
            )
            place = None if folder is None else str(folder / name)
            entry = entry.model_copy(update={"name": name})
            found = run_find(
                entry, merged, place, progress, folder is not None, final_seeds=FINAL_SEEDS
            )
            answers[name] = found.value
            direction = answers[name].details.get("direction", direction)
        base = None if folder is None else str(folder)
        return compared(answers, experiment.metric, direction)._replace(run=base)

    if path := ended("compare", experiment, None, out, record):
        all_ended(path / name for name in experiment.entries)
        return Ran(str(path), payload_of(path), all_of(path), read=True)
    with recorded("compare", experiment, None, out, record) as run:
        comparison = all_of(None if run is None else run.path)
        payload = {**comparison.payload(), "seconds": time.perf_counter() - began}
        if run is not None:
            run.finish(payload)
    return Ran(comparison.run, payload, comparison)
