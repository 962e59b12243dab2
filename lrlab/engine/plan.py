"""How lanes are laid on the machine: mesh, tile width, segment length."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from lrlab.core.errors import FieldError
from lrlab.core.memo import kept_with
from lrlab.engine.devices import precision, prepare_devices
from lrlab.engine.step import LaneState, initial_state
from lrlab.rng import key
from lrlab.types import Lanes, Plan, Problem, PyTree, WidthSource

MAX_SEGMENT_STEPS = 1000
"""Bounds the memory of a segment's batch indices and rows, and the wait after Ctrl-C."""

CACHE_BYTES = 512 << 10
"""What a tile's training state may take on CPU: half of a core's second-level cache."""

MAX_TILE_WIDTH = 512

ACCELERATOR_SHARE, ACCELERATOR_TILE = 0.5, 4096
"""On accelerators a tile fills the device: states, with three times as much for gradients and
activations, may take this share of its memory. The retreat corrects what that gets wrong."""


def evaluation_steps(
    steps: int, eval_every: int | None, listed: Sequence[int] | None = None
) -> list[int]:
    """After how many updates the lanes are evaluated; always ends with `steps`.

    None means 20 evaluations, evenly spread (every step where there are fewer than 20); `listed`
    says outright after which updates.

    >>> evaluation_steps(100, 30)
    [30, 60, 90, 100]
    >>> len(evaluation_steps(1000, None))
    20
    """
    if listed is not None:
        return sorted({*(int(step) for step in listed if step <= steps), steps})
    if eval_every is None:
        count = min(20, steps)
        return [steps * (index + 1) // count for index in range(count)]
    return sorted({*range(eval_every, steps + 1, eval_every), steps})


def lane_state_bytes(problem: Problem, data: PyTree, hyper_names: tuple[str, ...]) -> int:
    """Bytes of one lane's `LaneState`, without allocating it."""
    shapes = lane_shapes(problem, data, hyper_names)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))


def lane_shapes(problem: Problem, data: PyTree, hyper_names: tuple[str, ...]) -> LaneState:
    """The shapes and dtypes of one lane's state; traced once per problem."""
    example = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), data.get("train")
    )
    leaves, structure = jax.tree.flatten(example)
    return _lane_shapes(problem, tuple(leaves), structure, hyper_names)


def parameter_shapes(problem: Problem, data: Mapping[str, PyTree]) -> PyTree:
    """The shapes and dtypes of the parameters that a lane starts with."""
    from lrlab.engine.programs import beginning

    train = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), data.get("train")
    )
    seed = jax.ShapeDtypeStruct((), np.uint32)
    with precision(problem.dtype):
        made = functools.partial(beginning, problem)
        return jax.eval_shape(made, {} if train is None else {"train": train}, seed)[0]


@kept_with(lambda problem, *rest: problem.task.init)
def _lane_shapes(
    problem: Problem, leaves: tuple[Any, ...], structure: Any, hyper_names: tuple[str, ...]
) -> LaneState:
    from lrlab.engine.programs import as_dtype

    zeros = [np.zeros(leaf.shape, leaf.dtype) for leaf in leaves]

    def start() -> LaneState:
        example = jax.tree.unflatten(structure, zeros)
        params, model = problem.task.init(key(0, "init"), example)
        params, model = as_dtype((params, model), problem.dtype)
        hyper = {name: jax.numpy.full((), 0.1, dtype=problem.dtype) for name in hyper_names}
        return initial_state(problem, params, model, hyper, jax.numpy.ones((), bool))

    with precision(problem.dtype):
        return jax.eval_shape(start)


