"""Population-based training of any task: lanes that copy better lanes between segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lrlab import config
from lrlab.core.brief import fields_of
from lrlab.training.setup import live, setup_of
from lrlab.types import Floats


class Population(NamedTuple):
    """What became of N members over G generations.

    `hyper` name -> f64[G, N]: what each member trained with; `scores` f[G, N] at the generation's
    end (`metric`; nan: diverged); `source` int[G - 1, N]: whose state each took over then (its own
    number: it went on). `steps` int[G]: updates done at each end. `train_loss` [T, N].
    """

    metric: str
    hyper: dict[str, np.ndarray]
    scores: np.ndarray
    source: np.ndarray
    steps: np.ndarray
    train_loss: np.ndarray

    def __repr__(self) -> str:
        return fields_of(self)

    def schedule(self, name: str = "lr") -> np.ndarray:
        """The values that led to the best member, generation by generation, f64[G]: the schedule
        that the population found."""
        member = int(np.nanargmin(self.scores[-1]))
        found = [self.hyper[name][-1, member]]
        for row, source in zip(self.hyper[name][-2::-1], self.source[::-1], strict=True):
            member = int(source[member])
            found.append(row[member])
        return np.array(found[::-1])


def population(
    task: Any,
    *,
    lr: Floats,
    steps: int,
    generations: int = 10,
    optimizer: Any = None,
    batch_size: int | str | None = None,
    schedule: Any = "constant",
    seed: int = 0,
    metric: str | None = None,
    fraction: float = 0.2,
    factors: tuple[float, ...] = (0.8, 1.2),
    optimizer_args: Mapping[str, Any] | None = None,
    schedule_args: Mapping[str, Any] | None = None,
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
    from lrlab.engine.devices import precision as in_precision
    from lrlab.engine.threads import scope
    from lrlab.optimizers.population import train

    if wrong := config.unknown("population", hyper):
        raise config.ConfigError(wrong.values())
    members = {"lr": lr, **hyper}
    lengths = {name: len(np.atleast_1d(values)) for name, values in members.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise ValueError(
            f"every member needs one value of each hyper-parameter; there are {counts}"
        )
    if not 1 <= generations <= steps:
        raise ValueError(f"generations must lie between 1 and steps ({steps}), got {generations}")
    axes = {name: np.asarray(values, np.float64) for name, values in members.items()}
    experiment = config.from_arguments(
        "sweep",
        **{name: values.tolist() for name, values in axes.items()},
        **{"task": task, "steps": steps, "optimizer": optimizer, "batch_size": batch_size},
        **{"schedule": schedule, "seeds": [seed], "metric": metric, "precision": precision},
        **{"optimizer_args": optimizer_args, "schedule_args": schedule_args},
    )
    # Columns, not a grid: the plan is of no use here, and one value stands for each.
    setup = setup_of(
        experiment,
        live(task, optimizer, schedule),
        axes={name: values[:1] for name, values in axes.items()},
    )
    if setup.directions.get(experiment.metric) == "max":
        raise ValueError(f"population minimizes; {experiment.metric!r} is to be maximized")
    ends = [round(steps * (i + 1) / generations) for i in range(generations)]
    with in_precision(setup.problem.dtype), scope():
        segment, state = _segments(setup, axes, seed, ends, experiment.metric)
        start = {name: np.asarray(v, setup.problem.dtype) for name, v in axes.items()}
        losses: list[np.ndarray] = []
        _, _, rows = train(
            lambda *args: segment(*args, losses),
            state,
            start,
            seed,
            generations,
            fraction=fraction,
            factors=factors,
        )
    return Population(
        metric=experiment.metric,
        hyper={n: np.stack([np.asarray(row["hyper"][n]) for row in rows]) for n in axes},
        scores=np.stack([np.asarray(row["scores"]) for row in rows]),
        source=np.array([np.asarray(row["source"]) for row in rows[:-1]], int),
        steps=np.asarray(ends),
        train_loss=np.concatenate(losses),
    )


def _segments(setup: Any, axes: Any, seed: int, ends: list[int], metric: str) -> tuple[Any, Any]:
    """(a segment of training as `population.train` calls it, the members before it)."""
    import jax
    import jax.numpy as jnp

    from lrlab.engine.host_data import on_devices
    from lrlab.engine.programs import compiled

    problem, starts = setup.problem, [0, *ends]
    width = len(axes["lr"])
    longest = max(b - a for a, b in zip(starts, ends, strict=False))
    programs, device = compiled(problem, width, longest), jax.devices()[0]
    data = on_devices(setup.data, problem.dtype, [device])[device]
    number = jax.device_put(np.uint32(seed), device)

    def place(hyper: Any) -> Any:
        return jax.device_put({k: jnp.asarray(v, problem.dtype) for k, v in hyper.items()}, device)

    def segment(state: Any, hyper: Any, generation: int, losses: list[np.ndarray]) -> Any:
        first, count = starts[generation], ends[generation] - starts[generation]
        indices = None
        if setup.indices is not None:
            rows = np.asarray(setup.indices(seed, first, count), np.int32)
            indices = np.pad(rows, ((0, longest - count), (0, 0)))
        here = place(hyper)
        block = jax.device_put((indices, np.int32(first), np.int32(count)), device)
        state, rows = programs.train(device, state, data, number, here, *block)
        losses.append(np.asarray(rows["train_loss"])[:count])
        at = jax.device_put((np.int32(ends[generation]), np.int32(first)), device)
        values = programs.evaluate(device, state, data, number, here, *at)
        return state, values[metric]

    alive = jax.device_put(np.ones(width, bool), device)
    begun = programs.init(device, data, number)
    return segment, programs.start(device, *begun, place(axes), alive)
