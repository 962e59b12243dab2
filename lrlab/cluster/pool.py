"""What deals with workers: the interface that the driver knows, and its pace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeAlias

from lrlab.cluster.pieces import Held, Piece, Setting, Trained

Ref: TypeAlias = Any
"""What stands for states that a pool holds: an `ObjectRef` of Ray's, or the states themselves."""

Ticket: TypeAlias = Any
"""What stands for a piece that was handed to a pool."""


class Done(NamedTuple):
    """A piece that came back: what it gives and who holds its states, or why it failed (with the
    worker's traceback; `final`: it has been begun as often as it may)."""

    ticket: Ticket
    result: Trained | None
    held: Ref
    error: BaseException | None = None
    traceback: str = ""
    final: bool = False


class Pool(Protocol):
    """Workers that train pieces of one group.

    `width`: lanes in a tile; `devices`: tiles that a worker trains at once.
    """

    width: int
    devices: int

    def slots(self) -> int:
        """How many pieces can be trained at the same time now."""
        ...

    def waiting(self) -> int:
        """How many pieces may be handed over beyond those: they are there when a worker is free."""
        ...

    def submit(self, piece: Piece, sources: Sequence[Ref]) -> Ticket:
        """Hands a piece over; returns at once."""
        ...

    def finished(self, timeout: float) -> list[Done]:
        """The pieces that have come back; waits for one, so many seconds at most."""
        ...

    def fetch(self, refs: Sequence[Ref]) -> list[Held]:
        """What they stand for."""
        ...

    def put(self, held: Held) -> Ref:
        """Hands over states that pieces will begin from."""
        ...


OpenPool: TypeAlias = Callable[[Setting], AbstractContextManager[Pool]]
"""Begins a pool for a group, and ends it: pieces that have not come back are given up."""


class Pace(NamedTuple):
    """How large pieces are. No recorded number depends on it."""

    longest: float = 5.0
    """Seconds of training in a piece, about: what a killed worker loses, what Ctrl-C waits for, and
    how old a commit can be. Beside it the few milliseconds that dealing takes are nothing."""

    shortest: float = 0.5
    """Seconds below which tiles are joined to larger pieces, while there are enough of them."""

    tries: int = 3
    """How often a piece is begun before it counts as failed."""

    patience: float = 0.2
    """Seconds between two looks at Ctrl-C while nothing comes back."""

    def waves(self, wave_seconds: float, updates: int, share: int) -> int:
        """How many waves of tiles make a piece of so many updates, `wave_seconds` each; at most
        `share`, those that there are for each worker.

        >>> Pace().waves(0.001, 100, 8), Pace().waves(0.1, 100, 8)
        (5, 1)
        """
        return max(1, int(min(self.shortest / (wave_seconds * updates), share)))

    def updates(self, wave_seconds: float, waves: int, left: int) -> int:
        """How many of the `left` updates so many waves make in one piece.

        >>> Pace().updates(0.1, 1, 200), Pace().updates(0.1, 1, 70)
        (50, 70)
        """
        if self.longest == float("inf"):
            return left
        count = max(1, int(self.longest / (waves * wave_seconds)))
        return left if left <= 1.5 * count else count


USUAL = Pace()
