"""A lane axis: its name in arrays, its values, and what kind of thing it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

AxisKind = Literal["learning_rate", "multiplier", "schedule", "hyper"]
"""`learning_rate`: follows the schedule, one axis or one per parameter group; `multiplier`: of the
learning rate at some parameters; `schedule`: counts several schedules; `hyper`: anything else that
an optimizer, a schedule or the engine reads."""


RATE_PREFIX = "lr_"
"""In front of the names of several learning rates, where they are arrays: `lr_head`."""


class Axis(NamedTuple):
    """One axis of a sweep. `values` are the numbers that train, in order; `labels` their names
    where they only count something (the axis `schedule`)."""

    name: str
    values: tuple[float, ...]
    kind: AxisKind = "hyper"
    labels: tuple[str, ...] = ()

    def single(self, place: int = 0) -> Axis:
        """The axis with one of its values."""
        return self._replace(values=(self.values[place],))


def rate_axis(values: Iterable[float], name: str = "lr") -> Axis:
    """An axis of learning rates.

    >>> rate_axis([0.1, 1.0])
    Axis(name='lr', values=(0.1, 1.0), kind='learning_rate', labels=())
    """
    return Axis(name, tuple(map(float, values)), "learning_rate")


def arrays_of(axes: Iterable[Axis]) -> dict[str, np.ndarray]:
    """Name -> values f64, in order.

    >>> arrays_of([rate_axis([0.1, 1.0])])["lr"].tolist()
    [0.1, 1.0]
    """
    return {axis.name: np.asarray(axis.values, np.float64) for axis in axes}


def labels_of(axes: Iterable[Axis]) -> dict[str, tuple[str, ...]]:
    """The axes whose values count names -> what each value is called."""
    return {axis.name: axis.labels for axis in axes if axis.labels}
