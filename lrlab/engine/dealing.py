"""Tiles on their way to the devices and back: a slower or busy device gets fewer of them.

Each place works through tiles of its own, a few sent ahead. One that comes to its end takes a tile
of the place that has most left, which then stays with it; and between segments tiles move to where
they are trained sooner, by the time that each place took for a tile before. At one tile width a
lane's bits do not depend on its device, so that no number depends on any of this.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from time import perf_counter
from typing import NamedTuple, TypeVar

import jax

from lrlab.engine.memory import device_memory
from lrlab.engine.places import Place, device_bytes, devices_of
from lrlab.engine.tiles import Group, Tile, moved, seed_of
from lrlab.types import PyTree

R = TypeVar("R")

Send = Callable[[Tile], tuple[Tile, R]]
"""Sends a tile to its place; gives it as it will be, and results that are not there yet."""

Back = tuple[int, Tile, R]
"""A tile's number, the tile as it is afterwards, and its results."""


def dealt(
    group: Group, tiles: Sequence[Tile], send: Send[R], updates: int = 0
) -> Iterator[Back[R]]:
    """Sends every tile, and gives what comes back, as it does; only the results of a few tiles are
    held at once.

    Args:
        updates: how many `send` makes; tiles then move to where they end sooner. 0: none moves.
    """
    if len(group.places) == 1:
        yield from _in_order(group, tiles, send)
        return
    deal, under_way = _Deal(group, tiles, updates), dict[Future[float], _Sent]()
    ended, took = dict.fromkeys(group.places, 0.0), {place: list[float]() for place in group.places}
    with ThreadPoolExecutor(len(group.places) * group.limits.tiles_ahead) as waiting:
        while True:
            for number, place in deal.turns():
                tile, result = send(moved(group, tiles[number], place))
                sent = _Sent((number, tile, result), perf_counter())
                under_way[waiting.submit(ready, place, (tile.state.alive, result))] = sent
            if not under_way:
                return
            there = wait(under_way, return_when=FIRST_COMPLETED).done
            for future in sorted(there, key=lambda future: future.result()):
                (back, at), end = under_way.pop(future), future.result()
                place = back[1].place
                deal.busy[place] -= 1
                took[place].append(end - max(at, ended[place]))
                ended[place] = end
                if updates:
                    group.pace[place] = sum(took[place]) / len(took[place]) / updates
                yield back


class _Sent(NamedTuple):
    """What will come back, and when it was sent (seconds)."""

    back: tuple[int, Tile, PyTree]
    at: float


def ready(place: Place, result: PyTree) -> float:
    """Waits until what a place computes is there; the time then, in seconds."""
    jax.block_until_ready(result)
    return perf_counter()


def _in_order(group: Group, tiles: Sequence[Tile], send: Send[R]) -> Iterator[Back[R]]:
    """The same in one place, without threads that wait."""
    under_way: deque[Back[R]] = deque()
    for number, tile in enumerate(tiles):
        under_way.append((number, *send(tile)))
        if len(under_way) > group.limits.tiles_ahead:
            yield under_way.popleft()
    while under_way:
        yield under_way.popleft()


class _Deal:
    """The tiles that are still to be sent, by number. A class because it holds them, and how many
    each place has under way."""

    def __init__(self, group: Group, tiles: Sequence[Tile], updates: int) -> None:
        self.group, self.tiles, self.moves = group, tiles, updates > 0
        self.room = _room(group)
        held = {place: list[int]() for place in group.places}
        for number, tile in enumerate(tiles):
            held[tile.place].append(number)
        if self.moves and group.pace.keys() >= held.keys():
            held = _redealt(held, group.pace, self.room, group.limits.dealing_gain)
        self.left = {place: deque(numbers) for place, numbers in held.items()}
        self.homes = Counter({place: len(numbers) for place, numbers in held.items()})
        self.busy = dict.fromkeys(group.places, 0)

    def turns(self) -> Iterator[tuple[int, Place]]:
        """What is to be sent now, and to where: a tile for each place in turn, until none has
        room."""
        taken = True
        while taken:
            taken = False
            for place in self.group.places:
                number = self._taken(place)
                if number is not None:
                    taken = True
                    self.busy[place] += 1
                    yield number, place

    def _taken(self, place: Place) -> int | None:
        unsent = sum(map(len, self.left.values()))
        # Few are sent ahead near the end, so that some are left to take over.
        ahead = min(self.group.limits.tiles_ahead, max(2, unsent // (2 * len(self.left))))
        if self.busy[place] >= ahead:
            return None
        if self._has(place):
            return self.left[place].popleft()
        rich = [other for other in self.left if self._has(other)]
        if not rich or not self.moves or self.busy[place] > 1 or self.homes[place] >= self.room:
            return None
        giver = max(rich, key=lambda other: len(self.left[other]))
        self.homes[giver] -= 1
        self.homes[place] += 1
        streams = self.group.blocks is not None
        return self.left[giver].popleft() if streams else self.left[giver].pop()

    def _has(self, place: Place) -> bool:
        """Whether a place has a tile to send. Data that stream are read seed by seed: all tiles of
        a seed are sent before those of the next."""
        if self.group.blocks is None or not self.left[place]:
            return bool(self.left[place])
        seeds = [
            seed_of(self.group, self.tiles[numbers[0]]) for numbers in self.left.values() if numbers
        ]
        return seed_of(self.group, self.tiles[self.left[place][0]]) == min(seeds)


def _room(group: Group) -> int:
    """How many tiles' states fit in one place; CPU devices share the machine's memory."""
    memory = device_memory(devices_of(group.places[0])[0])
    if memory is None:
        return len(group.lanes.seed)
    size = group.width * device_bytes(group.shapes, len(devices_of(group.places[0])))
    return max(1, int(memory * group.limits.dealt_share) // max(1, size))


def _redealt(
    held: Mapping[Place, list[int]], pace: Mapping[Place, float], room: int, gain: float
) -> dict[Place, list[int]]:
    """The tiles of each place, in order, after some have moved to where they end sooner."""
    counts = [len(numbers) for numbers in held.values()]
    wanted = shares(counts, [pace[place] for place in held], room, gain)
    kept = {p: numbers[:n] for (p, numbers), n in zip(held.items(), wanted, strict=True)}
    spare = [number for place in held for number in held[place][len(kept[place]) :]]
    for place, count in zip(held, wanted, strict=True):
        missing = count - len(kept[place])
        kept[place] = sorted(kept[place] + spare[:missing])
        spare = spare[missing:]
    return kept


def shares(held: Sequence[int], seconds: Sequence[float], most: int, gain: float) -> list[int]:
    """How many tiles each place should have, so that the last one ends soonest.

    Args:
        held: how many each has; seconds: what one takes there; most: how many fit in one place.
        gain: the share of the time that must be saved; else all stay.

    >>> shares([4, 4], [3.0, 1.0], 8, 0.1)
    [2, 6]
    >>> shares([4, 4], [1.0, 1.1], 8, 0.1)
    [4, 4]
    """
    counts = [0] * len(held)
    for _ in range(sum(held)):
        free = [place for place, count in enumerate(counts) if count < most]
        if not free:
            return list(held)
        counts[min(free, key=lambda place: (counts[place] + 1) * seconds[place])] += 1
    before, after = (
        max(count * one for count, one in zip(some, seconds, strict=True))
        for some in (held, counts)
    )
    return counts if after < (1 - gain) * before else list(held)
