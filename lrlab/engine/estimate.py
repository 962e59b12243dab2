"""What a plan costs before anything is trained: waves, and bytes of memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from lrlab.engine.binding import GIVEN
from lrlab.engine.blocks import block_bytes
from lrlab.engine.devices import precision, prepare_devices
from lrlab.engine.host_data import dtype_on_host, held_dtype
from lrlab.engine.kept import kept_bytes
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.memory import device_memory
from lrlab.engine.places import device_bytes, everywhere, parted, places
from lrlab.engine.programs import compiled
from lrlab.engine.state import LaneState, frozen_shapes, lane_shapes, tree_bytes
from lrlab.engine.streaming import streams_of
from lrlab.types import Device, Lanes, Plan, Problem, PyTree


def planned_waves(lanes: Lanes, plan: Plan) -> int:
    """How many waves the lanes make: tiles of one seed each, one tile at a time per device, or per
    row of devices that share a lane.

    >>> planned_waves(Lanes({"lr": np.ones(10)}, np.repeat([0, 1], 5)), Plan(4, 2))
    2
    """
    assert plan.tile_width is not None and plan.devices is not None
    counts = np.unique(lanes.seed, return_counts=True)[1]
    tiles = int(sum(-(-int(count) // plan.tile_width) for count in counts))
    return -(-tiles // (plan.devices // plan.model_devices))


def capacity(
    devices: Sequence[Device], model_devices: int, shapes: LaneState, width: int, limits: PlanLimits
) -> int:
    """How many lanes' states fit at once: whole waves, one at least (see `PlanLimits`).

    Args:
        devices: all that train; shapes: those of a lane's state; width: that of tiles.
    """
    per_wave = width * (len(devices) // model_devices)
    resident, memory = limits.resident_bytes, device_memory(devices[0])
    if memory is not None:
        resident = int(memory * len(devices) * limits.resident_share)
    fit = resident // max(device_bytes(shapes, model_devices) * model_devices, 1)
    return max(per_wave, fit // per_wave * per_wave)


def planned_memory(
    problem: Problem,
    data: Mapping[str, PyTree],
    lanes: Lanes,
    plan: Plan,
    limits: PlanLimits = LIMITS,
    keeps: bool = False,
) -> int:
    """An estimate in bytes of what training holds at once, before anything is allocated.

    The data (once on CPU, else on every device; of those that stream, the blocks), parameters that
    are frozen (on every device the seeds' drawn ones), the states of the lanes that are held
    together, the weights that are kept of all lanes (`keeps`), the recorded rows, and what XLA says
    that the compiled segment needs besides on each device (`memory_analysis`). Where devices share
    a lane, each counts with what it holds of it.
    """
    width, segment = plan.tile_width, plan.segment_steps
    assert width is not None and segment is not None
    with precision(problem.dtype):
        devices, _ = prepare_devices(plan.devices, plan.model_devices)
        shared = plan.model_devices
        rows_of_devices = places(devices, shared)
        place = rows_of_devices[0]
        whole = everywhere(place)
        if not isinstance(whole, jax.sharding.Sharding):
            whole = jax.sharding.SingleDeviceSharding(whole)

        def struct(shape: tuple[int, ...], dtype: np.dtype | type | str) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(shape, dtype, sharding=whole)

        def cut(tree: PyTree, lanes: bool) -> PyTree:
            if shared == 1:
                return tree
            return jax.tree.map(
                lambda leaf, to: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=to),
                tree,
                parted(place, tree, lanes),
            )

        shapes = lane_shapes(problem, data, tuple(lanes.hyper))
        wide = jax.tree.map(lambda leaf: struct((width, *leaf.shape), leaf.dtype), shapes)
        wide = cut(wide, lanes=True)
        streams = streams_of(data)
        here = {
            name: jax.tree.map(
                lambda leaf, name=name: struct(
                    np.shape(leaf), held_dtype(name, leaf, problem.dtype)
                ),
                part,
            )
            for name, part in data.items()
            if name not in streams
        }
        given = cut(here.pop(GIVEN, ()), lanes=False)
        blocks = 0
        if "train" in streams:
            count = segment * (problem.batch_size or 1)
            here["train"] = jax.tree.map(
                lambda leaf: struct((count, *leaf.shape[1:]), dtype_on_host(leaf, problem.dtype)),
                streams["train"].first,
            )
            blocks = block_bytes(streams["train"], count, problem.dtype) * limits.blocks_ahead
        hyper = {name: struct((width,), problem.dtype) for name in lanes.hyper}
        batch = problem.batch_size
        rows = None if batch is None else struct((segment, batch), np.int32)
        frozen = jax.tree.map(
            lambda leaf: struct(leaf.shape, leaf.dtype), frozen_shapes(problem, data)
        )
        number, seed = struct((), np.int32), struct((), np.uint32)
        everything = here | ({GIVEN: given} if GIVEN in data else {})
        program = compiled(problem, width, segment, shared).train.program(
            place, wide, everything, cut(frozen, lanes=False), seed, hyper, rows, number, number
        )
        analysis = program.memory_analysis()
    # Drawn ones are held for each seed; given ones are among the data.
    drawn = 0 if GIVEN in data else device_bytes(frozen, shared) * len(np.unique(lanes.seed))
    together = min(len(lanes.seed), capacity(devices, shared, shapes, width, limits))
    held = drawn * len(devices) + together * device_bytes(shapes, shared) * shared
    copies = 1 if devices[0].platform == "cpu" and shared == 1 else len(devices)
    examples = tree_bytes(here) * (1 if devices[0].platform == "cpu" else len(devices))
    examples += device_bytes(given, shared) * copies
    recorded = len(lanes.seed) * problem.steps * 2 * np.dtype(problem.dtype).itemsize
    kept = kept_bytes(shapes, len(lanes.seed)) if keeps else 0
    scratch = 0 if analysis is None else int(analysis.temp_size_in_bytes)
    return int(examples + blocks + len(devices) * scratch + held + kept + recorded)
