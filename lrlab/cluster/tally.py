"""What a worker says of itself with every piece, and what the driver adds up of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from lrlab.core.worker_use import Usage


class By(NamedTuple):
    """The process that trained a piece. `node`: its address; `process`: its number there;
    `attempt`: how often the piece had been begun before (None: unknown); `memory`: bytes that the
    process holds of its own, without what it shares (0: unknown)."""

    node: str
    process: int
    attempt: int | None = None
    memory: int = 0


def own_memory() -> int:
    """Bytes of memory of this process behind which no file and nothing shared stands; 0 where the
    system does not say.

    >>> own_memory() >= 0
    True
    """
    try:
        status = Path("/proc/self/status").read_text("utf-8", "replace")
        return int(status.partition("RssAnon:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return 0


def by(node: str, attempt: int | None) -> By:
    """This process, as what it trained says it."""
    return By(node, os.getpid(), attempt, own_memory())


class Tally:
    """Adds up what workers do. A class because it holds the time of its last look."""

    def __init__(self) -> None:
        self._pieces: dict[str, int] = {}
        self._again, self._busy, self._there, self._memory = 0, 0.0, 0.0, 0
        self._last = time.monotonic()

    def passed(self, slots: int) -> None:
        """Notes that so many workers were there since the last look."""
        now = time.monotonic()
        self._there += slots * (now - self._last)
        self._last = now

    def trained(self, by: By | None, seconds: float) -> None:
        """Notes a piece that came back."""
        if by is None:
            return
        name = f"{by.node}/{by.process}"
        self._pieces[name] = self._pieces.get(name, 0) + 1
        self._again += int(bool(by.attempt))
        self._busy += seconds
        self._memory = max(self._memory, by.memory)

    def failed(self) -> None:
        """Notes a piece that is begun again."""
        self._again += 1

    @property
    def usage(self) -> Usage:
        """All of it."""
        return Usage(dict(self._pieces), self._again, self._busy, self._there, self._memory)
