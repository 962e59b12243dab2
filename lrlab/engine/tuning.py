"""The tile width by timing: a few widths, a few steps each, once per machine and kind of step."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping

import jax
import numpy as np

from lrlab.core.version import VERSION
from lrlab.engine import cache, threads
from lrlab.engine import devices as machine
from lrlab.engine.flops import StepCost, step_cost
from lrlab.engine.layout import balanced, slots
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.places import devices_of
from lrlab.engine.programs import compiled
from lrlab.engine.rewriting import in_words
from lrlab.engine.segments import sent
from lrlab.engine.streaming import SegmentIndices, example_blocks, streams_of
from lrlab.engine.tiles import Group, begin, group_on_devices
from lrlab.types import Device, Lanes, Plan, Problem, PyTree, WidthSource


def tuned(
    problem: Problem,
    data: Mapping[str, PyTree],
    lanes: Lanes,
    plan: Plan,
    indices: SegmentIndices | None,
    limits: PlanLimits = LIMITS,
) -> Plan:
    """`plan` with the fastest tile width near the planner's guess.

    A width found before for this machine, step and version is taken from the cache without timing
    anything, so that a repeated run has the same tiles and the same bits. Otherwise the guess is
    timed, then its double and half, as long as the time allowed lasts.
    """
    assert plan.tile_width is not None
    with machine.precision(problem.dtype), threads.scope():
        devices, _ = machine.prepare_devices(plan.devices, plan.model_devices)
        cost = step_cost(problem, data, tuple(lanes.hyper))
        seconds = _expected_seconds(cost, len(lanes.seed) * problem.steps, devices, limits)
        if seconds < limits.worth_timing_seconds:
            why = f"not timed: about {seconds:.1f} s of work by count of operations"
            return plan._replace(reasons=(*plan.reasons, why))
        identity = _identity(cost.program, lanes, len(devices), problem.rewrite)
        if plan.model_devices > 1:
            identity["model_devices"] = plan.model_devices
        width = cache.remembered(identity)
        if width is not None:
            why = f"tile width {width}: the fastest when timed earlier on this machine"
            return _chosen(plan, width, "cache", why)
        blocks = None
        if "train" in streams_of(data):
            blocks = example_blocks(problem, data, plan.segment_steps or 1)
        group = group_on_devices(problem, data, lanes, plan, indices, limits, blocks)
        speeds = _speeds(group, _lanes_per_seed(lanes))
        best = max(speeds, key=lambda width: speeds[width])
        named = {str(width): round(speed, 1) for width, speed in sorted(speeds.items())}
        cache.remember(identity, best, named)
        why = f"tile width {best}: the fastest of {named} lane-steps/s"
        return _chosen(plan, best, "timed", why)


def _chosen(plan: Plan, width: int, source: WidthSource, why: str) -> Plan:
    return plan._replace(tile_width=width, tile_width_source=source, reasons=(*plan.reasons, why))


def filled(lanes: Lanes, plan: Plan, limits: PlanLimits = LIMITS) -> Plan:
    """`plan` with a tile width near its own that leaves fewer places of tiles empty, where that
    saves much; for lanes that are all trained at once.

    >>> lanes = Lanes({"lr": np.geomspace(0.001, 1, 33)}, np.zeros(33, np.int64))
    >>> filled(lanes, Plan(16, 2, 100)).tile_width
    17
    """
    assert plan.tile_width is not None and plan.devices is not None
    counts = np.unique(lanes.seed, return_counts=True)[1].tolist()
    places = plan.devices // plan.model_devices
    width = balanced(plan.tile_width, counts, places, limits.filling_gain)
    if width == plan.tile_width:
        return plan
    before, after = (slots(counts, one, places) for one in (plan.tile_width, width))
    why = (
        f"tile width {width} in place of {plan.tile_width}: the place with most tiles computes "
        f"{after:,} lanes at an update in place of {before:,}, empty ones included"
    )
    return plan._replace(tile_width=width, reasons=(*plan.reasons, why))


def explained(problem: Problem, data: Mapping[str, PyTree], lanes: Lanes, plan: Plan) -> Plan:
    """`plan` with what its programs do on CPU devices: calls of LAPACK, and what is rewritten."""
    devices, _ = machine.prepare_devices(plan.devices, plan.model_devices)
    if devices[0].platform != "cpu":
        return plan
    with machine.precision(problem.dtype):
        cost = step_cost(problem, data, tuple(lanes.hyper))
    reasons = list(map(in_words, cost.rewriting))
    if calls := ", ".join(cost.calls):
        reasons.append(f"{calls}: one call at a time per device, which wait for no other thread")
    return plan._replace(reasons=(*plan.reasons, *reasons))


def _expected_seconds(
    cost: StepCost, lane_steps: int, devices: list[Device], limits: PlanLimits
) -> float:
    """How long so many updates take, by count; moving a byte of state counts as an operation."""
    on_cpu = devices[0].platform == "cpu"
    flops = len(devices) * (limits.cpu_flops if on_cpu else limits.accelerator_flops)
    return lane_steps * (cost.flops + limits.states_per_update * cost.state_bytes) / flops


def _speeds(group: Group, lanes_per_seed: int) -> dict[int, float]:
    """Tile width -> lane-steps per second: the group's own width, then its double, half, ... as
    long as the time allowed lasts."""
    began, guess, limits = time.perf_counter(), group.width, group.limits
    speeds = {guess: _speed(group, guess)}
    expected = len(group.lanes.seed) * group.problem.steps / speeds[guess]
    allowed = max(limits.timing_seconds, limits.timing_share * expected)
    last = 0.0
    for width in (guess * 2, guess // 2, guess * 4, guess // 4):
        if not 1 <= width <= max(lanes_per_seed, 1):
            continue
        start = time.perf_counter()
        if start - began + last > allowed:
            break
        speeds[width] = _speed(group, width)
        last = time.perf_counter() - start
    return speeds


def _speed(group: Group, width: int) -> float:
    """Lane-steps per second of one tile per place, compilation apart."""
    many = width * len(group.places)
    first = np.argsort(group.lanes.seed, kind="stable")[:many]
    lanes = Lanes(
        {name: np.resize(values[first], many) for name, values in group.lanes.hyper.items()},
        np.repeat(group.lanes.seed[first[:1]], many),
    )
    shared = len(devices_of(group.places[0]))
    programs = compiled(group.problem, width, group.segment_steps, shared)
    group = group._replace(programs=programs, width=width, lanes=lanes)
    tiles = begin(group, np.arange(many))
    count, elapsed = 1, 0.0
    for _ in range(group.limits.sample_attempts):
        began = time.perf_counter()
        tiles = [tile for tile, _ in sent(group, tiles, 0, count)]
        jax.block_until_ready([tile.state for tile in tiles])
        elapsed = time.perf_counter() - began
        if (elapsed > group.limits.sample_seconds and count > 1) or count == group.segment_steps:
            break
        count = min(group.segment_steps, count * 4)
    return many * count / elapsed


def _lanes_per_seed(lanes: Lanes) -> int:
    """How many lanes the seed with most of them has."""
    return int(np.max(np.unique(lanes.seed, return_counts=True)[1]))


def _identity(program: str, lanes: Lanes, devices: int, rewrite: bool) -> dict[str, str | int]:
    """What the fastest width depends on: the machine, the versions, and the step itself."""
    step = re.sub(r"0x[0-9a-f]+", "", program)  # addresses of functions differ between processes
    return {
        "machine": cache.machine_name(),
        "devices": devices,
        "jax": jax.__version__,
        "lrlab": VERSION,
        "step": hashlib.sha256(step.encode()).hexdigest(),
        "lanes_per_seed": _lanes_per_seed(lanes),
        "rewrite": rewrite,
    }
