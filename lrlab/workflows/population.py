"""Population-based training of any task: lanes that copy better lanes between segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from lrlab import config
from lrlab.config import Experiment, PythonObjects, resolve
from lrlab.core.score import LAST, running
from lrlab.core.text import Table
from lrlab.engine.devices import precision
from lrlab.engine.feed import Feed, feeding
from lrlab.engine.layout import boundaries
from lrlab.engine.limits import LIMITS
from lrlab.engine.places import everywhere
from lrlab.engine.segments import measured, sent
from lrlab.engine.state import LaneState
from lrlab.engine.streaming import feed_for, requests, segment_limit
from lrlab.engine.threads import scope
from lrlab.engine.tiles import begin, group_on_devices
from lrlab.optimizers.population import train
from lrlab.results.population import Population
from lrlab.training.components import OptimizerLike, ScheduleLike
from lrlab.training.group import TrainingGroup, training_group
from lrlab.training.task import TaskLike, python_objects
from lrlab.types import Array, Floats, Hyper, Lanes, Plan

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
    **hyper: Floats | float,
) -> Population:
    """Trains a population on one task; all members start from the same weights, see the same
    batches, and train in one tile (Jaderberg et al. 2017, arXiv 1711.09846).

    Args:
        task, optimizer, batch_size, schedule, ...: as in `lrlab.sweep`.
        lr: the members' first learning rates, f[N].
        hyper: further hyper-parameters, f[N] each, member by member (no grid); a single number
            holds for all members and stays as it is.
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
        **{**hyper, **{name: values.tolist() for name, values in members.items()}},
    )  # fmt: skip
    objects = python_objects(task, optimizer, schedule)
    exploration = Exploration(generations, fraction, factors)
    return run_population(experiment, objects, members, exploration)


def members_of(lists: Mapping[str, Floats | float]) -> dict[str, np.ndarray]:
    """The members' first values by hyper-parameter, f64[N] each, without single numbers.

    Raises:
        ConfigError: an argument that is none; ValueError: lengths that differ.
    """
    hyper = {name: values for name, values in lists.items() if name != "lr"}
    if wrong := config.unknown("population", hyper):
        raise config.ConfigError(wrong.values())
    members = {
        name: np.atleast_1d(np.asarray(values, np.float64))
        for name, values in lists.items()
        if name == "lr" or np.ndim(values)
    }
    lengths = {name: len(values) for name, values in members.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise ValueError(
            f"every member needs one value of each hyper-parameter; there are {counts}"
        )
    return members


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
    longest = _longest(group, ends)
    feed = feed_for(group.problem, group.data, longest, LIMITS)
    with precision(group.problem.dtype), scope(), feeding(feed):
        count = len(members["lr"])
        same = {name: np.full(count, v[0]) for name, v in group.axes.items() if name not in members}
        lanes = Lanes({**same, **members}, np.full(count, seed))
        judged = experiment.metric, experiment.score
        segment, state = _segments(group, lanes, longest, ends, judged, feed)
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


def _longest(group: TrainingGroup, ends: Sequence[int]) -> int:
    """The most updates between two visits of the host: a generation, or what a block of data that
    stream has."""
    longest = max(b - a for a, b in zip([0, *ends], ends, strict=False))
    limit = segment_limit(group.problem, group.data, LIMITS)
    return longest if limit is None else min(longest, limit[0])


def _segments(
    group: TrainingGroup,
    lanes: Lanes,
    longest: int,
    ends: Sequence[int],
    judged: tuple[str, str],
    feed: Feed | None,
) -> tuple[Segment, Members]:
    """(a segment of training as `population.train` calls it, the members before it)."""
    problem, starts, (metric, score) = group.problem, [0, *ends], judged
    plan = Plan(tile_width=len(lanes.seed), devices=1, segment_steps=longest)
    blocks = None if feed is None else feed.block
    here = group_on_devices(problem, group.data, lanes, plan, group.indices, LIMITS, blocks)
    (first_tile,) = begin(here, np.arange(len(lanes.seed)))

    def segment(
        members: Members, hyper: Hyper, generation: int, losses: list[np.ndarray]
    ) -> tuple[Members, Array]:
        state, values = members
        begun, end = starts[generation], ends[generation]
        now = {name: jnp.asarray(one, problem.dtype) for name, one in hyper.items()}
        every = {**first_tile.hyper, **jax.device_put(now, everywhere(first_tile.place))}
        tile = first_tile._replace(state=state, hyper=every)
        pieces = boundaries([], begun, end, longest)
        for number, (first, last) in enumerate(pieces):
            if feed is not None:
                feed.want(
                    requests(feed, group.indices, lanes.seed[:1], pieces[number : number + 2])
                )
            ((tile, rows),) = sent(here, [tile], first, last - first)
            losses.append(np.asarray(rows["train_loss"])[: last - first])
        ((_, found),) = measured(here, [tile], end, begun)
        values = values.at[:, generation].set(found[metric])
        return (tile.state, values), scores_of(values[:, : generation + 1], score)

    nothing = jnp.full((len(lanes.seed), len(ends)), jnp.nan, problem.dtype)
    return segment, (first_tile.state, nothing)


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
