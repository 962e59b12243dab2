"""One group, ready to train: from a resolved experiment to a problem, its data and its lanes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab import optimizers
from lrlab.config import Resolved, total_steps
from lrlab.config.schema import MAX_STEPS
from lrlab.core.axes import arrays_of
from lrlab.core.errors import FieldError
from lrlab.core.jax_settings import usual
from lrlab.core.records import Direction
from lrlab.core.synonyms import OPTIMIZER, did_you_mean
from lrlab.core.text import JsonObject
from lrlab.data.batches import Batches, segment_indices
from lrlab.engine.binding import GIVEN
from lrlab.engine.host_data import check_representable
from lrlab.engine.layout import evaluation_steps
from lrlab.engine.plan import make_plan
from lrlab.engine.probing import check_probes
from lrlab.engine.state import lane_shapes
from lrlab.optimizers.custom import keywords
from lrlab.schedules.lengths import in_words
from lrlab.tasks import Task
from lrlab.tasks.functions import separated
from lrlab.training import traced_checks
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
from lrlab.training.limits import no_room_for
from lrlab.training.task import parametrized, refused
from lrlab.training.task_trace import Traced, traced
from lrlab.types import Optimizer, Plan, Problem, PyTree


class TrainingGroup(NamedTuple):
    """Lanes that one compiled program trains, and all that they need.

    `axes`: lane axes in order, learning rates first, each f64; `seeds` int64[S]; `directions`:
    evaluated metric -> "min" or "max"; `source`: where the data are from, for the record.
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


@usual()
def training_group(resolved: Resolved) -> TrainingGroup:
    """The group of a resolved experiment: its task loaded, everything checked, nothing compiled.

    Raises:
        ConfigError: whatever can be known to be wrong before anything compiles.
    """
    task, optimizer = parametrized(resolved)
    steps = _steps(resolved, task)
    with refused(resolved):
        group = _assembled(resolved, task, optimizer, steps)
    _check_metric(resolved, task, group)
    return group


def _check_metric(resolved: Resolved, task: Task, group: TrainingGroup) -> None:
    """What decides is measured: by evaluation, or (`train_...`) by training."""
    metric = resolved.experiment.metric
    if metric in group.directions or metric.startswith("train_"):
        return
    if "metric" not in resolved.experiment.model_fields_set and resolved.command == "sweep":
        return  # nothing is decided by it
    close = did_you_mean(metric, group.directions, end=".")
    names = ", ".join([*group.directions, "train_loss"])
    raise resolved.refuse(
        "metric", f"there is no metric {metric!r}{close} This task has: {names}; say metric = ..."
    )


def _steps(resolved: Resolved, task: Task) -> int:
    """The updates of every lane, where they can be counted and their curves held."""
    steps = total_steps(resolved.steps, resolved.epochs, resolved.batch_size, task.num_examples)
    if steps > MAX_STEPS:
        message = f"makes {steps:,} updates; at most {MAX_STEPS:,} can be counted"
        raise resolved.refuse("epochs", message)
    lanes = math.prod([len(axis.values) for axis in resolved.axes]) * len(resolved.seeds)
    if (message := no_room_for(steps, lanes, resolved.experiment.precision)) is not None:
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
    precision, examples, batch = experiment.precision, task.num_examples, _batch(resolved, task)
    optimizer, schedule = _methods(resolved, parametrization)
    groups, multipliers = experiment.groups, resolved.multipliers
    optimizer_args, fixed = dict(resolved.optimizer_args), dict(resolved.fixed)
    if parametrization is not None:  # it holds them already
        optimizer_args, fixed, multipliers = {}, {}, {}
    schedule_args = dict(resolved.schedule_args)
    if any(map(in_words, schedule_args.values())) or not isinstance(schedule, (str, Callable)):
        schedule_args.setdefault("steps_per_epoch", examples // (batch or examples or 1) or None)

    axes = arrays_of(resolved.axes)
    if task.functions.step is not None:
        _refuse_on_step(resolved)
    rates = _rates(resolved, task)
    data, problem = dict(task.data), _unfinished(resolved, task, steps, batch, rates)
    if task.params is not None:
        data[GIVEN] = separated(task.params)
    shown = traced(problem, data, (*_entries(rates, axes), *fixed))
    read = shown.reads
    multiplied = [value for value in multipliers.values() if isinstance(value, str)]
    elsewhere = {"init_scale", *rates, *multiplied, *schedule_axes(schedule)}
    further = [name for name in (*axes, *fixed) if name not in elsewhere]
    if isinstance(optimizer, str):
        _refuse_unread(further, optimizer, schedule, elsewhere | read)
    for name, value in fixed.items():
        if name in elsewhere & schedule_parameters(schedule):
            schedule_args.setdefault(name, value)
        elif name in keywords(optimizer) and name not in read:
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
    )
    check_representable(data, precision)
    traced_checks.schedule(schedule, shape, steps, schedule_args, axes, precision)
    if not isinstance(optimizer, str):
        every = ("lr", *(name for name in names if name not in rates))
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
        directions=_directions(problem, task, shown),
        source={"name": task.name, **dict(task.source)},
    )


