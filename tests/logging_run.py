"""A run that logs, in a process of its own, which may kill itself: `logging_run.py OUT TRACKER KIND
EVENTS SECONDS`. It commits at every segment; SECONDS after so many events of logging (a look at
what is there, a row that is handed over; 0: never) it sends itself SIGKILL, whatever it does."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import lrlab
from lrlab.runs import recorder
from lrlab.training import logs

OPTIONS: dict[str, Any] = {
    "wandb": {"mode": "offline"},
    "mlflow": {"uri": "sqlite:///{out}.db"},
}


def main(out: Path, tracker: str, kind: str, events: int, seconds: float) -> None:
    follow, row, seen = logs.Log._follow, logs.Stage.row, itertools.count(1)

    def count() -> None:
        if next(seen) == events:
            threading.Thread(target=end, args=(seconds,), daemon=True).start()

    def followed(*arguments: Any) -> None:
        count()
        follow(*arguments)

    def rowed(*arguments: Any) -> Any:
        count()
        return row(*arguments)

    options = {key: one.format(out=out) for key, one in OPTIONS.get(tracker, {}).items()}
    log = [{"tracker": tracker, **options}]
    shared: dict[str, Any] = {
        "task": "wine-linear", "optimizer": "sgd", "batch_size": 16, "progress": False,
        "out": out, "log": log, "steps": 60, "eval_every": 2, "plan": lrlab.Plan(4),
    }  # fmt: skip
    with (
        mock.patch.object(recorder, "INTERVAL", 0.0),  # every segment
        mock.patch.object(logs.Log, "_follow", followed),
        mock.patch.object(logs.Stage, "row", rowed),
    ):
        if kind == "find":
            lrlab.find(**shared, seeds=2, budget=14)
        else:
            lrlab.sweep(**shared, lr=[0.01, 0.1, 1.0, 50.0], seeds=2)


def end(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
