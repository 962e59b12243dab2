"""The tile width by timing: what is timed, what is remembered, and what limits it."""

from __future__ import annotations

import tiny

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
