"""Progress of a run as numbers; what is drawn from them is somebody else's business."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from lrlab.engine.results import DIVERGED, NOT_RUN, OK
from lrlab.types import Lanes, Progress, Trained


def meter(
    listener: Callable[[Progress], None] | None, lanes: Lanes, steps: int
) -> Callable[[Trained], None]:
    """A function to call at segment ends; `listener` gets a `Progress` each time."""
    if listener is None:
        return lambda trained: None
    rates = next(iter(lanes.hyper.values()))
    began: list[tuple[float, int]] = []

    def tell(trained: Trained) -> None:
        done = int(trained.steps_trained.sum())
        now = time.perf_counter()
        if not began:
            began.append((now, done))
        elapsed = now - began[0][0]
        going = np.isin(trained.outcome, (NOT_RUN, OK))
        left = int((steps - trained.steps_trained[trained.outcome == NOT_RUN]).sum())
        loss = np.where(going & np.isfinite(trained.last_loss), trained.last_loss, np.inf)
        best = int(np.argmin(loss)) if len(loss) else 0
        listener(
            Progress(
                done=done,
                total=done + left,
                alive=int((trained.outcome != DIVERGED).sum()),
                lanes=len(trained.outcome),
                best_loss=float(loss[best]) if len(loss) else float("nan"),
                best_lr=float(rates[best]) if len(loss) else float("nan"),
                steps_per_second=(done - began[0][1]) / elapsed if elapsed > 0 else 0.0,
            )
        )

    return tell
