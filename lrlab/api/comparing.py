"""`compare`: a search per entry, then its best rate on seeds that no search saw, paired."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lrlab.api.live import Live
from lrlab.api.progress import USUAL, Control
from lrlab.api.recording import recorded
from lrlab.config import Experiment
from lrlab.engine.memory import memory_scope
from lrlab.search.comparison import compared

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

    A folder that holds an unfinished comparison goes on: entries that are done are read.
    """
    from lrlab.api.jobs import Ran, run_find

    began = time.perf_counter()
    answers, direction = {}, "min"
    with recorded("compare", experiment, None, out, record, control) as run:
        for name, entry in experiment.entries.items():
            own = (lives or {}).get(name, Live())
            merged = Live(
                own.task or objects.task,
                own.optimizer or objects.optimizer,
                own.schedule or objects.schedule,
            )
            place = None if run is None else str(run.path / name)
            entry = entry.model_copy(update={"name": name})
            found = run_find(
                entry,
                merged,
                place,
                progress,
                run is not None,
                ended=True,
                final_seeds=FINAL_SEEDS,
                control=control,
            )
            answers[name] = found.value
            direction = answers[name].details.get("direction", direction)
        base = None if run is None else str(run.path)
        comparison = compared(answers, experiment.metric, direction)._replace(run=base)
        payload = {**comparison.payload(), "seconds": time.perf_counter() - began}
        if run is not None:
            run.finish(payload)
    return Ran(base, payload, comparison)
