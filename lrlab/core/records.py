"""What training gave, in one shape from the engine to the report: curves, outcomes, axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

OUTCOMES = ("ok", "diverged", "pruned", "not_run")
"""What can become of a lane; `LaneRecord.outcome` holds the index into this tuple."""

OK, DIVERGED, PRUNED, NOT_RUN = range(len(OUTCOMES))

Direction = Literal["min", "max"]
"""Whether less or more of a metric is better."""

TimeAxis = Literal["step", "eval_step"]
"""Where a metric is measured: before every update, or at evaluations."""


class Metric(NamedTuple):
    """The values [T, ...] or [E, ...] of one metric; rows that a lane did not reach are nan.

    `axis`: "step" for what every update records, "eval_step" for what evaluations do. `direction`
    is None for what is neither better nor worse (a learning rate, a probe).
    """

    values: np.ndarray
    axis: TimeAxis
    direction: Direction | None = None


class LaneRecord(NamedTuple):
    """The record of N lanes, flat or as a grid. Floats have the dtype of the run.

    `axes`: name -> values f64, the seeds (`seed`, int64) last. A flat record has a value per lane
    in each, [N], and arrays [..., N]; a grid has every axis's own values, and arrays [..., axes in
    order]. `steps` int[T] are the updates, from 0; `eval_steps` int[E] the updates done at each
    evaluation. `initial`: metric -> [lanes], before the first update. `outcome` int8[lanes] (index
    into `OUTCOMES`), `diverged_at` int[lanes] (-1: never), `last_loss` [lanes] the last finite
    training loss, `steps_trained` int[lanes]; `seconds` wall time of training.
    """

    axes: dict[str, np.ndarray]
    steps: np.ndarray
    eval_steps: np.ndarray
    metrics: dict[str, Metric]
    initial: dict[str, np.ndarray]
    outcome: np.ndarray
    diverged_at: np.ndarray
    last_loss: np.ndarray
    steps_trained: np.ndarray
    seconds: float = 0.0

    @property
    def is_grid(self) -> bool:
        """Whether lanes are laid out by axes; a grid has two at least, learning rates and seeds."""
        return self.outcome.ndim > 1

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Metrics of every update, [T, ...]."""
        return self._on("step")

    @property
    def evaluated(self) -> dict[str, np.ndarray]:
        """Metrics of every evaluation, [E, ...]."""
        return self._on("eval_step")

    @property
    def outcome_names(self) -> np.ndarray:
        """`outcome` in words, str[lanes]."""
        return np.asarray(OUTCOMES)[self.outcome]

    def _on(self, axis: TimeAxis) -> dict[str, np.ndarray]:
        return {name: one.values for name, one in self.metrics.items() if one.axis == axis}

    def directed(self, directions: Mapping[str, Direction]) -> LaneRecord:
        """The same record, with what is better of each metric.

        >>> blank_record({"lr": np.ones(1)}, 1, [1]).directed({"valid_loss": "min"}).metrics
        {}
        """
        metrics = {
            name: one._replace(direction=directions.get(name, one.direction))
            for name, one in self.metrics.items()
        }
        return self._replace(metrics=metrics)

    def grid(self, axes: Mapping[str, np.ndarray], cells: np.ndarray | None = None) -> LaneRecord:
        """A flat record laid out by `axes` (seeds last).

        Args:
            cells: the place of each lane in the grid, int[N], in C order; None: lane by lane. A
                place that no lane has holds nan and a lane that was not run.

        >>> flat = blank_record({"lr": np.array([0.1, 0.2]), "seed": np.array([0, 0])}, 3, [3])
        >>> flat.grid({"lr": np.array([0.1, 0.2]), "seed": np.array([0])}).outcome.shape
        (2, 1)
        """
        shape = tuple(len(values) for values in axes.values())
        count = int(np.prod(shape))
        whole = cells is None or (len(cells) == count and np.array_equal(cells, np.arange(count)))

        def laid(values: np.ndarray, empty: float) -> np.ndarray:
            if not whole:
                wide = np.full((*values.shape[:-1], count), empty, values.dtype)
                wide[..., cells] = values
                values = wide
            return values.reshape(*values.shape[:-1], *shape)

        return self._over(laid)._replace(axes=dict(axes))

    def take(self, axis: str, places: np.ndarray) -> LaneRecord:
        """A grid with some values of one axis alone; `places` int[n] in that axis.

        >>> flat = blank_record({"lr": np.array([0.1, 0.2]), "seed": np.array([0, 0])}, 3, [3])
        >>> grid = flat.grid({"lr": np.array([0.1, 0.2]), "seed": np.array([0])})
        >>> grid.take("lr", np.array([1])).axes["lr"].tolist()
        [0.2]
        """
        dim = list(self.axes).index(axis) - self.outcome.ndim
        some = self._over(lambda values, empty: np.take(values, places, dim))
        return some._replace(axes={**self.axes, axis: self.axes[axis][places]})

    def flat(self) -> LaneRecord:
        """A grid as N lanes in C order, seeds fastest.

        >>> axes = {"lr": np.array([0.1, 0.2]), "seed": np.array([5, 6])}
        >>> flat = blank_record({name: np.ones(4) for name in axes}, 3, [3])
        >>> flat.grid(axes).flat().axes["seed"].tolist()
        [5, 6, 5, 6]
        """
        if not self.is_grid:
            return self
        lanes = self.outcome.ndim
        columns = np.meshgrid(*self.axes.values(), indexing="ij")

        def lined(values: np.ndarray, empty: float) -> np.ndarray:
            return values.reshape(*values.shape[: values.ndim - lanes], -1)

        axes = {
            name: column.ravel().astype(values.dtype)
            for (name, values), column in zip(self.axes.items(), columns, strict=True)
        }
        return self._over(lined)._replace(axes=axes)

    def _over(self, change: Callable[[np.ndarray, float], np.ndarray]) -> LaneRecord:
        """The record with its lane arrays changed: `change(values, value of an empty place)`."""
        metrics = {
            name: one._replace(values=change(one.values, np.nan))
            for name, one in self.metrics.items()
        }
        return self._replace(
            metrics=metrics,
            initial={name: change(values, np.nan) for name, values in self.initial.items()},
            outcome=change(self.outcome, NOT_RUN),
            diverged_at=change(self.diverged_at, -1),
            last_loss=change(self.last_loss, np.nan),
            steps_trained=change(self.steps_trained, 0),
        )


def blank_record(
    axes: Mapping[str, np.ndarray], steps: int, eval_steps: Sequence[int]
) -> LaneRecord:
    """A flat record before anything is trained; `axes` hold a value per lane.

    >>> blank_record({"lr": np.array([0.1, 0.2])}, 4, [2, 4]).outcome_names.tolist()
    ['not_run', 'not_run']
    """
    lanes = len(next(iter(axes.values())))
    return LaneRecord(
        axes=dict(axes),
        steps=np.arange(steps),
        eval_steps=np.asarray(eval_steps, np.int64),
        metrics={},
        initial={},
        outcome=np.full(lanes, NOT_RUN, np.int8),
        diverged_at=np.full(lanes, -1, np.int64),
        last_loss=np.full(lanes, np.nan),
        steps_trained=np.zeros(lanes, np.int64),
    )
