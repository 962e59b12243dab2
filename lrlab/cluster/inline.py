"""A pool of one worker: this process, with all of its devices."""

from __future__ import annotations

import contextlib
import traceback
from collections import deque
from collections.abc import Iterator, Sequence

from lrlab.cluster.pieces import Held, Piece, Setting, trained
from lrlab.cluster.pool import Done, Pool, Ref, Ticket


class Inline:
    """Trains a piece when it is waited for. A class because it holds the pieces until then."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._pieces = setting, deque[tuple[int, Piece, Sequence[Held]]]()
        self.width = setting.plan.tile_width or 1
        self.devices = (setting.plan.devices or 1) // setting.plan.model_devices
        self._count = 0

    def slots(self) -> int:
        """One."""
        return 1

    def waiting(self) -> int:
        """None: a piece that has been taken is trained even after Ctrl-C."""
        return 0

    def submit(self, piece: Piece, sources: Sequence[Ref]) -> Ticket:
        """Keeps a piece."""
        self._count += 1
        self._pieces.append((self._count, piece, sources))
        return self._count

    def finished(self, timeout: float) -> list[Done]:
        """Trains a piece."""
        ticket, piece, sources = self._pieces.popleft()
        try:
            result, held = trained(self._setting, piece, sources)
        except Exception as error:
            return [Done(ticket, None, None, error, traceback.format_exc())]
        return [Done(ticket, result, held)]

    def fetch(self, refs: Sequence[Ref]) -> list[Held]:
        """The states themselves."""
        return list(refs)

    def put(self, held: Held) -> Ref:
        """The states themselves."""
        return held


@contextlib.contextmanager
def inline(setting: Setting) -> Iterator[Pool]:
    """A pool that trains here."""
    yield Inline(setting)
