"""Streams on the devices: the bits of memory at every tile width, samples, and blocks' sizes."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import tiny

from lrlab import engine
from lrlab.core.arrays import aligned
from lrlab.data import stream
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.limits import LIMITS
from lrlab.engine.plan import make_plan
from lrlab.engine.state import lane_shapes
from lrlab.engine.streaming import in_place, measures, resident, segment_limit
from lrlab.types import Plan, Probe


def streamed() -> dict:
    return {**tiny.data(), "train": stream(tiny.data()["train"]).columns}


def trained(data, width, **options):
    problem, lanes = tiny.problem(), tiny.grid([1e-3, 1e-2, 1e38])
    plan = make_plan(problem, data, ("lr",), 3, 2, Plan(width, 2, 7))
    return engine.train(
        problem, data, lanes, plan, eval_steps=evaluation_steps(problem.steps, None),
        indices=tiny.indices, **options,
    )  # fmt: skip


@pytest.mark.parametrize("width", [1, 4])
def test_batches_that_stream_give_the_bits_of_memory(width):
    used = []
    mine, theirs = trained(streamed(), width, streamed=used.append), trained(tiny.data(), width)
    for name, values in theirs.history.items():
        assert tiny.same_bits(mine.history[name], values), name
    for name, values in theirs.evaluated.items():
        assert tiny.same_bits(mine.evaluated[name], values), name
    assert used[0].passes == 2


def test_one_lane_of_a_stream_is_the_run_by_hand():
    record = trained(streamed(), 1)
    losses = tiny.by_hand(1e-2, 1)
    np.testing.assert_array_equal(record.history["train_loss"][:, 3], losses)


def test_progress_says_how_much_of_the_time_was_spent_waiting():
    seen = []
    trained(streamed(), 4, progress=seen.append)
    assert all(0 <= now.waiting <= 1 for now in seen)


def test_blocks_are_small_and_hold_one_batch_at_least():
    problem = tiny.problem()
    assert segment_limit(problem, tiny.data(), LIMITS) is None
    batch = tiny.BATCH * (tiny.FEATURES + 1) * 4
    for room, most in ((3 * batch + 5, 3), (1, 1)):
        limits = LIMITS._replace(stream_bytes=room)
        limit = segment_limit(problem, streamed(), limits)
        assert limit is not None and limit[0] == most
        plan = make_plan(problem, streamed(), ("lr",), 3, 2, None, limits)
        assert plan.segment_steps == most and "the data stream" in plan.reasons[-1]


def test_a_sample_is_held_only_for_what_measures_on_it():
    problem, data = tiny.problem(), streamed()
    shapes = lane_shapes(problem, data, ("lr",))
    assert not measures(problem, shapes)
    assert measures(problem._replace(probes=(Probe("none", lambda lane: {}),)), shapes)
    changed = lambda state, params: jax.tree.map(lambda leaf: 2 * leaf, params)  # noqa: E731
    optimizer = problem.optimizer._replace(evaluation_params=changed)
    assert not measures(problem._replace(optimizer=optimizer), shapes)  # it has no statistics
    with_model = shapes._replace(model={"mean": jax.ShapeDtypeStruct((2,), np.float32)})
    assert measures(problem._replace(optimizer=optimizer), with_model)
    for measured, rows in ((False, 1), (True, tiny.EXAMPLES)):
        here, held = resident(problem, data, LIMITS, jax.devices(), measured)
        assert len(held["train"][0]) == rows and here.splits == ("valid",)
    small = LIMITS._replace(sample_bytes=0, sample_batches=2)
    here, held = resident(problem, data, small, jax.devices(), True)
    assert here.num_examples == len(held["train"][0]) == 2 * tiny.BATCH


def test_what_xla_can_read_in_its_file_stays_there():
    x, y = tiny.data()["valid"]
    narrow = LIMITS._replace(cast_bytes=0)
    x, y = aligned(x, copy=True), aligned(y, copy=True)
    held = in_place(stream((x, y)), "float32", narrow)
    assert held is not None and held[0] is x
    assert in_place(stream((x, y.astype(np.int64))), "float32", narrow) is None
    assert in_place(stream((x, y.astype(np.int64))), "float32", LIMITS) is not None
    assert in_place(stream((x, y)), "float64", narrow) is None
    assert in_place(stream([(1.0, 2)]), "float32", LIMITS) is None
