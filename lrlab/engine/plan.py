"""How lanes are laid on the machine: mesh, tile width, segment length."""

from __future__ import annotations

from collections.abc import Mapping

from lrlab.core.errors import FieldError
from lrlab.engine.devices import prepare_devices
from lrlab.engine.flops import step_cost
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.memory import device_memory, host_memory
from lrlab.engine.rewriting import convolves
from lrlab.engine.state import frozen_shapes, lane_state_bytes, tree_bytes
from lrlab.engine.streaming import segment_limit
from lrlab.types import Device, Plan, Problem, PyTree


def make_plan(
    problem: Problem,
    data: Mapping[str, PyTree],
    hyper_names: tuple[str, ...],
    lanes_per_seed: int,
    seeds: int,
    plan: Plan | None = None,
    limits: PlanLimits = LIMITS,
) -> Plan:
    """`plan` with every open field decided, and the reasons in words.

    The tile width is the largest power of two whose states fit in a core's cache (on accelerators:
    in half of the memory), and no wider than spreads the lanes over all devices; but two lanes at
    least where convolutions are rewritten, which is left undone for lanes alone. On CPU, lanes that
    share frozen parameters larger than their own states form tiles as wide as there are lanes of a
    seed, up to as much of their states as is shared: a tile computes once what they have in common.

    Raises:
        ValueError: a field is below 1, or asks for more devices than there are.
    """
    plan = plan or Plan()
    devices, why_devices = prepare_devices(plan.devices)
    size = lane_state_bytes(problem, data, hyper_names)
    shared = tree_bytes(frozen_shapes(problem, data))
    _check_memory(size + shared, devices[0])
    width, segment = plan.tile_width, plan.segment_steps or min(problem.steps, limits.segment_steps)
    for field, value in (("tile_width", width), ("segment_steps", segment)):
        if value is not None and value < 1:
            name = f"plan.{field}"
            raise FieldError(name, f"{name} must be at least 1, got {value}")
    if width is not None:
        source, why = "given", f"tile width {width}: given"
    elif shared > size and devices[0].platform == "cpu":
        most = min(limits.tile_width, lanes_per_seed, shared // max(1, size))
        width, source = _power_of_two(most), "estimated"
        why = f"tile width {width}: lanes of {size:,} bytes share {shared:,} that are frozen"
    else:
        spread = max(1, -(-lanes_per_seed * seeds // len(devices)))
        width, why = _estimated_width(max(1, size), devices[0], min(lanes_per_seed, spread), limits)
        source = "estimated"
    alone = source == "estimated" and width == 1 < lanes_per_seed
    if alone and devices[0].platform == "cpu" and _convolves(problem, data, hyper_names):
        width, why = 2, "tile width 2: convolutions are faster in tiles of several lanes"
    reasons = (why_devices, why)
    if (streamed := segment_limit(problem, data, limits)) is not None and segment > streamed[0]:
        segment, reasons = streamed[0], (*reasons, streamed[1])
    return Plan(width, len(devices), segment, plan.memory_bytes, reasons, source, plan.rewrite)


def _estimated_width(size: int, device: Device, most: int, limits: PlanLimits) -> tuple[int, str]:
    """The tile width for lanes of `size` bytes, at most `most`, and the reason."""
    memory = device_memory(device)
    if memory is None:
        fits, widest = max(1, limits.cache_bytes // size), limits.tile_width
        where = f"{fits} fit in {limits.cache_bytes >> 10} KiB of cache"
    else:
        room = memory * limits.accelerator_share
        fits = max(1, int(room / (limits.states_per_update * size)))
        widest = limits.accelerator_tile_width
        where = f"{fits:,} fit in half of the device's {memory >> 20:,} MiB"
    width = _power_of_two(min(fits, widest, most))
    return width, f"tile width {width}: a lane's state is {size:,} bytes, {where}"


def _convolves(problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]) -> bool:
    """Whether convolutions are rewritten, which tiles of one lane leave to XLA."""
    return problem.rewrite and convolves(step_cost(problem, data, hyper_names).rewriting)


def _power_of_two(most: int) -> int:
    """The largest one that is no larger than `most`; 1 at least."""
    return 1 << (max(1, most).bit_length() - 1)


def _check_memory(size: int, device: Device) -> None:
    """Refuses what could never be held; XLA ends the process over shapes beyond counting.

    Raises:
        FieldError: one lane's state is larger than the memory.
    """
    memory = device_memory(device) or host_memory()
    if size > memory:
        raise FieldError(
            "task.model",
            f"the model: one lane's parameters and optimizer state take {size:,} bytes, and there "
            f"are {memory:,}; make it smaller",
        )
