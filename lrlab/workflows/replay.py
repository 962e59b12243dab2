"""`replay`: one lane of a run trained again alone, watched update by update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from lrlab import engine, runs
from lrlab.config import resolve
from lrlab.core.axes import Axis
from lrlab.core.paths import resolved as absolute
from lrlab.core.records import LaneRecord
from lrlab.core.text import Table, counted
from lrlab.engine.layout import evaluation_steps
from lrlab.results.replay import Replay
from lrlab.runs import read_stage, stages
from lrlab.training.continuation import experiment_as_written
from lrlab.training.group import TrainingGroup, training_group
from lrlab.training.own_code import say_changed
from lrlab.types import Array, Hyper, Lanes, LaneView, Optimizer, Params, Probe, PyTree

Value = TypeVar("Value")

Place: TypeAlias = tuple[tuple[str, float], ...]
"""A lane by its values: (axis, value) in order."""

WATCHED = 100
"""Updates before the end that are watched where nothing else is said."""


def replay(
    folder: str | Path,
    *,
    lr: float | None = None,
    seed: int | None = None,
    at: Mapping[str, float] | None = None,
    from_step: int | None = None,
    to_step: int | None = None,
    probes: Sequence[str | Table] = (),
) -> Replay:
    """Trains one lane of a run again, from its first update, and watches updates `from_step` to
    `to_step` (excluded; None: the last `WATCHED` before the lane ended).

    The lane has the tile width of the run and empty places beside it, so its numbers are the run's
    own, as long as machine and versions are.

    Args:
        lr, seed: which lane; the seed may be left out where there is one.
        at: values of further lane axes (`{"weight_decay": 0.1}`, `{"lr_hidden": 0.1}`).
        probes: names of `lrlab.probes`, or tables with options, measured at every watched update.
            Norms of the same name stay those of the update that was made.

    Raises:
        RunError: no such run, or one whose task was made in Python.
        ValueError: no such lane (the nearest is named), or an empty range of steps.
    """
    lane = lane_of(folder, lr=lr, seed=seed, at=at, probes=probes)
    ended, group = lane.steps_trained, lane.group
    end = ended if to_step is None else min(to_step, ended)
    start = max(0, end - WATCHED) if from_step is None else from_step
    if not 0 <= start < end:
        raise ValueError(
            f"the lane was trained for {counted(ended, 'update')}; from_step = {start} is past it"
        )
    problem = group.problem._replace(splits=())
    if problem.task.step is None:  # else there are neither gradients nor an optimizer to watch
        problem = problem._replace(
            optimizer=watched(problem.optimizer), probes=(*problem.probes, Probe("step", norms))
        )
    watch = list(range(start + 1, end + 1))
    trained = engine.train(
        problem,
        group.data,
        lane.lanes,
        group.plan,
        # The last step must be there; without splits it costs nothing.
        eval_steps=sorted({*watch, *evaluation_steps(problem.steps, problem.steps)}),
        indices=group.indices,
    )
    rows = np.searchsorted(trained.eval_steps, watch)
    steps = np.arange(start, end)
    series = {name: values[steps, 0].astype(float) for name, values in trained.history.items()}
    series |= {name: values[rows, 0].astype(float) for name, values in trained.evaluated.items()}
    record, cell = lane.record, lane.cell
    stored = record.history["train_loss"][(steps, *cell)].astype(float)
    same = bool(np.array_equal(series["train_loss"], stored, equal_nan=True))
    outcome, broke = str(record.outcome_names[cell]), int(record.diverged_at[cell])
    text = _sentence(outcome, broke, ended, series, stored, steps, same)
    place = str(absolute(folder))
    return Replay(place, lane.values, outcome, broke, steps, series, stored, same, text)


class Lane(NamedTuple):
    """A lane of a run, ready to be trained again: the record of its stage, its place there, its
    group, and itself alone."""

    record: LaneRecord
    cell: tuple[int, ...]
    values: dict[str, float]
    steps_trained: int
    group: TrainingGroup
    lanes: Lanes


def lane_of(
    folder: str | Path,
    *,
    lr: float | None = None,
    seed: int | None = None,
    at: Mapping[str, float] | None = None,
    probes: Sequence[str | Table] = (),
) -> Lane:
    """The lane that `lr`, `seed` and `at` name, at the run's tile width. Arguments and errors as
    `replay`."""
    with runs.opened(folder, write=False) as place:
        runs.refuse_untrained(place.path, place.info, "replayed")
        resolved = resolve(experiment_as_written(place), command=str(place.info["command"]))
        width = resolved.plan.tile_width or place.tile_width
        plan = resolved.plan._replace(tile_width=width, rewrite=place.rewrite)
        resolved = resolved._replace(plan=plan)
        say_changed(place.info, resolved.experiment)
        runs.whole_record(place.path, place.info)  # damage is reported before anything trains
        wanted = {**({} if lr is None else {"lr": lr}), **(at or {})}
        record, cell = _lane(place.path, wanted, seed)
    values = {name: float(record.axes[name][i]) for name, i in zip(record.axes, cell, strict=True)}
    number = int(values["seed"])
    kinds = {axis.name: axis for axis in resolved.axes}
    axes = tuple(
        kinds.get(name, Axis(name, ()))._replace(values=(value,))
        for name, value in values.items()
        if name != "seed"
    )
    group = training_group(resolved._replace(axes=axes, seeds=(number,), probes=tuple(probes)))
    lanes = Lanes({axis.name: np.array(axis.values) for axis in axes}, np.array([number]))
    steps = int(record.steps_trained[cell])
    return Lane(record, cell, {**values, "seed": number}, steps, group, lanes)


def _sentence(
    outcome: str,
    broke: int,
    ended: int,
    series: Mapping[str, np.ndarray],
    stored: np.ndarray,
    steps: np.ndarray,
    same: bool,
) -> str:
    what = {
        "diverged": f"The lane diverged at update {broke}.",
        "pruned": f"The lane was pruned after {counted(ended, 'update')}.",
    }.get(outcome, f"The lane trained to the end ({counted(ended, 'update')}).")
    if same:
        return f"{what} Its losses are the recorded ones, bit for bit."
    apart = ~(
        (series["train_loss"] == stored) | (np.isnan(series["train_loss"]) & np.isnan(stored))
    )
    first = int(steps[np.argmax(apart)])
    return (
        f"{what} Its losses differ from the recorded ones from update {first} on: another machine, "
        "version, or tile width; near the edge of stability rounding grows without bound."
    )


def _lane(
    path: Path, wanted: Mapping[str, float], seed: int | None
) -> tuple[LaneRecord, tuple[int, ...]]:
    """The stage that trained the lane longest, and the lane's place in its arrays."""
    best: tuple[int, LaneRecord, tuple[int, ...]] | None = None
    tried: dict[Place, None] = {}  # in order, so that ties fall one way
    for name in stages(path):
        stage = read_stage(path, name)
        axes = list(stage.axes)
        unknown = sorted(set(wanted) - set(axes))
        if unknown:
            raise ValueError(f"no lane axis {unknown[0]!r}; there are {', '.join(axes)}")
        for cell in np.argwhere(stage.steps_trained > 0):
            values = {axis: float(stage.axes[axis][i]) for axis, i in zip(axes, cell, strict=True)}
            tried[tuple(values.items())] = None
            near = all(
                np.isclose(values[axis], value, rtol=5e-3, atol=0) for axis, value in wanted.items()
            )
            if near and (seed is None or values["seed"] == seed):
                length = int(stage.steps_trained[tuple(cell)])
                if best is None or length > best[0]:
                    best = length, stage, tuple(int(i) for i in cell)
    if best is None:
        raise ValueError(f"no such lane; {_nearest(tried, wanted, seed)}")
    return best[1], best[2]


