"""The tile width by timing: a few widths, a few steps each, once per machine and kind of step."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from lrlab.engine import cache, threads
from lrlab.engine import devices as machine
from lrlab.engine.flops import step_cost
from lrlab.engine.host_data import on_devices
from lrlab.engine.programs import compiled
from lrlab.engine.tiles import Machine, begin
from lrlab.types import Lanes, Plan, Problem, PyTree, WidthSource

SHARE, SECONDS = 0.05, 2.0
"""Timing may take the larger of this share of the expected run and this many seconds."""

WORTH_SECONDS = 15.0
"""A run that is shorter by count of its operations is not worth another compilation."""

NOMINAL = {"cpu": 25e9, "other": 5e12}
"""FLOP/s per device that the count assumes. Not measured on the spot, so that the same run is timed
or left alone on every repetition."""

SAMPLE_SECONDS = 0.15


def tuned(
    problem: Problem,
    data: PyTree,
    lanes: Lanes,
    plan: Plan,
    indices: Callable[[int, int, int], np.ndarray] | None,
) -> Plan:
    """`plan` with the fastest tile width near the planner's guess.

    A width found before for this machine, step and version is taken from the cache without timing
    anything, so that a repeated run has the same tiles and the same bits. Otherwise the guess is
    timed, then its double and half, as long as the time allowed lasts.
    """
    assert plan.tile_width is not None
    with machine.precision(problem.dtype), threads.scope():
        devices, _ = machine.prepare_devices(plan.devices)
        names = tuple(lanes.hyper)
        cost = step_cost(problem, data, names)
        nominal = NOMINAL.get(devices[0].platform, NOMINAL["other"]) * len(devices)
        work = len(lanes.seed) * problem.steps * (cost.flops + 4 * cost.state_bytes) / nominal
        if work < WORTH_SECONDS:
            why = f"not timed: about {work:.1f} s of work by count of operations"
            return plan._replace(reasons=(*plan.reasons, why))
        identity = _identity(cost.program, lanes, len(devices))
        known = cache.remembered(identity)
        if known is not None:
            why = f"tile width {known}: the fastest when timed earlier on this machine"
            return _chosen(plan, known, "cache", why)
        began = time.perf_counter()
        per_seed = int(np.max(np.unique(lanes.seed, return_counts=True)[1]))
        run = _machine(problem, data, lanes, plan, devices, indices)
        timings = {plan.tile_width: _throughput(run, plan.tile_width)}
        expected = len(lanes.seed) * problem.steps / timings[plan.tile_width]
        allowed = max(SECONDS, SHARE * expected)
        last = 0.0
        for width in _candidates(plan.tile_width, per_seed):
            start = time.perf_counter()
            if start - began + last > allowed:
                break
            timings[width] = _throughput(run, width)
            last = time.perf_counter() - start
        best = max(timings, key=lambda width: timings[width])
        named = {str(width): round(speed, 1) for width, speed in sorted(timings.items())}
        cache.remember(identity, best, named)
        why = f"tile width {best}: the fastest of {named} lane-steps/s"
        return _chosen(plan, best, "timed", why)


def _chosen(plan: Plan, width: int, source: WidthSource, why: str) -> Plan:
    return plan._replace(tile_width=width, tile_width_source=source, reasons=(*plan.reasons, why))


def explained(problem: Problem, data: PyTree, lanes: Lanes, plan: Plan) -> Plan:
    """`plan` with a reason more where a step calls LAPACK or transforms on CPU devices."""
    devices, _ = machine.prepare_devices(plan.devices)
    with machine.precision(problem.dtype):
        calls = step_cost(problem, data, tuple(lanes.hyper)).calls
    if not calls or devices[0].platform != "cpu":
        return plan
    why = f"{', '.join(calls)}: one call at a time per device, which wait for no other thread"
    return plan._replace(reasons=(*plan.reasons, why))


def _candidates(guess: int, lanes_per_seed: int) -> list[int]:
    near = [guess * 2, guess // 2, guess * 4, guess // 4]
    return [width for width in near if 1 <= width <= max(lanes_per_seed, 1)]


def _machine(
    problem: Problem, data: PyTree, lanes: Lanes, plan: Plan, devices: Any, indices: Any
) -> Machine:
    on_device = on_devices(data, problem.dtype, devices)
    assert plan.tile_width is not None and plan.segment_steps is not None
    programs = compiled(problem, plan.tile_width, plan.segment_steps)
    return Machine(
        problem, programs, devices, on_device, lanes, indices, plan.tile_width, plan.segment_steps
    )


def _throughput(run: Machine, width: int) -> float:
    """Lane-steps per second of one tile per device, compilation apart."""
    programs = compiled(run.problem, width, run.segment_steps)
    run = run._replace(programs=programs, width=width)
    places = width * len(run.devices)
    first = np.argsort(run.lanes.seed, kind="stable")[: width * len(run.devices)]
    lanes = Lanes(
        {name: np.resize(values[first], places) for name, values in run.lanes.hyper.items()},
        np.repeat(run.lanes.seed[first[:1]], places),
    )
    run = run._replace(lanes=lanes)
    tiles = begin(run, np.arange(places))
    count, elapsed = 1, 0.0
    for _ in range(8):
        began = time.perf_counter()
        states = []
        for tile in tiles:
            rows = None
            if run.indices is not None:
                made = np.asarray(run.indices(int(lanes.seed[0]), 0, count), np.int32)
                rows = np.pad(made, ((0, run.segment_steps - count), (0, 0)))
            batch = jax.device_put((rows, np.int32(0), np.int32(count)), tile.device)
            here = run.data[tile.device]
            states.append(
                programs.train(tile.device, tile.state, here, tile.seed, tile.hyper, *batch)[0]
            )
        jax.block_until_ready(states)
        tiles = [tile._replace(state=state) for tile, state in zip(tiles, states, strict=True)]
        elapsed = time.perf_counter() - began
        if elapsed > SAMPLE_SECONDS and count > 1 or count == run.segment_steps:
            break
        count = min(run.segment_steps, count * 4)
    return places * count / elapsed


def _identity(program: str, lanes: Lanes, devices: int) -> dict[str, Any]:
    """What the fastest width depends on: the machine, the versions, and the step itself."""
    from lrlab import __version__

    step = re.sub(r"0x[0-9a-f]+", "", program)  # addresses of functions differ between processes
    return {
        "machine": cache.machine_name(),
        "devices": devices,
        "jax": jax.__version__,
        "lrlab": __version__,
        "step": hashlib.sha256(step.encode()).hexdigest(),
        "lanes_per_seed": int(np.max(np.unique(lanes.seed, return_counts=True)[1])),
    }
