"""The network of the trainability map: two layers, each with a learning rate of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.core.errors import FieldError
from lrlab.engine.devices import prepare_devices
from lrlab.tasks.task import Task
from lrlab.types import Array

Weights = dict[str, Array]
"""`hidden` f[n, n] and `readout` f[n, 1]."""


def trainability(*, width: int = 8, points: int | None = None) -> Task:
    """Trainability map: mean (w1' tanh(sqrt(2/n) W0' x) / n - y)^2 over fixed normal examples.

    n = `width` inputs and hidden units, no biases, `points` examples (None: as many as there are
    parameters, n (n + 1)), always the full batch. Everything is drawn standard normal in float64
    from `jax.random.PRNGKey(0)` as in the notebook of Sohl-Dickstein 2024 (arXiv 2402.06184), so
    every seed is the same run; meant for `precision = "float64"`. Parameters: `hidden` [n, n] and
    `readout` [n, 1], so that `groups` gives each its learning rate.

    >>> trainability().source["points"]
    72
    """
    count = width * (width + 1) if points is None else points
    for option, value in (("width", width), ("points", count)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise FieldError(option, f"trainability: {option} must be a whole number of at least 1")
    init, loss = _functions(width, count)
    source = {"objective": "trainability", "width": width, "points": count}
    return Task.objective("trainability", init, loss, source=source)


def draws(width: int, points: int) -> dict[str, np.ndarray]:
    """The notebook's numbers, float64: `hidden` [n, n], `readout` [n, 1], `x` [p, n], `y` [p, 1].

    >>> draws(8, 72)["x"].shape
    (72, 8)
    """
    prepare_devices()  # a draw is JAX's first operation, after which the devices are fixed
    with jax.enable_x64(True), jax.threefry_partitionable(False):
        rng, keys = jax.random.PRNGKey(0), []
        for _ in range(3):
            rng, drawn = jax.random.split(rng)
            keys.append(drawn)
        layers = jax.random.split(keys[0])
        shapes = {
            "hidden": (layers[0], (width, width)),
            "readout": (layers[1], (width, 1)),
            "x": (keys[1], (points, width)),
            "y": (keys[2], (points, 1)),
        }
        return {
            name: np.asarray(jax.random.normal(drawn, shape, "float64"))
            for name, (drawn, shape) in shapes.items()
        }


@functools.lru_cache(maxsize=16)
def _functions(
    width: int, points: int
) -> tuple[Callable[[Array], Weights], Callable[[Weights, Array], Array]]:
    drawn = draws(width, points)
    # Examples lie along the last axis: a vmapped lane's products with the shared inputs then merge
    # into one matrix product without moving anything, half again as fast on CPU.
    inputs, targets = drawn["x"].T * np.sqrt(2 / width), drawn["y"].T

    def init(key: Array) -> Weights:
        return {name: jnp.asarray(drawn[name]) for name in ("hidden", "readout")}

    def trainability_loss(params: Weights, key: Array) -> Array:
        dtype = params["hidden"].dtype
        h = jnp.tanh(params["hidden"].T @ jnp.asarray(inputs, dtype))
        out = params["readout"].T @ h / width
        return jnp.mean((out - jnp.asarray(targets, dtype)) ** 2)

    return init, trainability_loss