def _nearest(tried: Iterable[Place], wanted: Mapping[str, float], seed: int | None) -> str:
    def distance(lane: Place) -> float:
        values = dict(lane)
        far = sum(
            abs(np.log(max(values[axis], 1e-30) / max(value, 1e-30)))
            for axis, value in wanted.items()
        )
        return float(far) + (0 if seed is None else 1e-3 * abs(values["seed"] - seed))

    lane = min(tried, key=distance, default=())
    return "the nearest is " + ", ".join(f"{axis} {value:.6g}" for axis, value in lane)


class Norms(NamedTuple):
    """An optimizer's state with the norms of its last gradient and update."""

    inner: PyTree
    gradient: Array
    update: Array


def watched(optimizer: Optimizer) -> Optimizer:
    """`optimizer`, with the norms of its last gradient and update in its state."""
    import optax

    def make(hyper: Hyper) -> optax.GradientTransformationExtraArgs:
        inner = optax.with_extra_args_support(optimizer.make(hyper))

        def init(params: Params) -> Norms:
            nothing = 0 * optax.tree.norm(params)
            return Norms(inner.init(params), nothing, nothing)

        def update(
            updates: Params, state: PyTree, params: Params | None = None, **extra: object
        ) -> tuple[Params, Norms]:
            gradient = optax.tree.norm(updates)
            updates, new = inner.update(updates, state.inner, params, **extra)
            return updates, Norms(new, gradient, optax.tree.norm(updates))

        return optax.GradientTransformationExtraArgs(init, update)

    def reading(read: Callable[..., Value] | None) -> Callable[..., Value] | None:
        return None if read is None else lambda state, *rest: read(state.inner, *rest)

    return optimizer._replace(
        make=make,
        evaluation_params=reading(optimizer.evaluation_params),
        effective_lr=reading(optimizer.effective_lr),
    )


def norms(lane: LaneView) -> dict[str, Array]:
    """Norms of the last gradient and update, of the weights after it, and update over weights."""
    import optax

    weights = optax.tree.norm(lane.params)
    return {
        "gradient_norm": lane.optimizer.gradient,
        "update_norm": lane.optimizer.update,
        "weight_norm": weights,
        "update_to_weight": lane.optimizer.update / weights,
    }
