"""How well workers were used: who trained how many pieces, and how long they waited."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import NamedTuple

from lrlab.core.text import JsonObject, Table, counted

MOST = 256
"""Workers that a run's file names each; beyond that it counts their pieces by node. On GPUs every
piece has a process of its own, and a file that is read whole should not grow with their number."""


class Usage(NamedTuple):
    """What workers did. `pieces`: worker ("node/process") -> how many it trained; `again`: pieces
    that had to be begun again; `busy`: seconds in which workers trained, `there`: seconds in which
    they could have, all of them together; `memory`: the most bytes that one held.

    >>> used = Usage({"10.0.0.1/7": 3, "10.0.0.2/9": 1}, 1, 6.0, 8.0, 5 << 20)
    >>> used.sentence
    '2 workers; 4 pieces, 1 to 3 each; 1 trained again; 5 MiB each at most'
    """

    pieces: Mapping[str, int] = {}
    again: int = 0
    busy: float = 0.0
    there: float = 0.0
    memory: int = 0

    @property
    def share(self) -> float:
        """Of the time in which workers could have trained, the share in which they did; 0 to 1."""
        return min(1.0, self.busy / self.there) if self.there > 0 else 0.0

    @property
    def sentence(self) -> str:
        """In words."""
        counts = list(self.pieces.values())
        low, high, middle = min(counts), max(counts), statistics.median(counts)
        spread = f"{low}" if low == high else f"{low} to {high}"
        if len(counts) > 8:
            spread += f", median {middle:g}"
        parts = [
            counted(len(counts), "worker"),
            f"{counted(sum(counts), 'piece')}, {spread} each",
            f"{self.again} trained again",
        ]
        if self.memory:
            parts.append(f"{self.memory / 2**20:,.0f} MiB each at most")
        return "; ".join(parts)

    @property
    def table(self) -> JsonObject:
        """As `run.json` holds it."""
        return {
            "pieces": dict(self.pieces),
            "again": self.again,
            "busy_seconds": round(self.busy, 3),
            "there_seconds": round(self.there, 3),
            "memory_bytes": self.memory,
        }


def usage_of(table: Table | None) -> Usage | None:
    """What `run.json` holds of workers; None where none trained.

    >>> usage_of(None), usage_of(Usage({"10.0.0.1/7": 2}, 0, 1.0, 2.0).table).share
    (None, 0.5)
    """
    if not table or not table.get("pieces"):
        return None
    pieces = {str(name): int(count) for name, count in table["pieces"].items()}
    busy, there = float(table["busy_seconds"]), float(table["there_seconds"])
    return Usage(pieces, int(table["again"]), busy, there, int(table["memory_bytes"]))


def joined(one: Usage, other: Usage) -> Usage:
    """Both together.

    >>> joined(Usage({"a/1": 1}, 0, 1.0, 2.0), Usage({"a/1": 2}, 1, 1.0, 2.0)).pieces
    {'a/1': 3}
    """
    pieces = dict(one.pieces)
    for name, count in other.pieces.items():
        pieces[name] = pieces.get(name, 0) + count
    if len(pieces) > MOST:
        by_node: dict[str, int] = {}
        for name, count in pieces.items():
            node = name.partition("/")[0]
            by_node[node] = by_node.get(node, 0) + count
        pieces = by_node
    return Usage(
        pieces,
        one.again + other.again,
        one.busy + other.busy,
        one.there + other.there,
        max(one.memory, other.memory),
    )
