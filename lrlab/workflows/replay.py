"""`replay`: one lane of a run trained again alone, watched update by update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lrlab import runs
from lrlab.core.brief import fields_of
from lrlab.core.paths import resolved
from lrlab.runs.reader import StoredStage, read_stage, stages
from lrlab.training.group import Setup
from lrlab.types import Lanes, LaneView, Optimizer, Probe

WATCHED = 100
"""Updates before the end that are watched where nothing else is said."""


class Replay(NamedTuple):
    """What a lane did. `steps` int[n]: the updates watched; `series` name -> f64[n], each read at
    that update: `train_loss` (before it), `learning_rate`, `gradient_norm`, `update_norm`,
    `weight_norm` and `update_to_weight` (after it), and what the probes measure; `stored_loss`
    f64[n]: what the run recorded. `same`: every loss equals the recorded one, bit for bit."""

    run: str
    lane: dict[str, float]
    outcome: str
    diverged_at: int
    steps: np.ndarray
    series: dict[str, np.ndarray]
    stored_loss: np.ndarray
    same: bool
    sentence: str

    def __repr__(self) -> str:
        return fields_of(self)


def replay(
    folder: str | Path,
    *,
    lr: float | None = None,
    seed: int | None = None,
    at: Mapping[str, float] | None = None,
    from_step: int | None = None,
    to_step: int | None = None,
    probes: Sequence[str | Mapping[str, Any]] = (),
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
    from lrlab import engine
    from lrlab.engine.layout import evaluation_steps

    found = again(folder, lr=lr, seed=seed, at=at, probes=probes)
    ended, setup = found.ended, found.setup
    end = ended if to_step is None else min(to_step, ended)
    start = max(0, end - WATCHED) if from_step is None else from_step
    if not 0 <= start < end:
        raise ValueError(
            f"the lane was trained for {ended} updates; from_step = {start} is past it"
        )
    problem = setup.problem._replace(
        optimizer=watched(setup.problem.optimizer),
        probes=(*setup.problem.probes, Probe("step", norms)),
        splits=(),
    )
    watch = list(range(start + 1, end + 1))
    trained = engine.train(
        problem,
        setup.data,
        found.lanes,
        setup.plan,
        # The last step must be there; without splits it costs nothing.
        eval_steps=sorted({*watch, *evaluation_steps(problem.steps, problem.steps)}),
        indices=setup.indices,
    )
    rows = np.searchsorted(trained.eval_steps, watch)
    steps = np.arange(start, end)
    series = {name: values[steps, 0].astype(float) for name, values in trained.history.items()}
    series |= {name: values[rows, 0].astype(float) for name, values in trained.evaluated.items()}
    stage, cell = found.stage, found.cell
    stored = stage.history["train_loss"][(steps, *cell)].astype(float)
    same = bool(np.array_equal(series["train_loss"], stored, equal_nan=True))
    outcome, broke = str(stage.outcome[cell]), int(stage.diverged_at[cell])
    text = _sentence(outcome, broke, ended, series, stored, steps, same)
    place = str(resolved(folder))
    return Replay(place, found.lane, outcome, broke, steps, series, stored, same, text)


class Again(NamedTuple):
    """A lane of a run, ready to be trained again: its place in the run, its group, itself alone."""

    stage: StoredStage
    cell: tuple[int, ...]
    lane: dict[str, float]
    ended: int
    setup: Setup
    lanes: Lanes


def again(
    folder: str | Path,
    *,
    lr: float | None = None,
    seed: int | None = None,
    at: Mapping[str, float] | None = None,
    probes: Sequence[str | Mapping[str, Any]] = (),
) -> Again:
    """The lane that `lr`, `seed` and `at` name, at the run's tile width. Arguments and errors as
    `replay`."""
    from lrlab import config
    from lrlab.training.setup import Live, setup_of

    path = resolved(folder)
    info = runs.open_run(path)[0]
    experiment = config.load(str(path / "config.toml"), command=str(info["command"]))
    wanted = {**({} if lr is None else {"lr": lr}), **(at or {})}
    stage, cell = _lane(path, wanted, seed)
    lane = {name: float(stage.axes[name][i]) for name, i in zip(stage.axes, cell, strict=True)}
    number = int(lane.pop("seed"))
    if experiment.plan.tile_width is None:
        width = (info.get("plan") or {}).get("tile_width")
        plan = experiment.plan.model_copy(update={"tile_width": width})
        experiment = experiment.model_copy(update={"plan": plan})
    axes = {name: np.array([value]) for name, value in lane.items()}
    setup = setup_of(experiment, Live(), axes=axes, seeds=[number], probes=tuple(probes))
    lanes = Lanes(dict(axes), np.array([number]))
    ended = int(stage.steps_trained[cell])
    return Again(stage, cell, {**lane, "seed": number}, ended, setup, lanes)


def _sentence(
    outcome: str, broke: int, ended: int, series: Any, stored: Any, steps: Any, same: bool
) -> str:
    what = {
        "diverged": f"The lane diverged at update {broke}.",
        "pruned": f"The lane was pruned after {ended} updates.",
    }.get(outcome, f"The lane trained to the end ({ended} updates).")
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
) -> tuple[StoredStage, tuple[int, ...]]:
    """The stage that trained the lane longest, and the lane's place in its arrays."""
    best: tuple[int, StoredStage, tuple[int, ...]] | None = None
    tried: dict[tuple[tuple[str, float], ...], None] = {}  # in order, so that ties fall one way
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


def _nearest(tried: Any, wanted: Mapping[str, float], seed: int | None) -> str:
    def distance(lane: Any) -> float:
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

    inner: Any
    gradient: Any
    update: Any


def watched(optimizer: Optimizer) -> Optimizer:
    """`optimizer`, with the norms of its last gradient and update in its state."""
    import optax

    def make(hyper: Any) -> optax.GradientTransformationExtraArgs:
        inner = optax.with_extra_args_support(optimizer.make(hyper))

        def init(params: Any) -> Norms:
            nothing = 0 * optax.tree.norm(params)
            return Norms(inner.init(params), nothing, nothing)

        def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
            gradient = optax.tree.norm(updates)
            updates, new = inner.update(updates, state.inner, params, **extra)
            return updates, Norms(new, gradient, optax.tree.norm(updates))

        return optax.GradientTransformationExtraArgs(init, update)

    def reading(read: Any) -> Any:
        return None if read is None else lambda state, *rest: read(state.inner, *rest)

    return optimizer._replace(
        make=make,
        evaluation_params=reading(optimizer.evaluation_params),
        effective_lr=reading(optimizer.effective_lr),
    )


def norms(lane: LaneView) -> dict[str, Any]:
    """Norms of the last gradient and update, of the weights after it, and update over weights."""
    import optax

    weights = optax.tree.norm(lane.params)
    return {
        "gradient_norm": lane.optimizer.gradient,
        "update_norm": lane.optimizer.update,
        "weight_norm": weights,
        "update_to_weight": lane.optimizer.update / weights,
    }
