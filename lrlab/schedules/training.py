"""Schedules as the engine wants them: functions of a lane's hyper-parameters and the step.

Equal arguments give the same function, so that nothing compiles twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from lrlab.core.errors import within
from lrlab.core.text import JsonObject
from lrlab.schedules.registry import parameters
from lrlab.schedules.schedule import Schedule, make
from lrlab.types import Array, Hyper

Arguments = tuple[tuple[str, Any], ...]
"""A schedule's arguments by name, sorted and hashable."""


def engine_schedule(name: str, steps: int, **arguments: Any) -> Callable[[Hyper, Array], Array]:
    """`(hyper, step) -> learning rate`: `hyper["lr"]` is the peak; lane axes named like parameters
    take their place.

    Raises:
        FieldError: as from `lrlab.schedules.make`, at `schedule`.

    >>> schedule = engine_schedule("linear", 10, final=0.5)
    >>> float(schedule({"lr": 0.1, "final": 0.0}, 10))
    0.0
    """
    arguments.pop("low_momentum", None)
    with within("schedule"):
        make(name, 1.0, steps, **arguments)
    return _engine_schedule(name, steps, _frozen(arguments))


@functools.lru_cache(maxsize=256)
def _engine_schedule(
    name: str, steps: int, arguments: Arguments
) -> Callable[[Hyper, Array], Array]:
    def schedule(hyper: Hyper, step: Array) -> Array:
        with within("schedule"):
            return _of_lane(name, steps, arguments, hyper)(step)

    return schedule


def _of_lane(name: str, steps: int, arguments: Arguments, hyper: Hyper) -> Schedule:
    accepted = set(parameters(name)) - {"low_momentum"}
    swept = {key: value for key, value in hyper.items() if key in accepted}
    return make(name, hyper["lr"], steps, **{**dict(arguments), **swept})


def engine_momentum(
    name: str, steps: int, momentum: tuple[str, float], **arguments: Any
) -> Callable[[Hyper, Array], dict[str, Array]]:
    """`(hyper, step) -> {hyper-parameter: its value then}` for a momentum that mirrors the rate.

    Args:
        momentum: the optimizer's hyper-parameter and its value where the rate is lowest, unless
            the lane has its own; `arguments["low_momentum"]`, or the lane's, is the one at the
            peak.

    >>> moving = engine_momentum("one_cycle", 10, ("momentum", 0.95), low_momentum=0.85)
    >>> round(float(moving({"lr": 0.1}, 2)["momentum"]), 6)
    0.85
    """
    return _engine_momentum(name, steps, momentum, _frozen(arguments))


@functools.lru_cache(maxsize=256)
def _engine_momentum(
    name: str, steps: int, momentum: tuple[str, float], arguments: Arguments
) -> Callable[[Hyper, Array], dict[str, Array]]:
    rest = dict(arguments)
    fixed = rest.pop("low_momentum", None)

    def moving(hyper: Hyper, step: Array) -> dict[str, Array]:
        key, value = momentum
        low, high = hyper.get("low_momentum", fixed), hyper.get(key, value)
        with within("schedule"):
            shape = _of_lane(name, steps, tuple(rest.items()), {"lr": 1.0, **hyper})
            return {key: shape.momentum(step, low, high)}

    return moving


def _frozen(arguments: JsonObject) -> Arguments:
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return tuple(sorted(plain.items()))
