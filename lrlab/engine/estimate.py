"""What a plan costs before anything is trained: waves, and bytes of memory."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import numpy as np

from lrlab.engine.binding import GIVEN
from lrlab.engine.devices import precision, prepare_devices
from lrlab.engine.host_data import held_dtype
from lrlab.engine.kept import kept_bytes
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.programs import compiled
from lrlab.engine.state import frozen_shapes, lane_shapes, tree_bytes
from lrlab.types import Lanes, Plan, Problem, PyTree


def planned_waves(lanes: Lanes, plan: Plan) -> int:
    """How many waves the lanes make: tiles of one seed each, one tile per device at a time.

    >>> planned_waves(Lanes({"lr": np.ones(10)}, np.repeat([0, 1], 5)), Plan(4, 2))
    2
    """
    assert plan.tile_width is not None and plan.devices is not None
    counts = np.unique(lanes.seed, return_counts=True)[1]
    tiles = int(sum(-(-int(count) // plan.tile_width) for count in counts))
    return -(-tiles // plan.devices)


def planned_memory(
    problem: Problem,
    data: Mapping[str, PyTree],
    lanes: Lanes,
    plan: Plan,
    limits: PlanLimits = LIMITS,
    keeps: bool = False,
) -> int:
    """An estimate in bytes of what training holds at once, before anything is allocated.

    The data (once on CPU, else on every device), the states of the lanes that are held together,
    the weights that are kept of all lanes (`keeps`), the recorded rows, and what XLA says that the
    compiled segment needs besides (`memory_analysis`).
    """
    width, segment = plan.tile_width, plan.segment_steps
    assert width is not None and segment is not None
    with precision(problem.dtype):
        devices, _ = prepare_devices(plan.devices)
        place = jax.sharding.SingleDeviceSharding(devices[0])

        def struct(shape: tuple[int, ...], dtype: np.dtype | type | str) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(shape, dtype, sharding=place)

        shapes = lane_shapes(problem, data, tuple(lanes.hyper))
        wide = jax.tree.map(lambda leaf: struct((width, *leaf.shape), leaf.dtype), shapes)
        here = {
            name: jax.tree.map(
                lambda leaf, name=name: struct(
                    np.shape(leaf), held_dtype(name, leaf, problem.dtype)
                ),
                part,
            )
            for name, part in data.items()
        }
        hyper = {name: struct((width,), problem.dtype) for name in lanes.hyper}
        batch = problem.batch_size
        rows = None if batch is None else struct((segment, batch), np.int32)
        frozen = jax.tree.map(
            lambda leaf: struct(leaf.shape, leaf.dtype), frozen_shapes(problem, data)
        )
        number, seed = struct((), np.int32), struct((), np.uint32)
        program = compiled(problem, width, segment).train.program(
            devices[0], wide, here, frozen, seed, hyper, rows, number, number
        )
        analysis = program.memory_analysis()
    state = tree_bytes(shapes)
    # Drawn ones are held for each seed; given ones are among the data.
    drawn = 0 if GIVEN in data else tree_bytes(frozen) * len(np.unique(lanes.seed))
    held = drawn + min(
        len(lanes.seed) * state, max(limits.resident_bytes, state * width * len(devices))
    )
    examples = tree_bytes(here) * (1 if devices[0].platform == "cpu" else len(devices))
    recorded = len(lanes.seed) * problem.steps * 2 * np.dtype(problem.dtype).itemsize
    kept = kept_bytes(shapes, len(lanes.seed)) if keeps else 0
    scratch = 0 if analysis is None else int(analysis.temp_size_in_bytes)
    return int(examples + len(devices) * scratch + held + kept + recorded)
