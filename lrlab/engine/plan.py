"""How lanes are laid on the machine: mesh, tile width, segment length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lrlab.core.errors import FieldError
from lrlab.engine.devices import forced, prepare_devices
from lrlab.engine.flops import step_cost
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.memory import device_memory, host_memory
from lrlab.engine.places import check_rows, device_bytes, in_words
from lrlab.engine.rewriting import Note, convolves, multiplies
from lrlab.engine.state import frozen_shapes, lane_shapes
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
    least where convolutions are rewritten, or most dense layers and there are more lanes than
    devices, which is left undone for lanes alone. On CPU, lanes that share frozen parameters larger
    than their own states form tiles as wide as there are lanes of a seed, up to as much of their
    states as is shared: a tile computes once what they have in common.

    Where several devices share a lane, sizes are those of what one of them holds.

    Raises:
        ValueError: a field is below 1, or asks for more devices than there are; devices that are no
            multiple of those that share a lane.
    """
    plan = plan or Plan()
    count = plan.devices
    if count is None and plan.model_devices > 1:  # more than cores, where somebody wants so many
        count = forced() or None
    devices, why_devices = prepare_devices(count, plan.model_devices)
    check_rows(len(devices), plan.model_devices)
    rows = len(devices) // plan.model_devices
    shapes, frozen = lane_shapes(problem, data, hyper_names), frozen_shapes(problem, data)
    size, shared = (device_bytes(tree, plan.model_devices) for tree in (shapes, frozen))
    _check_memory(size + shared, plan.model_devices, devices[0])
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
        spread = max(1, -(-lanes_per_seed * seeds // rows))
        most = min(lanes_per_seed, spread)
        width, what = _estimated_width(max(1, size), devices[0], most, limits)
        part = "a lane's state" if plan.model_devices == 1 else "a device's part of a lane's state"
        why = f"tile width {width}: {part} is {size:,} bytes, {what}"
        source = "estimated"
    alone = source == "estimated" and width == 1 < lanes_per_seed
    if alone and devices[0].platform == "cpu":
        said = _rewriting(problem, data, hyper_names)
        if convolves(said):
            width, why = 2, "tile width 2: convolutions are faster in tiles of several lanes"
        elif multiplies(said) and lanes_per_seed * seeds > rows:
            width, why = 2, "tile width 2: dense layers are faster in tiles of several lanes"
    reasons = (why_devices, why)
    if plan.model_devices > 1:
        reasons = (why_devices, in_words((shapes, frozen), plan.model_devices), why)
    if (streamed := segment_limit(problem, data, limits)) is not None and segment > streamed[0]:
        segment, reasons = streamed[0], (*reasons, streamed[1])
    return plan._replace(
        tile_width=width,
        devices=len(devices),
        segment_steps=segment,
        reasons=reasons,
        tile_width_source=source,
    )


def _estimated_width(size: int, device: Device, most: int, limits: PlanLimits) -> tuple[int, str]:
    """The tile width for lanes of `size` bytes, at most `most`, and how many fit where."""
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
    return width, where


def _rewriting(
    problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]
) -> Sequence[Note]:
    """What is rewritten in tiles of several lanes; tiles of one leave it to XLA."""
    return step_cost(problem, data, hyper_names).rewriting if problem.rewrite else ()


def _power_of_two(most: int) -> int:
    """The largest one that is no larger than `most`; 1 at least."""
    return 1 << (max(1, most).bit_length() - 1)


def _check_memory(size: int, model_devices: int, device: Device) -> None:
    """Refuses what could never be held; XLA ends the process over shapes beyond counting. `size`:
    bytes on each of the devices that share a lane.

    Raises:
        FieldError: one lane's state is larger than the memory.
    """
    memory = device_memory(device)
    if memory is None:  # CPU devices share the machine's
        size, memory = size * model_devices, host_memory()
    if size > memory:
        raise FieldError(
            "task.model",
            f"the model: one lane's parameters and optimizer state take {size:,} bytes, and there "
            f"are {memory:,}; make it smaller, or let more devices share each lane "
            "(plan.model_devices)",
        )
