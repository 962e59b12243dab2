"""Population-based training of any task: lanes that copy better lanes between segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from lrlab import config
from lrlab.config import Experiment, PythonObjects, resolve
from lrlab.core.score import LAST, running
from lrlab.core.text import Table
from lrlab.engine.binding import frozen_of
from lrlab.engine.devices import precision
from lrlab.engine.host_data import on_devices
from lrlab.engine.programs import compiled
from lrlab.engine.state import LaneState
from lrlab.engine.threads import scope
from lrlab.optimizers.population import train
from lrlab.results.population import Population
from lrlab.training.components import OptimizerLike, ScheduleLike
from lrlab.training.group import TrainingGroup, training_group
from lrlab.training.task import TaskLike, python_objects
from lrlab.types import Array, Floats, Hyper

Members: TypeAlias = tuple[LaneState, Array]
"""The members' states, and what they measured f[N, G]; nan for generations to come. Whoever takes
over a state takes over what was measured on the way there."""

Segment: TypeAlias = Callable[..., tuple[Members, Array]]
"""The members after a generation, and their scores f[N]."""


class Exploration(NamedTuple):
    """How members copy and change; see `lrlab.optimizers.population.exploit_explore`."""

    generations: int = 10
    fraction: float = 0.2
    factors: tuple[float, ...] = (0.8, 1.2)


def population(
    task: TaskLike,
    *,
    lr: Floats,
    steps: int,
    generations: int = 10,
    optimizer: OptimizerLike = None,
    batch_size: int | str | None = None,
    schedule: ScheduleLike = "constant",
    seed: int = 0,
    metric: str | None = None,
    score: str | None = None,
    fraction: float = 0.2,
    factors: tuple[float, ...] = (0.8, 1.2),
    optimizer_args: Table | None = None,
    schedule_args: Table | None = None,
    precision: str | None = None,
    **hyper: Floats,
) -> Population:
    """Trains a population on one task; all members start from the same weights, see the same
    batches, and train in one tile (Jaderberg et al. 2017, arXiv 1711.09846).

    Args:
        task, optimizer, batch_size, schedule, ...: as in `lrlab.sweep`.
        lr: the members' first learning rates, f[N].
        hyper: further hyper-parameters, f[N] each, member by member (no grid).
        steps: updates of each member, in `generations` segments of about equal length.
        metric: what decides, `valid_loss` unless given; one to minimize.
        score: which of the generations so far: "last", "best" or "mean:k", as in `lrlab.sweep`;
            a member that takes over a state takes over its past too.
        fraction, factors: as in `lrlab.optimizers.population.exploit_explore`.
        seed: gives weights, batches and every choice: the same seed, the same population.

    Raises:
        ConfigError: an argument that is none.
        ValueError: lengths that differ, more generations than steps, a metric to maximize.

    >>> import lrlab
    >>> found = lrlab.population("wine-linear", lr=[1e-4, 1e-2, 0.1, 0.3], optimizer="sgd",
    ...                          steps=40, generations=4, batch_size=16, fraction=0.25)
    >>> found.scores.shape, bool(found.scores[-1].max() < found.scores[0].max())
    ((4, 4), True)
    """
    members = members_of({"lr": lr, **hyper})
    experiment = config.from_arguments(
        "sweep", task=task, steps=steps, optimizer=optimizer, batch_size=batch_size,
        schedule=schedule, seeds=[seed], metric=metric, score=score, precision=precision,
        optimizer_args=optimizer_args, schedule_args=schedule_args,
        **{name: values.tolist() for name, values in members.items()},
    )  # fmt: skip
    objects = python_objects(task, optimizer, schedule)
    exploration = Exploration(generations, fraction, factors)
    return run_population(experiment, objects, members, exploration)


def members_of(lists: Mapping[str, Floats]) -> dict[str, np.ndarray]:
    """The members' first values by hyper-parameter, f64[N] each.

    Raises:
        ConfigError: an argument that is none; ValueError: lengths that differ.
    """
    hyper = {name: values for name, values in lists.items() if name != "lr"}
    if wrong := config.unknown("population", hyper):
        raise config.ConfigError(wrong.values())
    lengths = {name: len(np.atleast_1d(values)) for name, values in lists.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise ValueError(
            f"every member needs one value of each hyper-parameter; there are {counts}"
        )
    return {name: np.asarray(values, np.float64) for name, values in lists.items()}


def run_population(
    experiment: Experiment,
    objects: PythonObjects,
    members: Mapping[str, np.ndarray],
    exploration: Exploration,
) -> Population:
    """Trains N members, `members` name -> first values f64[N] each, in one tile; all start from the
    weights of the experiment's only seed and see its batches.

    Raises:
        ValueError: more generations than steps, a metric to maximize.
    """
    resolved = resolve(experiment, objects)
    steps, generations = experiment.steps or 0, exploration.generations
    if not 1 <= generations <= steps:
        raise ValueError(f"generations must lie between 1 and steps ({steps}), got {generations}")
    # Columns, not a grid: the plan is of no use here, and one value stands for each.
    group = training_group(resolved._replace(axes=tuple(axis.single() for axis in resolved.axes)))
    if group.directions.get(experiment.metric) == "max":
        raise ValueError(f"population minimizes; {experiment.metric!r} is to be maximized")
    seed = resolved.seeds[0]
    ends = [round(steps * (i + 1) / generations) for i in range(generations)]
    with precision(group.problem.dtype), scope():
        judged = experiment.metric, experiment.score
        segment, state = _segments(group, members, seed, ends, *judged)
        start = {name: np.asarray(v, group.problem.dtype) for name, v in members.items()}
        losses: list[np.ndarray] = []
        _, _, rows = train(
            lambda *args: segment(*args, losses),
            state,
            start,
            seed,
            generations,
            fraction=exploration.fraction,
            factors=exploration.factors,
        )
    return Population(
        metric=experiment.metric,
        score=experiment.score,
        hyper={n: np.stack([np.asarray(row["hyper"][n]) for row in rows]) for n in members},
        scores=np.stack([np.asarray(row["scores"]) for row in rows]),
        source=np.array([np.asarray(row["source"]) for row in rows[:-1]], int),
        steps=np.asarray(ends),
        train_loss=np.concatenate(losses),
    )


def _segments(
    group: TrainingGroup,
    axes: Mapping[str, np.ndarray],
    seed: int,
    ends: list[int],
    metric: str,
    score: str,
) -> tuple[Segment, Members]:
    """(a segment of training as `population.train` calls it, the members before it)."""
    problem, starts = group.problem, [0, *ends]
    width = len(axes["lr"])
    longest = max(b - a for a, b in zip(starts, ends, strict=False))
    programs, device = compiled(problem, width, longest), jax.devices()[0]
    data = on_devices(group.data, problem.dtype, [device])[device]
    number = jax.device_put(np.uint32(seed), device)

    begun = programs.init(device, data, number)
    frozen = frozen_of(problem, data, begun.frozen)

    def place(hyper: Hyper) -> dict[str, Array]:
        return jax.device_put({k: jnp.asarray(v, problem.dtype) for k, v in hyper.items()}, device)

    def segment(
        members: Members, hyper: Hyper, generation: int, losses: list[np.ndarray]
    ) -> tuple[Members, Array]:
        state, measured = members
        first, count = starts[generation], ends[generation] - starts[generation]
        indices = None
        if group.indices is not None:
            rows = np.asarray(group.indices(seed, first, count), np.int32)
            indices = np.pad(rows, ((0, longest - count), (0, 0)))
        here = place(hyper)
        block = jax.device_put((indices, np.int32(first), np.int32(count)), device)
        state, rows = programs.train(device, state, data, frozen, number, here, *block)
        losses.append(np.asarray(rows["train_loss"])[:count])
        at = jax.device_put((np.int32(ends[generation]), np.int32(first)), device)
        values = programs.evaluate(device, state, data, frozen, number, here, *at)[metric]
        measured = measured.at[:, generation].set(values)
        return (state, measured), scores_of(measured[:, : generation + 1], score)

    alive = jax.device_put(np.ones(width, bool), device)
    state = programs.start(device, *begun[:2], place(axes), alive, number)
    return segment, (state, jnp.full((width, len(ends)), jnp.nan, problem.dtype))


def scores_of(measured: Array, score: str) -> Array:
    """What members are judged by, f[N], from what they measured so far, f[N, G]; nan for a member
    that has just diverged, however well it did before.

    >>> scores_of(np.array([[1.0, 2.0], [3.0, np.nan]]), "best").tolist()
    [1.0, nan]
    """
    if score == LAST:
        return measured[:, -1]
    measured = np.asarray(measured)
    now = running(measured.T, score, "min")[-1].astype(measured.dtype)
    return jnp.asarray(np.where(np.isfinite(measured[:, -1]), now, np.nan))
