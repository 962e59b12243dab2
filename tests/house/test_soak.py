"""A few rounds of every part of the soak (`tests/soak.py`), and its bars."""

from __future__ import annotations

import math

import pytest
import soak


@pytest.mark.slow
def test_kills_at_random_instants_change_nothing() -> None:
    counted = soak.kill(3, seed=0, kinds=("sweep",), seconds=math.inf)
    assert counted["kills"] >= 3 and counted["identical"] == counted["sweep runs"]
    assert not any(counted[name] for name in soak.BAD)


@pytest.mark.slow
def test_damage_is_found_or_harmless() -> None:
    counted = soak.damage(40, seed=1, seconds=math.inf)
    assert counted["cases"] == 40 and counted["found"] + counted["no change"] > 35
    assert not any(counted[name] for name in soak.BAD)


@pytest.mark.slow
def test_memory_is_asked_and_segments_are_counted() -> None:
    counted = soak.endure(segments=250, minutes=math.inf)
    assert counted["segments"] >= 250


@pytest.mark.slow
def test_malformed_input_is_refused_with_its_place() -> None:
    counted = soak.malformed(60, seed=2, seconds=math.inf)
    assert counted["cases"] == 60 and counted["refused"] > 30
    assert not any(counted[name] for name in soak.BAD)
