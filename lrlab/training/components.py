"""The parts of a training program: optimizer, schedule, scheduled hyper-parameters, probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from lrlab import optimizers, probes, schedules
from lrlab.core.errors import FieldError, within
from lrlab.core.text import Table
from lrlab.optimizers.custom import UserOptimizer, engine_custom
from lrlab.schedules.custom import custom_schedule
from lrlab.schedules.table import engine_table, matrix
from lrlab.schedules.training import engine_momentum
from lrlab.types import Array, Hyper, Optimizer, Probe

OptimizerLike: TypeAlias = str | Table | UserOptimizer | Optimizer | None
"""A registered name, a table, or an optimizer of the caller's own."""

ScheduleLike: TypeAlias = str | Sequence[str | Table] | Table | Callable[..., object] | None
"""A registered name, several, a table, or a function `step -> factor` of the learning rate."""

Method: TypeAlias = str | UserOptimizer | Optimizer
"""An optimizer by its registered name, or as an object."""

Schedule: TypeAlias = str | Sequence[str | Table] | Callable[..., object]
"""A schedule by its registered name, several names and tables, or a function of the step."""

MOMENTA = ("momentum", "b1", "beta")
"""What a momentum is called among an optimizer's hyper-parameters."""


def engine_optimizer(
    optimizer: Method,
    arguments: Table,
    groups: Mapping[str, str] | None = None,
    multipliers: Mapping[str, float | str] | None = None,
    axes: tuple[str, ...] = (),
) -> Optimizer:
    """A registered optimizer by name, or anyone's (see `lrlab.optimizers.custom`); `axes`: lane
    axes that may be meant for it.

    Raises:
        ValueError: arguments that it does not take.
    """
    if isinstance(optimizer, str):
        own: Table = {"multipliers": dict(multipliers)} if multipliers else {}
        built = optimizers.engine_optimizer(optimizer, **{**arguments, **own})
    else:
        built = engine_custom(optimizer, dict(arguments), axes)
        built = optimizers.with_multipliers(built, multipliers) if multipliers else built
    return optimizers.grouped(built, dict(groups)) if groups else built


def engine_schedule(
    schedule: Schedule, steps: int, arguments: Table
) -> Callable[[Hyper, Array], Array]:
    """A registered schedule by name; several as a table, whose rows the lane axis `schedule`
    counts; or anyone's function `step -> factor of the learning rate`."""
    if isinstance(schedule, str):
        return schedules.engine_schedule(schedule, steps, **arguments)
    if callable(schedule):
        if arguments:
            raise FieldError(
                f"schedule.{next(iter(arguments))}",
                "a schedule given as a function takes no options; put them into the function "
                "(functools.partial)",
            )
        return custom_schedule(schedule)
    with within("schedule"):
        return engine_table(matrix(schedule, steps, **arguments))


def scheduled_hyper(
    optimizer: Method,
    optimizer_args: Table,
    schedule: Schedule,
    steps: int,
    arguments: Table,
) -> Callable[[Hyper, Array], Hyper]:
    """Hyper-parameters that change over the run beside the learning rate: the momentum that mirrors
    the schedule, which `low_momentum` asks for."""
    own = optimizers.hyperparameters(optimizer) if isinstance(optimizer, str) else {}
    key = next((name for name in MOMENTA if name in own), None)
    value = None if key is None else optimizer_args.get(key, own[key])
    if key is None or value is None or not isinstance(schedule, str):
        raise FieldError(
            "schedule.low_momentum",
            "schedule.low_momentum needs a registered schedule, and an optimizer that has a "
            "momentum (momentum, b1 or beta); it is lowered while the learning rate is high",
        )
    return engine_momentum(schedule, steps, (key, float(value)), **arguments)


def engine_probes(entries: Sequence[str | Table]) -> tuple[Probe, ...]:
    """The probes of names and tables; a refusal is placed at its number in the list."""
    measurements = []
    for number, entry in enumerate(entries):
        with within("probes", str(number)):
            measurements.append(probes.engine_probe(entry))
    return tuple(measurements)


def schedule_parameters(schedule: Schedule) -> set[str]:
    """What a schedule takes as numbers: its own parameters, or those of every schedule."""
    if isinstance(schedule, str):
        return set(schedules.parameters(schedule))
    return set() if callable(schedule) else set(schedules.COMMON)


def schedule_axes(schedule: Schedule) -> set[str]:
    """The lane axes that a schedule reads."""
    several = not callable(schedule) and not isinstance(schedule, str)
    return {"schedule"} if several else schedule_parameters(schedule)
