"""The most anonymous memory of this process while something runs (Linux)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

EVERY = 0.05
"""Seconds between two looks."""


def anonymous() -> float:
    """`RssAnon` of this process in MiB: what it holds of memory that no file stands behind."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


@contextlib.contextmanager
def watched() -> Iterator[Callable[[], float]]:
    """Looks from time to time; what it gives says the most so far, in MiB."""
    most, over = [anonymous()], threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            most.append(max(most.pop(), anonymous()))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: most[0]
    finally:
        over.set()
        thread.join()
