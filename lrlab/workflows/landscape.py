"""The loss on the plane of a lane's own trajectory: where it went, and through what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.brief import fields_of
from lrlab.workflows.replay import again


class Slice(NamedTuple):
    """The training loss on the plane that holds most of a lane's way.

    `steps` int[T]: updates made at the points of the way; `way` f64[T, 2]: where they lie on the
    plane; `explained`: the share of the squared way to the last point that lies in it. `u` f64[A],
    `v` f64[B]: distances from the last point along the plane's axes (units of the parameters);
    `loss` f64[B, A], nan where it is not finite.
    """

    lane: dict[str, float]
    steps: np.ndarray
    way: np.ndarray
    explained: float
    u: np.ndarray
    v: np.ndarray
    loss: np.ndarray

    def __repr__(self) -> str:
        return fields_of(self)


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
    import jax
    import jax.numpy as jnp

    from lrlab import engine, probes
    from lrlab.engine.devices import precision
    from lrlab.engine.host_data import on_host
    from lrlab.engine.probing import view_of
    from lrlab.engine.state import beginning, lane_shapes
    from lrlab.probes.lane import training_loss

    if points < 2 or resolution < 2:
        raise ValueError(f"points and resolution must be at least 2, got {points}, {resolution}")
    found = again(folder, lr=lr, seed=seed, at=at)
    setup, problem = found.setup, found.setup.problem._replace(splits=())
    marks = {round(mark) for mark in np.linspace(0, found.ended, points)} - {0}
    states: dict[int, list[np.ndarray]] = {}

    def commit(arrays: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> None:
        leaves = [arrays[name] for name in sorted(arrays) if name.startswith("state_")]
        if info["step"] in marks and len(arrays["lanes"]):
            states[int(info["step"])] = [leaf[0] for leaf in leaves]

    recorder: Any = SimpleNamespace(rows=lambda *args: None, commit=commit, due=lambda: True)
    engine.train(
        problem, setup.data, found.lanes, setup.plan,
        eval_steps=sorted({*marks, problem.steps}), indices=setup.indices, recorder=recorder,
    )  # fmt: skip
    with precision(problem.dtype):
        structure = jax.tree.structure(lane_shapes(problem, setup.data, tuple(found.lanes.hyper)))
        lane = {step: jax.tree.unflatten(structure, leaves) for step, leaves in states.items()}
        if not lane:
            raise ValueError("the lane broke before its first point; replay shows how")
        data = jax.tree.map(jnp.asarray, on_host(setup.data, problem.dtype))
        number = jnp.uint32(found.lanes.seed[0])
        hyper = {
            name: jnp.asarray(values[0], problem.dtype)
            for name, values in found.lanes.hyper.items()
        }
        last = max(lane)
        view = view_of(
            problem, lane[last], lambda: beginning(problem, data, number), data.get("train"),
            number, hyper, jnp.asarray(last),
        )  # fmt: skip
        way = [view.initial()[0], *(lane[step].params for step in sorted(lane))]
        plane = probes.trajectory_plane(jax.tree.map(lambda *leaves: jnp.stack(leaves), *way))
        assert plane.coordinates is not None and plane.explained is not None
        places = np.asarray(plane.coordinates, np.float64)
        u, v = (_around(places[:, axis], np.ptp(places, 0).max(), resolution) for axis in (0, 1))
        cut = jax.jit(
            lambda plane, u, v: probes.loss_slice(training_loss(view, examples), plane, u, v)
        )
        loss = np.asarray(cut(plane, u, v), np.float64)
    loss = np.where(np.isfinite(loss), loss, np.nan)
    steps = np.array([0, *sorted(lane)])
    return Slice(found.lane, steps, places, float(plane.explained), u, v, loss)


def _around(places: np.ndarray, longest: float, resolution: int) -> np.ndarray:
    """A grid that holds the way with a margin, and is not much narrower than the other axis."""
    low, high = float(places.min()), float(places.max())
    margin = max(0.2 * (high - low), 0.15 * longest, 1e-6)
    return np.linspace(low - margin, high + margin, resolution)
