"""`compare`: a search per entry, then its best rate on seeds that no search saw, paired."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lrlab.api.live import Live
from lrlab.config import Experiment
from lrlab.search.comparison import compared

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
    """`lrlab compare`: finds for every entry, each in its own folder under `out`."""
    from lrlab.api.jobs import Ran, run_find
    from lrlab.runs.folder import fresh_path

    began = time.perf_counter()
    answers, direction = {}, "min"
    keep = record or out is not None
    base = None
    if keep:
        base = out or str(fresh_path(experiment.name or "compare"))
    for name, entry in experiment.entries.items():
        own = (lives or {}).get(name, Live())
        merged = Live(
            own.task or objects.task,
            own.optimizer or objects.optimizer,
            own.schedule or objects.schedule,
        )
        place = None if base is None else f"{base}/{name}"
        entry = entry.model_copy(update={"name": name})
        ran = run_find(entry, merged, place, progress, keep, final_seeds=FINAL_SEEDS)
        answers[name] = ran.value
        direction = answers[name].details.get("direction", direction)
    comparison = compared(answers, experiment.metric, direction)._replace(run=base)
    payload = {**comparison.payload(), "seconds": time.perf_counter() - began}
    if base is not None:
        from pathlib import Path

        from lrlab.runs import write_json

        write_json(Path(base) / "summary.json", payload)
    return Ran(base, payload, comparison)
