"""From an experiment, and what was handed over in Python, to a group that can train."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lrlab import config, tasks
from lrlab.config import ConfigError, Experiment
from lrlab.config.schema import MAX_STEPS
from lrlab.core.errors import FieldError, within
from lrlab.core.jax_settings import usual
from lrlab.core.synonyms import did_you_mean
from lrlab.tasks import Task
from lrlab.training.group import Setup, assemble
from lrlab.training.limits import no_room_for
from lrlab.types import Plan


class Live(NamedTuple):
    """What only Python can hand over: objects that a file cannot name. None: as in the file."""

    task: Task | None = None
    optimizer: Callable[..., Any] | None = None
    schedule: Callable[..., Any] | None = None


def live(task: Any = None, optimizer: Any = None, schedule: Any = None) -> Live:
    """The arguments that are objects; names stay with the experiment."""
    return Live(
        task if isinstance(task, Task) else None,
        optimizer if not isinstance(optimizer, str) and _is_object(optimizer) else None,
        schedule if callable(schedule) else None,
    )


def _is_object(optimizer: Any) -> bool:
    """A function, a `types.Optimizer`, or a transformation that is made already."""
    return callable(optimizer) or any(hasattr(optimizer, name) for name in ("make", "update"))


@usual()
def task_of(experiment: Experiment, objects: Live, wrap: Any = None) -> Task:
    """The task, loaded; `wrap` as in `lrlab.tasks.build`.

    Raises:
        ConfigError: no such data, model or option, or data that make no sense, with its place.
    """
    _complete(experiment, objects)
    if objects.task is not None:
        return objects.task
    spec = experiment.task
    options = dict(spec.model_extra or {})
    parts = {
        "model": None if spec.model is None else _options(spec.model),
        "data": None if spec.data is None else _options(spec.data),
        "loss": spec.loss,
        "metrics": None if spec.metrics is None else tuple(spec.metrics),
    }
    options |= {key: value for key, value in parts.items() if value is not None}
    if wrap is not None:
        options["wrap"] = wrap
    with refused(experiment, TypeError):
        return tasks.build(**options) if spec.name is None else tasks.load(spec.name, **options)


@contextlib.contextmanager
def refused(experiment: Experiment, *further: type[Exception]) -> Iterator[None]:
    """What is refused below becomes a problem of the experiment: at the field that the error is
    about, or at the task, where nobody knows one.

    Args:
        further: classes that are refusals too, beside ValueError.

    Raises:
        ConfigError: that problem.
    """
    try:
        yield
    except ConfigError:
        raise
    except FieldError as error:
        raise ConfigError([config.problem_of(experiment, error)]) from error
    except (ValueError, *further) as error:
        raise ConfigError([config.problem(experiment, "task", str(error))]) from error


def _complete(experiment: Experiment, objects: Live) -> None:
    """Every object that the experiment was made with is here: a file holds its name only.

    Raises:
        ConfigError: names those that are not.
    """
    missing = [
        config.problem(
            experiment,
            kind,
            f"{getattr(experiment, kind).name!r} was made in Python, so that it is not in the "
            "folder; call lrlab from the script that made it again, with out = this folder",
        )
        for kind, made in zip(Live._fields, objects, strict=True)
        if getattr(experiment, kind).external and made is None
    ]
    if missing:
        raise ConfigError(missing)


def _options(spec: Any) -> dict[str, Any]:
    given = {name: value for name, value in spec.model_dump().items() if value is not None}
    return {name: value for name, value in given.items() if name in spec.model_fields_set} | dict(
        spec.model_extra or {}
    )


@usual()
def setup_of(
    experiment: Experiment,
    objects: Live,
    *,
    axes: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    **changes: Any,
) -> Setup:
    """The experiment's group, with `axes` and `seeds` in place of its own where given.

    Raises:
        ConfigError: whatever can be known to be wrong before anything compiles.
    """
    task, optimizer = parametrized(experiment, objects)
    examples = task.num_examples
    fixed = config.fixed(experiment) if optimizer is None else {}
    own = {**config.rates(experiment), **config.lane_axes(experiment)}
    plan = experiment.plan
    steps = config.total_steps(experiment, examples)
    if steps > MAX_STEPS:
        message = f"makes {steps:,} updates; at most {MAX_STEPS:,} can be counted"
        raise ConfigError([config.problem(experiment, "epochs", message)])
    axes = own if axes is None else axes
    seeds = config.seed_list(experiment) if seeds is None else seeds
    lanes = math.prod([len(values) for values in axes.values()]) * len(seeds)
    if (message := no_room_for(steps, lanes, experiment.precision)) is not None:
        field = "steps" if experiment.epochs is None else "epochs"
        raise ConfigError([config.problem(experiment, field, message)])
    arguments: dict[str, Any] = {
        "axes": axes,
        "seeds": seeds,
        "steps": steps,
        "batch_size": experiment.batch_size if examples else None,
        "optimizer": optimizer or objects.optimizer or experiment.optimizer.name,
        "optimizer_args": config.optimizer_args(experiment) if optimizer is None else {},
        "schedule": objects.schedule or experiment.schedule.name,
        "schedule_args": config.schedule_args(experiment),
        "fixed": fixed,
        "groups": experiment.groups,
        "multipliers": config.multipliers(experiment) if optimizer is None else {},
        "sampler": experiment.sampler,
        "eval_every": experiment.eval_every,
        "eval_steps": experiment.eval_steps,
        "stop_diverged": experiment.stop_diverged,
        "precision": experiment.precision,
        "probes": config.probes(experiment),
        "plan": Plan(plan.tile_width, plan.devices, plan.segment_steps, plan.memory_bytes),
    }
    with refused(experiment):
        setup = assemble(task, **{**arguments, **changes})
    if experiment.metric not in setup.directions and not experiment.metric.startswith("train_"):
        close = did_you_mean(experiment.metric, setup.directions)
        known = ", ".join(setup.directions)
        message = f"there is no metric {experiment.metric!r}{close} This task has: {known}"
        raise ConfigError([config.problem(experiment, "metric", message)])
    return setup


def parametrized(experiment: Experiment, objects: Live) -> tuple[Task, Any]:
    """The task and, in muP, the optimizer that goes with it (else None).

    Raises:
        ConfigError: muP for what has no registered model, or an optimizer without a rule.
    """
    spec = experiment.parametrization
    if spec is None or spec.name == "standard":
        return task_of(experiment, objects), None
    from lrlab import optimizers, scaling

    name, made = experiment.optimizer.name, []
    place = "parametrization"
    if objects.task is not None or objects.optimizer is not None:
        message = "a task or optimizer made in Python is put into muP by lrlab.scaling.mup"
        raise ConfigError([config.problem(experiment, place, message)])

    def wrap(make: Any, model: dict[str, Any], inputs: Any) -> Any:
        with within(place):
            made.append(scaling.named(make, model, spec.base, inputs, name))
        return made[0].model

    try:
        scaling.family_of(name)
    except ValueError as error:
        raise ConfigError([config.problem(experiment, "optimizer.name", str(error))]) from error
    task = task_of(experiment, objects, wrap)
    if not made:
        message = f"muP is for tasks with a model; {task.name!r} is an objective"
        raise ConfigError([config.problem(experiment, place, message)])
    known = optimizers.hyperparameters(name)
    loose = {key: value for key, value in config.fixed(experiment).items() if key in known}
    options = {**config.optimizer_args(experiment), **loose}
    if experiment.multipliers:
        options["multipliers"] = config.multipliers(experiment)
    with refused(experiment):
        return task, made[0].optimizer(name, **options)
