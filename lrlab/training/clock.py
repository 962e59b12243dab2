"""The clock of a search on a time budget: its readings are kept, so that decisions come again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lrlab import runs
from lrlab.runs.seals import read_sealed, write_sealed


def readings_of(folder: Path) -> list[float]:
    """The clock readings that a run has kept, in seconds; empty where it decided nothing by time.

    Raises:
        RunError: damaged.
    """
    place = folder / "clock.json"
    return [float(value) for value in read_sealed(place)["seconds"]] if place.exists() else []


def clock_of(run: runs.Run | None, repeated: Sequence[float] = ()) -> Callable[[], float]:
    """A monotonic clock whose readings a run keeps, so that a search that continues after a crash
    decides as it did: the readings there come again, then time continues from the last one.

    `repeated`: the readings of another run, which a new one is to repeat.
    """
    if run is None:
        return time.monotonic
    place = run.path / "clock.json"
    if repeated and not place.exists():
        write_sealed(place, {"format": runs.FORMAT, "seconds": list(repeated)})
    readings = readings_of(run.path)
    again = list(readings)
    began = time.monotonic() - (readings[-1] if readings else 0.0)

    def clock() -> float:
        if again:
            return again.pop(0)
        readings.append(time.monotonic() - began)
        if not runs.finished(run.info):
            write_sealed(place, {"format": runs.FORMAT, "seconds": readings})
        return readings[-1]

    return clock
