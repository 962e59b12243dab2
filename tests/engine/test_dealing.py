"""Tiles dealt to devices by their speed: how many each gets, and that no number depends on it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from eight_devices import run
from few import few

from lrlab.engine.dealing import _Deal, shares
from lrlab.engine.limits import LIMITS


class Accelerator(NamedTuple):
    """What of a device counts here."""

    name: str
    memory: int | None = None

    @property
    def platform(self) -> str:
        return "cpu" if self.memory is None else "gpu"

    def memory_stats(self) -> dict[str, int | None]:
        return {"bytes_limit": self.memory}


def deal(homes: str, memory: int | None = None, pace: str = "", **fields: Any) -> _Deal:
    """Tiles by the names of the devices where they are, four bytes of states each."""
    names = sorted({*homes, *pace})
    places = {name: Accelerator(name, memory) for name in names}
    group: Any = SimpleNamespace(
        places=list(places.values()), width=1, shapes=[np.zeros(1, np.float32)], limits=LIMITS,
        lanes=SimpleNamespace(seed=np.array(fields.pop("seeds", [0] * len(homes)))),
        pace={places[name]: float(pace.count(name)) for name in {*pace}}, blocks=None,
    )  # fmt: skip
    group.__dict__.update(fields)
    tiles: Any = [
        SimpleNamespace(place=places[name], lanes=np.array([number]))
        for number, name in enumerate(homes)
    ]
    return _Deal(group, tiles, 1)


def named(place: Any) -> str:
    return place.name


def sent(now: _Deal) -> list[tuple[int, str]]:
    return [(number, named(place)) for number, place in now.turns()]


def back(now: _Deal, name: str) -> None:
    """A tile comes back from a device."""
    (place,) = (place for place in now.busy if named(place) == name)
    now.busy[place] -= 1


@pytest.mark.parametrize(
    ("held", "seconds", "most", "wanted"),
    [
        ([4, 4], [3.0, 1.0], 8, [2, 6]),
        ([4, 4], [3.0, 1.0], 5, [3, 5]),
        ([4, 4], [1.0, 1.0], 8, [4, 4]),
        ([2, 6], [1.0, 1.0], 8, [4, 4]),
        ([1, 1], [9.0, 1.0], 8, [0, 2]),
        ([1, 1, 0], [1.0, 1.0, 1.0], 8, [1, 1, 0]),
        ([3, 3], [3.0, 1.0], 2, [3, 3]),
        ([0, 0], [1.0, 1.0], 2, [0, 0]),
    ],
)
def test_shares_end_together(held, seconds, most, wanted):
    assert shares(held, seconds, most, 0.1) == wanted


def test_devices_get_their_own_tiles_in_turn_a_few_ahead():
    now = deal("ab" * 8)
    assert sent(now)[:4] == [(0, "a"), (1, "b"), (2, "a"), (3, "b")]
    assert max(now.busy.values()) <= LIMITS.tiles_ahead and sent(now) == []


def test_one_that_comes_to_its_end_takes_from_the_one_that_has_most_left():
    now = deal("aaaaaaaabc")
    first = sent(now)
    own, *taken = [number for number, place in first if place == "b"]
    assert own == 8 and taken and min(taken) > 5 and max(taken) < 8  # from the end of a's
    back(now, "b")
    assert [place for _, place in sent(now)] == ["b"] and now.homes.total() == 10


def test_no_device_takes_more_than_its_memory_holds():
    full = deal("aaaaaaaab", memory=round(2 * 4 / LIMITS.dealt_share))
    taken = sent(full)
    for _ in range(20):
        for name, place in (("a", full.group.places[0]), ("b", full.group.places[1])):
            if full.busy[place]:
                back(full, name)
        taken += sent(full)
    assert len(taken) == 9 and sum(place == "b" for _, place in taken) == 2


def test_tiles_move_between_segments_to_where_they_took_less_time():
    now = deal("aaaabbbb", pace="aaab")
    assert {named(place): count for place, count in now.homes.items()} == {"a": 2, "b": 6}
    assert [list(numbers) for numbers in now.left.values()] == [[0, 1], [2, 3, 4, 5, 6, 7]]


def test_tiles_of_a_seed_come_before_those_of_the_next_where_data_stream():
    now = deal("aabbab", seeds=[0, 0, 0, 1, 1, 1], blocks=lambda *place: None)
    numbers: list[int] = []
    for _ in range(20):
        numbers += [number for number, _ in sent(now)]
        for place in now.busy:
            now.busy[place] = 0
    assert sorted(numbers) == list(range(6)) and {*numbers[:3]} == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("names", few([(("plain",),), (("streamed", "head"),)], 1))
def test_a_slow_device_gets_fewer_tiles_and_no_number_changes(names):
    for name, found in run("dealt", *names).items():
        assert found["equal"], name
        slow, *others = found["counts"]
        assert sum(found["counts"]) == 18 and slow < min(others), (name, found["counts"])
