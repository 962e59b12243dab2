"""How lanes are laid on the machine: mesh, tile width, segment length."""

from __future__ import annotations

import jax

from lrlab.engine.devices import prepare_devices
from lrlab.engine.step import LaneState, initial_state
from lrlab.rng import key
from lrlab.types import Plan, Problem, PyTree

MAX_SEGMENT_STEPS = 1000
"""Bounds the memory of a segment's batch indices and rows, and the wait after Ctrl-C."""

CACHE_BYTES = 1 << 20
"""What a tile's training state may take on CPU: about the second-level cache of one core."""


def evaluation_steps(steps: int, eval_every: int | None) -> list[int]:
    """After how many updates the lanes are evaluated; always ends with `steps`.

    None means 20 evaluations, evenly spread (every step where there are fewer than 20).

    >>> evaluation_steps(100, 30)
    [30, 60, 90, 100]
    >>> len(evaluation_steps(1000, None))
    20
    """
    if eval_every is None:
        count = min(20, steps)
        return [steps * (index + 1) // count for index in range(count)]
    return sorted({*range(eval_every, steps + 1, eval_every), steps})


def lane_state_bytes(problem: Problem, data: PyTree, hyper_names: tuple[str, ...]) -> int:
    """Bytes of one lane's `LaneState`, without allocating it."""
    shapes = lane_shapes(problem, data, hyper_names)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))


def lane_shapes(problem: Problem, data: PyTree, hyper_names: tuple[str, ...]) -> LaneState:
    """The shapes and dtypes of one lane's state."""
    from lrlab.engine.programs import as_dtype

    def start() -> LaneState:
        example = jax.tree.map(lambda leaf: leaf[:1], data.get("train"))
        params, model = problem.task.init(key(0, "init"), example)
        params, model = as_dtype((params, model), problem.dtype)
        hyper = {name: jax.numpy.full((), 0.1, dtype=problem.dtype) for name in hyper_names}
        return initial_state(problem, params, model, hyper, jax.numpy.ones((), bool))

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

    The tile width is the largest power of two whose states fit in a core's cache, at most 16, and
    no wider than spreads the lanes over all devices.

    Raises:
        ValueError: a given field is below 1, or asks for more devices than there are.
    """
    plan = plan or Plan()
    devices, why_devices = prepare_devices(plan.devices)
    reasons = [why_devices]
    if plan.tile_width is not None:
        if plan.tile_width < 1:
            raise ValueError(f"plan.tile_width must be at least 1, got {plan.tile_width}")
        width = plan.tile_width
        reasons.append(f"tile width {width}: given")
    else:
        size = lane_state_bytes(problem, data, hyper_names)
        fits = max(1, CACHE_BYTES // max(size, 1))
        spread = max(1, -(-lanes_per_seed * seeds // len(devices)))
        width = 1
        while width * 2 <= min(fits, 16, lanes_per_seed, spread):
            width *= 2
        reasons.append(
            f"tile width {width}: a lane's state is {size:,} bytes, "
            f"{fits} fit in {CACHE_BYTES >> 20} MiB of cache"
        )
    segment = plan.segment_steps or min(problem.steps, MAX_SEGMENT_STEPS)
    if segment < 1:
        raise ValueError(f"plan.segment_steps must be at least 1, got {segment}")
    return Plan(width, len(devices), segment, plan.memory_bytes, tuple(reasons))
