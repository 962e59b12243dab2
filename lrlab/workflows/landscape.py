"""The loss on the plane of a lane's own trajectory: where it went, and through what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrlab import engine, probes
from lrlab.core.text import Table
from lrlab.engine.binding import beginning, frozen_of
from lrlab.engine.devices import precision
from lrlab.engine.host_data import on_host
from lrlab.engine.limits import LIMITS
from lrlab.engine.probing import view_of
from lrlab.engine.state import lane_shapes
from lrlab.engine.streaming import resident
from lrlab.probes.lane import training_loss
from lrlab.results.landscape import Slice
from lrlab.workflows.replay import lane_of


def slice_of(
    folder: str | Path,
    *,
    lr: float | None = None,
    seed: int | None = None,
    at: Mapping[str, float] | None = None,
    points: int = 40,
    resolution: int = 31,
    examples: int | None = None,
) -> Slice:
    """Trains one lane of a run again and cuts the loss along the plane of its way.

    The plane goes through the last finite parameters, along the first two principal directions of
    the way there (Li et al. 2018, arXiv 1712.09913). Cost: the lane's training, and `resolution`^2
    losses over the first `examples` training examples (None: as the probes).

    Args:
        lr, seed, at: which lane, as in `replay`.
        points: how many points of the way are looked at, the start and the end among them.

    Raises:
        RunError, ValueError: as `replay`; or fewer than 2 points, or a resolution below 2.
    """
    if points < 2 or resolution < 2:
        raise ValueError(f"points and resolution must be at least 2, got {points}, {resolution}")
    lane = lane_of(folder, lr=lr, seed=seed, at=at)
    group, lanes = lane.group, lane.lanes
    problem = group.problem._replace(splits=())
    marks = {round(mark) for mark in np.linspace(0, lane.steps_trained, points)} - {0}
    states: dict[int, list[np.ndarray]] = {}

    def commit(arrays: Mapping[str, np.ndarray], info: Table) -> None:
        leaves = [arrays[name] for name in sorted(arrays) if name.startswith("state_")]
        if info["step"] in marks and len(arrays["lanes"]):
            states[int(info["step"])] = [leaf[0] for leaf in leaves]

    recorder: Any = SimpleNamespace(rows=lambda *args: None, commit=commit, due=lambda: True)
    engine.train(
        problem, group.data, lanes, group.plan,
        eval_steps=sorted({*marks, problem.steps}), indices=group.indices, recorder=recorder,
    )  # fmt: skip
    with precision(problem.dtype):
        structure = jax.tree.structure(lane_shapes(problem, group.data, tuple(lanes.hyper)))
        visits = {step: jax.tree.unflatten(structure, leaves) for step, leaves in states.items()}
        if not visits:
            raise ValueError("the lane broke before its first point; replay shows how")
        _, held = resident(problem, group.data, LIMITS, jax.devices(), measured=True)
        data = jax.tree.map(jnp.asarray, on_host(held, problem.dtype))
        number = jnp.uint32(lanes.seed[0])
        hyper = {
            name: jnp.asarray(values[0], problem.dtype) for name, values in lanes.hyper.items()
        }
        last, start = max(visits), beginning(problem, data, number)
        view = view_of(
            problem, visits[last], lambda: start[:2], data.get("train"),
            number, hyper, jnp.asarray(last), frozen_of(problem, data, start.frozen),
        )  # fmt: skip
        way = [view.initial()[0], *(visits[step].params for step in sorted(visits))]
        plane = probes.trajectory_plane(jax.tree.map(lambda *leaves: jnp.stack(leaves), *way))
        assert plane.coordinates is not None and plane.explained is not None
        places = np.asarray(plane.coordinates, np.float64)
        u, v = (_around(places[:, axis], np.ptp(places, 0).max(), resolution) for axis in (0, 1))
        cut = jax.jit(
            lambda plane, u, v: probes.loss_slice(training_loss(view, examples), plane, u, v)
        )
        loss = np.asarray(cut(plane, u, v), np.float64)
    loss = np.where(np.isfinite(loss), loss, np.nan)
    steps = np.array([0, *sorted(visits)])
    return Slice(lane.values, steps, places, float(plane.explained), u, v, loss)


def _around(places: np.ndarray, longest: float, resolution: int) -> np.ndarray:
    """A grid that holds the way with a margin, and is not much narrower than the other axis."""
    low, high = float(places.min()), float(places.max())
    margin = max(0.2 * (high - low), 0.15 * longest, 1e-6)
    return np.linspace(low - margin, high + margin, resolution)
