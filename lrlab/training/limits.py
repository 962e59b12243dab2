"""Whether there is room for what a run would record, before anything is trained."""

from __future__ import annotations

import shutil
import tempfile

from lrlab.engine.limits import LIMITS
from lrlab.engine.memory import host_memory

COUNTERS = 24
"""Bytes per update in memory, whatever the number of lanes: the step numbers and their copies."""

METRICS = 2
"""Metrics of every update, at least: the training loss and the learning rate."""


def no_room_for(steps: int, lanes: int, dtype: str) -> str | None:
    """Why the curves of so many updates and lanes cannot be held, in words; None where they can.

    >>> no_room_for(10_000, 1000, "float32")
    >>> no_room_for(2**31 - 2, 10**6, "float64").partition(" GiB")[0]
    'its curves take 32,000,000'
    """
    table = steps * lanes * (8 if dtype == "float64" else 4)
    rows, counters = METRICS * table, COUNTERS * steps
    if table > LIMITS.spill_bytes:  # they lie in a file, where temporary files go
        where, free = tempfile.gettempdir(), shutil.disk_usage(tempfile.gettempdir()).free
        if rows > free:
            return (
                f"its curves take {rows / 2**30:,.0f} GiB ({steps:,} updates of {lanes:,} lanes), "
                f"and {free / 2**30:,.0f} GiB are free in {where}; fewer steps or lanes, or "
                "another TMPDIR"
            )
    memory = host_memory()
    if counters > memory / 2:
        return (
            f"counting its {steps:,} updates takes {counters / 2**30:,.0f} GiB of memory, and "
            f"this machine has {memory / 2**30:,.0f} GiB; fewer steps, or a machine with more"
        )
    return None