def make_plan(
    problem: Problem,
    data: PyTree,
    hyper_names: tuple[str, ...],
    lanes_per_seed: int,
    seeds: int,
    plan: Plan | None = None,
) -> Plan:
    """`plan` with every open field decided, and the reasons in words.

    The tile width is the largest power of two whose states fit in a core's cache (on accelerators:
    in half of the memory), and no wider than spreads the lanes over all devices.

    Raises:
        ValueError: a given field is below 1, or asks for more devices than there are.
    """
    plan = plan or Plan()
    devices, why_devices = prepare_devices(plan.devices)
    _fits(lane_state_bytes(problem, data, hyper_names), devices[0])
    reasons = [why_devices]
    if plan.tile_width is not None:
        if plan.tile_width < 1:
            raise FieldError(
                "plan.tile_width", f"plan.tile_width must be at least 1, got {plan.tile_width}"
            )
        width = plan.tile_width
        reasons.append(f"tile width {width}: given")
        source: WidthSource = "given"
    else:
        size = max(1, lane_state_bytes(problem, data, hyper_names))
        memory = device_memory(devices[0])
        if memory is None:
            fits, most = max(1, CACHE_BYTES // size), MAX_TILE_WIDTH
            where = f"{fits} fit in {CACHE_BYTES >> 10} KiB of cache"
        else:
            fits, most = max(1, int(memory * ACCELERATOR_SHARE / (4 * size))), ACCELERATOR_TILE
            where = f"{fits:,} fit in half of the device's {memory >> 20:,} MiB"
        spread = max(1, -(-lanes_per_seed * seeds // len(devices)))
        width = 1
        while width * 2 <= min(fits, most, lanes_per_seed, spread):
            width *= 2
        source = "estimated"
        reasons.append(f"tile width {width}: a lane's state is {size:,} bytes, {where}")
    segment = plan.segment_steps or min(problem.steps, MAX_SEGMENT_STEPS)
    if segment < 1:
        raise FieldError(
            "plan.segment_steps", f"plan.segment_steps must be at least 1, got {segment}"
        )
    return Plan(width, len(devices), segment, plan.memory_bytes, tuple(reasons), source)


def _fits(size: int, device: Any) -> None:
    """Refuses what could never be held; XLA ends the process over shapes beyond counting.

    Raises:
        ValueError: one lane's state is larger than the memory.
    """
    memory = device_memory(device) or host_memory()
    if size > memory:
        raise FieldError(
            "task.model",
            f"the model: one lane's parameters and optimizer state take {size:,} bytes, and there "
            f"are {memory:,}; make it smaller",
        )


def host_memory() -> int:
    """The machine's memory in bytes; where the system does not say, 2^46 (64 TiB)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 1 << 46


def device_memory(device: Any) -> int | None:
    """The memory of an accelerator in bytes; None for a CPU, whose cache decides, and for a device
    that does not say."""
    if device.platform == "cpu":
        return None
    stats = device.memory_stats() or {}
    return int(stats["bytes_limit"]) if "bytes_limit" in stats else None


def planned_waves(lanes: Lanes, plan: Plan) -> int:
    """How many waves the lanes make: tiles of one seed each, one tile per device at a time.

    >>> planned_waves(Lanes({"lr": np.ones(10)}, np.repeat([0, 1], 5)), Plan(4, 2))
    2
    """
    assert plan.tile_width is not None and plan.devices is not None
    counts = np.unique(lanes.seed, return_counts=True)[1]
    tiles = int(sum(-(-int(count) // plan.tile_width) for count in counts))
    return -(-tiles // plan.devices)


def planned_memory(problem: Problem, data: PyTree, lanes: Lanes, plan: Plan) -> int:
    """An estimate in bytes of what training holds at once, before anything is allocated.

    The data (once on CPU, else on every device), the states of the lanes that are held together,
    the recorded rows, and what XLA says that the compiled segment needs besides
    (`memory_analysis`).
    """
    from lrlab.engine.host_data import dtype_on_host
    from lrlab.engine.loop import RESIDENT_BYTES
    from lrlab.engine.programs import compiled

    assert plan.tile_width is not None and plan.segment_steps is not None
    with precision(problem.dtype):
        devices, _ = prepare_devices(plan.devices)
        place = jax.sharding.SingleDeviceSharding(devices[0])

        def struct(shape: tuple[int, ...], dtype: object) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(shape, dtype, sharding=place)

        shapes = lane_shapes(problem, data, tuple(lanes.hyper))
        width = plan.tile_width
        wide = jax.tree.map(lambda leaf: struct((width, *leaf.shape), leaf.dtype), shapes)
        here = jax.tree.map(
            lambda leaf: struct(np.shape(leaf), dtype_on_host(leaf, problem.dtype)), dict(data)
        )
        hyper = {name: struct((plan.tile_width,), problem.dtype) for name in lanes.hyper}
        batch = problem.batch_size
        rows = None if batch is None else struct((plan.segment_steps, batch), np.int32)
        number, seed = struct((), np.int32), struct((), np.uint32)
        program = compiled(problem, plan.tile_width, plan.segment_steps).train.program(
            devices[0], wide, here, seed, hyper, rows, number, number
        )
        analysis = program.memory_analysis()
    state = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    held = min(len(lanes.seed) * state, max(RESIDENT_BYTES, state * plan.tile_width * len(devices)))
    examples = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(here))
    examples *= 1 if devices[0].platform == "cpu" else len(devices)
    recorded = len(lanes.seed) * problem.steps * 2 * np.dtype(problem.dtype).itemsize
    scratch = 0 if analysis is None else int(analysis.temp_size_in_bytes)
    return int(examples + len(devices) * scratch + held + recorded)
