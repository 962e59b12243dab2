"""From names, arrays and arguments to what the engine trains: a problem, its data and its lanes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab import optimizers, schedules
from lrlab.core.errors import FieldError, within
from lrlab.data.batches import Batches, segment_indices
from lrlab.engine.host_data import check_representable
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.plan import make_plan
from lrlab.engine.probing import check_probes
from lrlab.engine.state import lane_shapes
from lrlab.optimizers.custom import engine_custom, keywords
from lrlab.schedules.custom import custom_schedule
from lrlab.schedules.lengths import in_words
from lrlab.schedules.table import engine_table, matrix
from lrlab.schedules.training import engine_momentum
from lrlab.tasks import Task
from lrlab.training import traced_checks
from lrlab.types import Lanes, Optimizer, Plan, Probe, Problem


class Setup(NamedTuple):
    """One group, ready to train.

    `axes`: lane axes in order, learning rates first, each f64; `seeds` int64[S]; `directions`:
    evaluated metric -> "min" or "max".
    """

    problem: Problem
    data: dict[str, Any]
    axes: dict[str, np.ndarray]
    seeds: np.ndarray
    eval_steps: list[int]
    indices: Callable[[int, int, int], np.ndarray] | None
    plan: Plan
    directions: dict[str, str]
    source: dict[str, Any]


def assemble(
    task: Task,
    *,
    axes: Mapping[str, Any],
    seeds: Sequence[int],
    steps: int,
    batch_size: int | str | None,
    optimizer: str | Callable[..., Any] = "adam",
    optimizer_args: Mapping[str, Any] | None = None,
    schedule: str | Sequence[Any] | Callable[..., Any] = "constant",
    schedule_args: Mapping[str, Any] | None = None,
    fixed: Mapping[str, float] | None = None,
    groups: Mapping[str, str] | None = None,
    multipliers: Mapping[str, float | str] | None = None,
    sampler: str = "shuffle",
    eval_every: int | None = None,
    eval_steps: Sequence[int] | None = None,
    stop_diverged: bool = True,
    precision: str = "float32",
    probes: Sequence[str | Mapping[str, Any]] = (),
    plan: Plan | None = None,
) -> Setup:
    """Puts one group together; every argument as in `lrlab.sweep`, but for `multipliers`: pattern
    of paths -> a number, or the name of the lane axis that holds it.

    Raises:
        ValueError: an axis that neither the optimizer nor the schedule has, a batch larger than the
            data, or what the pieces themselves refuse.
    """
    examples = task.num_examples
    batch = None
    if examples and batch_size not in (None, "full"):
        batch = int(batch_size)  # type: ignore[arg-type]
        if batch > examples:
            raise FieldError(
                "batch_size",
                f"batch_size {batch} is larger than the {examples} training examples of "
                f'{task.name!r}; use at most {examples}, or batch_size = "full"',
            )
    optimizer_args, schedule_args = dict(optimizer_args or {}), dict(schedule_args or {})
    if any(map(in_words, schedule_args.values())) or not isinstance(schedule, (str, Callable)):
        schedule_args.setdefault("steps_per_epoch", examples // (batch or examples or 1) or None)
    of_groups = tuple(f"lr_{group}" for group in groups or ())
    multiplied = [value for value in (multipliers or {}).values() if isinstance(value, str)]
    elsewhere = {"lr", "init_scale", *of_groups, *multiplied, *_schedule_axes(schedule)}
    further = [name for name in (*axes, *(fixed or {})) if name not in elsewhere]
    if isinstance(optimizer, str):
        _known_axes(further, optimizer, schedule, elsewhere)
    for name, value in (fixed or {}).items():
        if name in elsewhere & _schedule_parameters(schedule):
            schedule_args.setdefault(name, value)
        elif name in keywords(optimizer):
            optimizer_args.setdefault(name, value)
        else:
            axes = {**axes, name: [value]}
    own = tuple(name for name in further if name in axes)
    made = engine_optimizer(optimizer, optimizer_args, groups, multipliers, own)
    moving = _moving(optimizer, optimizer_args, schedule, steps, schedule_args, axes)
    shape = engine_schedule(schedule, steps, schedule_args)
    splits = tuple(name for name in ("valid", "test") if name in task.data or not task.data)
    if not task.data:
        splits = ("valid",)
    problem = Problem(
        task=task.functions,
        optimizer=made,
        schedule=shape,
        steps=steps,
        batch_size=batch,
        num_examples=examples,
        replay=sampler == "replay",
        in_order=sampler == "in_order",
        splits=splits,
        dtype=precision,
        stop_diverged=stop_diverged,
        probes=_probes(probes),
        moving=moving,
        rates=("lr", *of_groups),
    )
    data = dict(task.data)
    check_representable(data, precision)
    names = tuple(axes)
    traced_checks.schedule(schedule, shape, steps, schedule_args, axes, precision)
    if not isinstance(optimizer, str):
        every = ("lr", *(name for name in names if name not in problem.rates))
        base = engine_optimizer(optimizer, optimizer_args, axes=own)
        traced_checks.optimizer(base, problem, data, every, own)
    if multipliers:
        optimizers.check_multipliers(multipliers, lane_shapes(problem, data, names).params)
    check_probes(problem, data, names)
    lanes_per_seed = int(np.prod([len(values) for values in axes.values()]))
    return Setup(
        problem=problem,
        data=data,
        axes={name: np.asarray(values, np.float64) for name, values in axes.items()},
        seeds=np.asarray(seeds, np.int64),
        eval_steps=evaluation_steps(steps, eval_every, eval_steps),
        indices=None
        if batch is None
        else _indices(Batches(examples, batch, problem.replay, problem.in_order)),
        plan=make_plan(problem, data, names, lanes_per_seed, len(seeds), plan),
        directions={
            f"{split}_{name}": direction
            for split in splits
            for name, direction in task.metrics.items()
        },
        source={"name": task.name, **dict(task.source)},
    )


def grid_lanes(setup: Setup) -> Lanes:
    """A lane for every combination, seeds fastest: flat numbers in C order of (axes..., seed)."""
    columns = np.meshgrid(*setup.axes.values(), setup.seeds.astype(np.float64), indexing="ij")
    hyper = {name: column.ravel() for name, column in zip(setup.axes, columns[:-1], strict=True)}
    return Lanes(hyper, columns[-1].ravel().astype(np.int64))


def engine_optimizer(
    optimizer: str | Callable[..., Any] | Optimizer,
    arguments: dict[str, Any],
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
        own = {"multipliers": dict(multipliers)} if multipliers else {}
        made = optimizers.engine_optimizer(optimizer, **arguments, **own)
    else:
        made = engine_custom(optimizer, arguments, axes)
        made = optimizers.with_multipliers(made, multipliers) if multipliers else made
    return optimizers.grouped(made, dict(groups)) if groups else made


def engine_schedule(
    schedule: str | Sequence[Any] | Callable[..., Any], steps: int, arguments: dict[str, Any]
) -> Callable[[Any, Any], Any]:
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


def _moving(
    optimizer: Any,
    optimizer_args: Mapping[str, Any],
    schedule: Any,
    steps: int,
    schedule_args: dict[str, Any],
    axes: Mapping[str, Any],
) -> Callable[[Any, Any], Any] | None:
    """The momentum that mirrors the schedule, where `low_momentum` asks for one."""
    if schedule_args.get("low_momentum") is None and "low_momentum" not in axes:
        schedule_args.pop("low_momentum", None)
        return None
    known = optimizers.hyperparameters(optimizer) if isinstance(optimizer, str) else {}
    key = next((name for name in ("momentum", "b1", "beta") if name in known), None)
    value = None if key is None else optimizer_args.get(key, known[key])
    if key is None or value is None or not isinstance(schedule, str):
        raise FieldError(
            "schedule.low_momentum",
            "schedule.low_momentum needs a registered schedule, and an optimizer that has a "
            "momentum (momentum, b1 or beta); it is lowered while the learning rate is high",
        )
    momentum = key, float(value)
    return engine_momentum(schedule, steps, momentum, **schedule_args)


@functools.lru_cache(maxsize=64)
def _indices(batches: Batches) -> Callable[[int, int, int], np.ndarray]:
    return lambda seed, first, count: segment_indices(batches, seed, first, count)


def _probes(entries: Sequence[str | Mapping[str, Any]]) -> tuple[Probe, ...]:
    if not entries:
        return ()
    from lrlab import probes

    made = []
    for number, entry in enumerate(entries):
        with within("probes", str(number)):
            made.append(probes.engine_probe(entry))
    return tuple(made)


def _schedule_parameters(schedule: Any) -> set[str]:
    if isinstance(schedule, str):
        return set(schedules.parameters(schedule))
    return set() if callable(schedule) else set(schedules.COMMON)


def _schedule_axes(schedule: Any) -> set[str]:
    """The lane axes that a schedule reads."""
    several = not callable(schedule) and not isinstance(schedule, str)
    return {"schedule"} if several else _schedule_parameters(schedule)


def _known_axes(further: Sequence[str], optimizer: str, schedule: Any, elsewhere: set[str]) -> None:
    known = {*elsewhere, *optimizers.hyperparameters(optimizer)}
    for name in further:
        if name not in known:
            raise FieldError(
                ("axes", name),
                f"{name!r} cannot be swept: neither optimizer {optimizer!r} nor schedule "
                f"{schedule!r} has it. They have: {', '.join(sorted(known))}",
            )
