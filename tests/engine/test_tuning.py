"""The tile width by timing: what is timed, what is remembered, and what limits it."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

import lrlab
from lrlab.engine import tuning
from lrlab.engine.layout import balanced, slots, tile_lanes
from lrlab.engine.limits import PlanLimits
from lrlab.engine.plan import make_plan
from lrlab.engine.tuning import tuned

LIMITS = PlanLimits(worth_timing_seconds=0.0, timing_seconds=600.0, sample_seconds=0.0)
"""Everything is worth timing, every width is timed, and two updates are a sample."""


def plan_of(lanes, limits: PlanLimits):
    this = tiny.problem()
    plan = make_plan(this, tiny.data(), ("lr",), 4, 2, tiny.Plan(2, 1))
    return tuned(this, tiny.data(), lanes, plan, tiny.indices, limits)


def test_a_width_is_timed_once_and_then_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    lanes = tiny.grid((1e-3, 1e-2, 1e-1, 1.0))
    first = plan_of(lanes, LIMITS)
    assert first.tile_width_source == "timed" and first.tile_width in (1, 2, 4)
    assert all(f"'{width}': " in first.reasons[-1] for width in (1, 2, 4))  # not 8: 4 lanes a seed
    again = plan_of(lanes, LIMITS)
    assert (again.tile_width, again.tile_width_source) == (first.tile_width, "cache")
    fewer = plan_of(tiny.grid((1e-3, 1e-2)), LIMITS)
    assert fewer.tile_width_source == "timed"  # another number of lanes is another question


def test_a_short_run_is_not_timed(tmp_path, monkeypatch):
    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    plan = plan_of(tiny.grid((1e-3, 1e-2)), PlanLimits())
    assert (plan.tile_width, plan.tile_width_source) == (2, "given")
    assert plan.reasons[-1].startswith("not timed") and not list(tmp_path.rglob("plans"))


@pytest.mark.parametrize("lanes", [[1], [9], [33] * 3, [64, 5], [100] * 7, [16] * 4])
@pytest.mark.parametrize("places", [1, 2, 16])
@pytest.mark.parametrize("width", [1, 2, 16, 64])
def test_a_balanced_width_saves_what_it_must_or_stays(lanes, places, width):
    other, before = balanced(width, lanes, places, gain=0.1), slots(lanes, width, places)
    after = slots(lanes, other, places)
    assert other == width or after < 0.9 * before
    assert width / 2 < other <= max(width, 1.5 * width)
    tiles = tile_lanes(np.arange(sum(lanes)), np.repeat(np.arange(len(lanes)), lanes), other)
    assert after == -(-len(tiles) // places) * other


def test_only_runs_worth_another_program_are_balanced(monkeypatch):
    task = lrlab.tasks.load("quadratic")
    given = dict(optimizer="sgd", lr=np.geomspace(1e-3, 0.1, 9), seeds=2, steps=5, progress=False)
    short = lrlab.sweep(task, **given, plan=lrlab.Plan(devices=2)).plan
    monkeypatch.setattr(tuning, "_expected_seconds", lambda *args: 1e9)
    monkeypatch.setattr(tuning, "_speed", lambda group, width: 1.0 + (width == 4))
    monkeypatch.setattr(tuning.cache, "remembered", lambda key: None)
    monkeypatch.setattr(tuning.cache, "remember", lambda key, width, speeds: None)
    long = lrlab.sweep(task, **given, plan=lrlab.Plan(devices=2)).plan
    assert (short.tile_width, long.tile_width) == (8, 3)
    assert "tile width 3 in place of 4" in long.reasons[-1]
