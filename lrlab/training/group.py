"""One group, ready to train: from a resolved experiment to a problem, its data and its lanes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lrlab import optimizers
from lrlab.config import Resolved, total_steps
from lrlab.config.schema import MAX_STEPS
from lrlab.core.axes import arrays_of
from lrlab.core.errors import FieldError
from lrlab.core.jax_settings import usual
from lrlab.core.precisions import dtype_of
from lrlab.core.records import Direction
from lrlab.core.text import JsonObject
from lrlab.data.batches import Batches, segment_indices
from lrlab.data.streams import stream_of
from lrlab.engine.binding import GIVEN
from lrlab.engine.host_data import check_representable
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.orders import kept_permutations
from lrlab.engine.plan import make_plan
from lrlab.engine.probing import check_probes
from lrlab.engine.state import lane_shapes
from lrlab.optimizers.custom import keywords
from lrlab.schedules.lengths import in_words
from lrlab.tasks import Task
from lrlab.tasks.functions import separated
from lrlab.training import own_code, traced_checks
from lrlab.training.components import (
    Method,
    Schedule,
    engine_optimizer,
    engine_probes,
    engine_schedule,
    schedule_axes,
    schedule_parameters,
    scheduled_hyper,
)
from lrlab.training.evaluated import directions_of, metric_of
from lrlab.training.lane_axes import (
    entries,
    rates_of,
    refuse_unread,
    refuse_unread_by_step,
    refuse_unread_rates,
)
from lrlab.training.limits import no_room_for
from lrlab.training.streams import check_loader, check_numbered
from lrlab.training.suitability import precision_of, refuse_on_step
from lrlab.training.task import parametrized, refused
from lrlab.training.task_trace import traced
from lrlab.types import Optimizer, Plan, Problem, PyTree


class TrainingGroup(NamedTuple):
    """Lanes that one compiled program trains, and all that they need.

    `axes`: lane axes in order, learning rates first, each f64; `seeds` int64[S]; `directions`:
    evaluated metric -> "min" or "max"; `source`: where the data are from, for the record; `metric`:
    the one that decides.
    """

    problem: Problem
    data: dict[str, PyTree]
    axes: dict[str, np.ndarray]
    seeds: np.ndarray
    eval_steps: list[int]
    indices: Callable[[int, int, int], np.ndarray] | None
    plan: Plan
    directions: dict[str, Direction]
    source: JsonObject
    metric: str = "valid_loss"


@usual()
def training_group(resolved: Resolved) -> TrainingGroup:
    """The group of a resolved experiment: its task loaded, everything checked, nothing compiled.

    Raises:
        ConfigError: whatever can be known to be wrong before anything compiles.
    """
    task, optimizer = parametrized(resolved)
    stream = stream_of(task.data.get("train"))
    if stream is not None:
        with refused(resolved):
            check_loader(resolved, stream)
            check_numbered(resolved, stream)
    steps = _steps(resolved, task)
    with refused(resolved):
        group = _assembled(resolved, task, optimizer, steps)
    return group._replace(metric=metric_of(resolved, group.directions))


def _steps(resolved: Resolved, task: Task) -> int:
    """The updates of every lane, where they can be counted and their curves held."""
    steps = total_steps(resolved.steps, resolved.epochs, resolved.batch_size, task.num_examples)
    if steps > MAX_STEPS:
        message = f"makes {steps:,} updates; at most {MAX_STEPS:,} can be counted"
        raise resolved.refuse("epochs", message)
    lanes = math.prod([len(axis.values) for axis in resolved.axes]) * len(resolved.seeds)
    dtype = dtype_of(resolved.experiment.precision)
    if (message := no_room_for(steps, lanes, dtype)) is not None:
        raise resolved.refuse("steps" if resolved.epochs is None else "epochs", message)
    return steps


def _assembled(
    resolved: Resolved, task: Task, parametrization: Optimizer | None, steps: int
) -> TrainingGroup:
    """The parts put together.

    Raises:
        ValueError: an axis that neither the optimizer nor the schedule has, a batch larger than the
            data, or what the pieces themselves refuse.
    """
    experiment = resolved.experiment
    dtype = precision_of(resolved, task).dtype
    examples, batch = task.num_examples, _batch(resolved, task)
    optimizer, options, schedule = _methods(resolved, parametrization, steps)
    groups, multipliers = experiment.groups, resolved.multipliers
    optimizer_args, fixed = {**resolved.optimizer_args, **options}, dict(resolved.fixed)
    if parametrization is not None:  # it holds them already
        optimizer_args, fixed, multipliers = {}, {}, {}
    schedule_args = dict(resolved.schedule_args)
    if any(map(in_words, schedule_args.values())) or not isinstance(schedule, (str, Callable)):
        schedule_args.setdefault("steps_per_epoch", examples // (batch or examples or 1) or None)

    axes = arrays_of(resolved.axes)
    if task.functions.step is not None:
        refuse_on_step(resolved)
    rates = rates_of(resolved, task)
    data, problem = dict(task.data), _unfinished(resolved, task, steps, batch, rates)
    if task.params is not None:
        data[GIVEN] = separated(task.params)
    shown = traced(problem, data, (*entries(rates, axes), *fixed))
    read = shown.reads
    multiplied = [value for value in multipliers.values() if isinstance(value, str)]
    own_step = task.functions.step is not None
    elsewhere = {*rates, *multiplied, *schedule_axes(schedule)}
    elsewhere |= set() if own_step else {"init_scale"}
    further = [name for name in (*axes, *fixed) if name not in elsewhere]
    if own_step:
        refuse_unread_by_step(further, elsewhere | read)
        if task.functions.own:  # others are not traced
            refuse_unread_rates(axes, rates, read)
    elif isinstance(optimizer, str):
        refuse_unread(further, optimizer, schedule, elsewhere | read)
    held: dict[str, float] = {}
    for name, value in fixed.items():
        if name in read and name not in elsewhere:
            held[name] = value
        elif name in elsewhere & schedule_parameters(schedule):
            schedule_args.setdefault(name, value)
        elif name in keywords(optimizer):
            optimizer_args.setdefault(name, value)
        else:
            axes[name] = np.array([value], np.float64)
    own = tuple(name for name in further if name in axes)
    scheduled = None
    if schedule_args.get("low_momentum") is not None or "low_momentum" in axes:
        scheduled = scheduled_hyper(optimizer, optimizer_args, schedule, steps, schedule_args)
    else:
        schedule_args.pop("low_momentum", None)
    shape, names = engine_schedule(schedule, steps, schedule_args), tuple(axes)
    problem = problem._replace(
        optimizer=engine_optimizer(optimizer, optimizer_args, groups, multipliers, own),
        schedule=shape,
        scheduled_hyper=scheduled,
        fixed=tuple(held.items()),
    )
    check_representable(data, dtype)
    traced_checks.schedule(schedule, shape, steps, schedule_args, axes, dtype)
    if not isinstance(optimizer, str):
        every = ("lr", *(name for name in (*names, *held) if name not in rates))
        base = engine_optimizer(optimizer, optimizer_args, axes=own)
        traced_checks.optimizer(base, problem, data, every, own, read)
    if multipliers:
        optimizers.check_multipliers(multipliers, lane_shapes(problem, data, names).params)
    check_probes(problem, data, names)
    per_seed = math.prod([len(values) for values in axes.values()])
    batches = None if batch is None else Batches(examples, batch, problem.replay, problem.in_order)
    return TrainingGroup(
        problem=problem,
        data=data,
        axes=axes,
        seeds=np.asarray(resolved.seeds, np.int64),
        eval_steps=evaluation_steps(steps, resolved.eval_every, resolved.eval_steps),
        indices=None if batches is None else _indices(batches),
        plan=make_plan(problem, data, names, per_seed, len(resolved.seeds), resolved.plan),
        directions=directions_of(problem, task, shown),
        source={"name": task.name, **dict(task.source)},
    )


def _unfinished(
    resolved: Resolved, task: Task, steps: int, batch: int | None, rates: tuple[str, ...]
) -> Problem:
    """The problem with stand-ins for what depends on which axes the task reads."""
    experiment, precision = resolved.experiment, precision_of(resolved, task)
    return Problem(
        task=task.functions,
        optimizer=engine_optimizer("sgd", {}),
        schedule=engine_schedule("constant", steps, {}),
        steps=steps,
        batch_size=batch,
        num_examples=task.num_examples,
        replay=experiment.sampler == "replay",
        in_order=experiment.sampler == "in_order",
        splits=task.splits,
        dtype=precision.dtype,
        parameters=precision.parameters,
        compute=precision.compute,
        stop_diverged=experiment.stop_diverged,
        probes=engine_probes(resolved.probes),
        rates=rates,
        rewrite=bool(resolved.plan.rewrite),
    )


def _batch(resolved: Resolved, task: Task) -> int | None:
    """Examples per update; None where all the data are one batch, or there are none."""
    size, examples = resolved.batch_size, task.num_examples
    stream = stream_of(task.data.get("train"))
    if stream is not None and stream.batch_size is not None:
        return stream.batch_size
    if not examples or isinstance(size, str):
        return None
    if size > examples:
        raise FieldError(
            "batch_size",
            f"batch_size {size} is larger than the {examples} training examples of "
            f'{task.name!r}; use at most {examples}, or batch_size = "full"',
        )
    return size


def _methods(
    resolved: Resolved, parametrization: Optimizer | None, steps: int
) -> tuple[Method, JsonObject, Schedule]:
    """The optimizer, options of its own code, and the schedule: names, what Python handed over, or
    own code."""
    objects, experiment = resolved.objects, resolved.experiment
    optimizer: Method = parametrization or objects.optimizer or experiment.optimizer.name
    schedule: Schedule = objects.schedule or experiment.schedule.name
    options: JsonObject = {}
    if experiment.optimizer.python is not None:
        axes = (*(axis.name for axis in resolved.axes), *resolved.fixed)
        optimizer, options = own_code.optimizer(experiment.optimizer, axes)
    if experiment.schedule.python is not None:
        schedule = own_code.schedule(experiment.schedule, steps)
    return optimizer, options, schedule


@functools.lru_cache(maxsize=64)
def _indices(batches: Batches) -> Callable[[int, int, int], np.ndarray]:
    return functools.partial(segment_indices, batches, compiled=kept_permutations)
