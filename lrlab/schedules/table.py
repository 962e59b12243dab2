"""Many schedules as a matrix of values: one program trains them all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lrlab.schedules.labels import Entry
from lrlab.schedules.schedule import values
from lrlab.types import Array, Hyper


def matrix(schedules: Sequence[Entry], steps: int, **shared: Any) -> np.ndarray:
    """The factors of several schedules at every step; f64[schedules, steps], peak 1.

    Args:
        schedules: names, or dicts of `make`'s arguments (`name` and shape, no peak or steps).
        steps: the number of updates.
        shared: arguments of all of them, where an entry has no other.

    >>> matrix(["constant", {"name": "linear", "final": 0.5}], 2).tolist()
    [[1.0, 1.0], [1.0, 0.75]]
    """
    entries = [{"name": one} if isinstance(one, str) else dict(one) for one in schedules]
    return np.stack([values(**{"peak": 1.0, "steps": steps} | shared | entry) for entry in entries])


def engine_table(table: np.ndarray) -> Callable[[Hyper, Array], Array]:
    """The engine's schedule `(hyper, step) -> learning rate` that reads a matrix of factors.

    `hyper["lr"] table[hyper["schedule"], step]`: the row number, a lane axis of whole floats, picks
    the schedule, so that a sweep over schedules is one program. Equal tables give one function.

    >>> schedule = engine_table(np.array([[1.0, 1.0], [1.0, 0.5]]))
    >>> round(float(schedule({"lr": 0.1, "schedule": 1.0}, 1)), 6)
    0.05
    """
    rows = np.ascontiguousarray(table, dtype=np.float64)
    return _engine_table(rows.tobytes(), rows.shape)


@functools.lru_cache(maxsize=32)
def _engine_table(content: bytes, shape: tuple[int, int]) -> Callable[[Hyper, Array], Array]:
    rows = np.frombuffer(content).reshape(shape)

    def schedule(hyper: Hyper, step: Array) -> Array:
        import jax.numpy as jnp

        table = jnp.asarray(rows, jnp.result_type(float))
        row = jnp.asarray(hyper["schedule"]).astype(int)
        return hyper["lr"] * table[row, jnp.clip(step, 0, shape[1] - 1)]

    return schedule