def _unfinished(
    resolved: Resolved, task: Task, steps: int, batch: int | None, rates: tuple[str, ...]
) -> Problem:
    """The problem with stand-ins for what depends on which axes the task reads."""
    experiment = resolved.experiment
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
        dtype=experiment.precision,
        stop_diverged=experiment.stop_diverged,
        probes=engine_probes(resolved.probes),
        rates=rates,
    )


def _rates(resolved: Resolved, task: Task) -> tuple[str, ...]:
    """The entries of `hyper` that are learning rates."""
    groups = resolved.experiment.groups or {}
    own = [axis.name for axis in resolved.axes if axis.name.startswith("lr_")]
    if task.functions.step is None:
        for axis in own:
            if axis.removeprefix("lr_") not in groups:
                name = axis.removeprefix("lr_")
                raise FieldError(
                    ("lr", name), f"no group {name!r} in groups{did_you_mean(name, groups)}"
                )
        return ("lr", *(f"lr_{name}" for name in groups))
    rates = [axis.name for axis in resolved.axes if axis.kind == "learning_rate"]
    return ("lr", *(name for name in rates if name != "lr"))


def _entries(rates: Sequence[str], axes: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The entries of `hyper`: `lr` alone where rates have no names of their own."""
    named = any(name in axes for name in rates if name != "lr")
    return (*(() if named or "lr" in axes else ("lr",)), *axes)


def _refuse_on_step(resolved: Resolved) -> None:
    """Raises FieldError for what is a step's own business."""
    experiment = resolved.experiment
    given = experiment.model_fields_set
    for field in ("optimizer", "optimizer_args", "multipliers", "groups", "parametrization"):
        if field in given and getattr(experiment, field, None):
            raise FieldError(
                field,
                f"{field} is not for a task with a step of its own (Task.step), which updates its "
                "state itself; read what you need from hyper there",
            )


def _directions(problem: Problem, task: Task, shown: Traced) -> dict[str, Direction]:
    """What is better of every metric that is evaluated.

    Raises:
        FieldError: a direction for a metric that there is not.
    """
    if shown.evaluated is None:
        every = {split: tuple(task.metrics) for split in problem.splits}
    else:
        every = shown.evaluated
        known = {"loss", *shown.trained, *(name for names in every.values() for name in names)}
        for name in task.metrics:
            if name not in known:
                raise FieldError(
                    "task",
                    f"metrics says what is better of {name!r}, which nothing gives"
                    f"{did_you_mean(name, known, end='.')} There are: {', '.join(sorted(known))}",
                )
    return {
        f"{split}_{name}": task.metrics.get(name, "min")
        for split, names in every.items()
        for name in names
    }


def _batch(resolved: Resolved, task: Task) -> int | None:
    """Examples per update; None where all the data are one batch, or there are none."""
    size, examples = resolved.batch_size, task.num_examples
    if not examples or isinstance(size, str):
        return None
    if size > examples:
        raise FieldError(
            "batch_size",
            f"batch_size {size} is larger than the {examples} training examples of "
            f'{task.name!r}; use at most {examples}, or batch_size = "full"',
        )
    return size


def _methods(resolved: Resolved, parametrization: Optimizer | None) -> tuple[Method, Schedule]:
    """The optimizer and the schedule: names, or what Python handed over."""
    objects, experiment = resolved.objects, resolved.experiment
    optimizer = parametrization or objects.optimizer or experiment.optimizer.name
    return optimizer, objects.schedule or experiment.schedule.name


@functools.lru_cache(maxsize=64)
def _indices(batches: Batches) -> Callable[[int, int, int], np.ndarray]:
    return lambda seed, first, count: segment_indices(batches, seed, first, count)


def _refuse_unread(
    further: Sequence[str], optimizer: str, schedule: Schedule, elsewhere: set[str]
) -> None:
    """Raises FieldError for an axis that neither the task, the optimizer nor the schedule reads."""
    names = {*elsewhere, *optimizers.hyperparameters(optimizer)}
    for name in further:
        if name not in names:
            raise FieldError(
                ("axes", name),
                f"{name!r} cannot be swept: neither the task, optimizer {optimizer!r} nor schedule "
                f"{schedule!r} has it{did_you_mean(name, names, OPTIMIZER, end='.')} They have: "
                f"{', '.join(sorted(names))}",
            )
