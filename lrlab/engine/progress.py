"""Progress of a run as numbers; who shows them decides how."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from lrlab.core.records import DIVERGED, NOT_RUN, OK, LaneRecord
from lrlab.types import Lanes, Progress


def meter(
    listener: Callable[[Progress], None] | None,
    lanes: Lanes,
    steps: int,
    waited: Callable[[], float] | None = None,
) -> Callable[[LaneRecord], None]:
    """A function to call at segment ends; `listener` gets a `Progress` each time. `waited`: the
    seconds so far in which nothing trained because there were no data."""
    if listener is None:
        return lambda record: None
    rates = next(iter(lanes.hyper.values()))
    began: list[tuple[float, int]] = []
    first = time.perf_counter()

    def report(record: LaneRecord) -> None:
        done = int(record.steps_trained.sum())
        now = time.perf_counter()
        if not began:
            began.append((now, done))
        elapsed = now - began[0][0]
        healthy = np.isin(record.outcome, (NOT_RUN, OK))
        left = int((steps - record.steps_trained[record.outcome == NOT_RUN]).sum())
        loss = np.where(healthy & np.isfinite(record.last_loss), record.last_loss, np.inf)
        best = int(np.argmin(loss)) if len(loss) else 0
        listener(
            Progress(
                done=done,
                total=done + left,
                alive=int((record.outcome != DIVERGED).sum()),
                lanes=len(record.outcome),
                best_loss=float(loss[best]) if len(loss) else float("nan"),
                best_lr=float(rates[best]) if len(loss) else float("nan"),
                steps_per_second=(done - began[0][1]) / elapsed if elapsed > 0 else 0.0,
                waiting=0.0 if waited is None else waited() / max(now - first, 1e-9),
            )
        )

    return report
