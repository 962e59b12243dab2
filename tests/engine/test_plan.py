"""The plan: its tile width follows the limits, on CPU and on accelerators; what is refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import tiny

from lrlab.core.errors import FieldError
from lrlab.engine.estimate import planned_memory
from lrlab.engine.limits import PlanLimits
from lrlab.engine.plan import make_plan
from lrlab.engine.state import lane_state_bytes
from lrlab.types import Plan

HYPER = ("lr",)


def width(lanes: int, limits: PlanLimits) -> int | None:
    return make_plan(tiny.problem(), tiny.data(), HYPER, lanes, 1, Plan(), limits).tile_width


def test_a_tile_is_as_wide_as_the_cache_holds():
    size = lane_state_bytes(tiny.problem(), tiny.data(), HYPER)
    many = 4096 * len(jax.devices())
    assert width(many, PlanLimits(cache_bytes=5 * size)) == 4
    assert width(many, PlanLimits(cache_bytes=size - 1)) == 1
    assert width(many, PlanLimits(tile_width=16)) == 16
    assert width(2 * len(jax.devices()), PlanLimits()) == 2  # spread over all devices


@pytest.mark.parametrize("field", ["tile_width", "segment_steps"])
def test_a_field_below_one_is_refused(field):
    with pytest.raises(FieldError, match=f"plan.{field} must be at least 1"):
        make_plan(tiny.problem(), tiny.data(), HYPER, 4, 1, Plan(**{field: -1}))


def test_states_that_wait_for_their_cohort_take_no_memory():
    this, lanes = tiny.problem(), tiny.grid([0.1] * 64)
    plan = make_plan(this, tiny.data(), HYPER, 64, 2, Plan(1, 1))
    size = lane_state_bytes(this, tiny.data(), HYPER)
    whole, part = (
        planned_memory(this, tiny.data(), lanes, plan, limits)
        for limits in (PlanLimits(), PlanLimits(resident_bytes=10 * size))
    )
    assert whole - part == (128 - 10) * size


def test_lanes_that_share_a_large_frozen_part_share_a_tile():
    def init(key, example):
        return {"body": np.ones((1000, 100), np.float32), "head": np.ones(10, np.float32)}, {}

    def trains(params):
        return {"body": False, "head": True}

    task = tiny.problem().task._replace(init=init, trains=trains)
    problem = tiny.problem()._replace(task=task)
    plan = make_plan(problem, tiny.data(), HYPER, 48, 1, Plan())
    assert plan.tile_width == 32 and any("frozen" in reason for reason in plan.reasons)
    # What is shared is a bound too: of 16 times a lane's state, 16 lanes.
    few = PlanLimits(tile_width=16)
    assert make_plan(problem, tiny.data(), HYPER, 48, 1, Plan(), few).tile_width == 16
