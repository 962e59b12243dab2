"""The list of runs, kept up to date by the times of their files: what did not change is not read
again."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from lrlab import runs
from lrlab.core.text import JsonObject
from lrlab.runs.live import Version
from lrlab.ui.places import Place, places
from lrlab.ui.rows import live_row, row_of

BUDGET = 0.3
"""Seconds that one look at the folder spends on reading rows that are new or changed; the next look
continues. So a first page never waits for thousands of runs."""

PAUSE = 0.5
"""Seconds between two looks at least, however many browsers ask."""

SHARE = 10.0
"""A look comes after so many times as long as the one before took: where a disk is slow, looking
takes a tenth of the time at most."""

RECHECK = 5.0
"""Seconds after which the state of a run that says it is running is asked again: the end of a
process changes no file."""


class Entry(NamedTuple):
    """A run as it was last read: which place and version, its row, when that came to be (`serial`),
    whether the arrays have been read (`full`), and when it was looked at."""

    place: Place
    version: Version
    row: JsonObject
    serial: int
    full: bool
    looked: float


class Changes(NamedTuple):
    """Rows that are new or other since a serial number, names that are gone, the new number, and
    how many runs have not been read yet."""

    rows: list[JsonObject]
    gone: list[str]
    serial: int
    waiting: int


class Catalog:
    """The runs below a folder. A class because it holds what was read; safe from several threads,
    of which one looks and the others take what is there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._entries: dict[str, Entry] = {}
        self._gone: dict[str, int] = {}
        self._unread: deque[tuple[Place, Version]] = deque()
        self._serial = 0
        self._next = 0.0
        self._lock, self._looking = threading.Lock(), threading.Lock()

    def changes(self, since: int = 0) -> Changes:
        """What is other than at `since`; looks at the folder where the last look is long enough
        ago, and reads on for `BUDGET` seconds."""
        if self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        with self._lock:
            since = since if since <= self._serial else 0  # a number of another server
            rows = [one.row for one in self._entries.values() if one.serial > since]
            gone = [name for name, serial in self._gone.items() if serial > since] if since else []
            return Changes(rows, gone, self._serial, len(self._unread))

    def _look(self) -> None:
        began = time.monotonic()
        if not self._unread:
            if began < self._next:
                return
            self._find(began)
            self._next = time.monotonic() + max(PAUSE, SHARE * (time.monotonic() - began))
        until = time.monotonic() + BUDGET
        while self._unread:
            place, version = self._unread[0]
            before = self._entries.get(place.name)
            if before is not None and before.version == version and not before.full:
                self._put(place, version, live_row(place, before.row), full=True)
            else:
                self._put(place, version, row_of(place))
                if not self._entries[place.name].full:
                    self._unread.append((place, version))  # its arrays, after all small files
            self._unread.popleft()
            if time.monotonic() > until:
                return

    def _find(self, now: float) -> None:
        """Looks for runs that came, changed or went."""
        found = {place.name: place for place in places(self.root)}
        with self._lock:
            for name in self._entries.keys() - found.keys():
                del self._entries[name]
                self._serial += 1
                self._gone[name] = self._serial
        versions = {name: runs.version(place.folder) for name, place in found.items()}
        stale = [name for name in found if self._stale(name, versions[name], now)]
        # The newest first: those are looked for.
        stale.sort(key=lambda name: max((t for _, t, _ in versions[name]), default=0), reverse=True)
        self._unread.extend((found[name], versions[name]) for name in stale)

    def _stale(self, name: str, version: Version, now: float) -> bool:
        entry = self._entries.get(name)
        if entry is None or entry.version != version:
            return True
        return entry.row["state"] == "running" and now - entry.looked > RECHECK

    def _put(self, place: Place, version: Version, row: JsonObject, full: bool = False) -> None:
        before = self._entries.get(place.name)
        full = full or row["state"] in ("finished", "damaged")
        if before is not None and before.version == version and before.full and not full:
            # Only the state was asked again: where it is the same, what the arrays said stands.
            full = row["state"] == before.row["state"]
            row = before.row if full else row
        with self._lock:
            if before is not None and before.row == row:
                serial = before.serial
            else:
                self._serial += 1
                serial = self._serial
            self._gone.pop(place.name, None)
            self._entries[place.name] = Entry(place, version, row, serial, full, time.monotonic())
