"""What a reproduction gives back: how equal a repeated run came out."""

from __future__ import annotations

from typing import NamedTuple


class Reproduction(NamedTuple):
    """How a repeated run compares. `level`: "bit-identical", "within tolerance" (`largest` is the
    largest relative difference of lanes that stayed stable) or "different" (`where`: metric, step
    and lane of the first difference). `changes`: what is not as it was (versions, device, plan).
    """

    run: str
    level: str
    largest: float
    where: str
    changes: tuple[str, ...]
    sentence: str
