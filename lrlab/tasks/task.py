"""What is trained: pure functions and the data they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lrlab.core.text import Table
from lrlab.data.streams import Stream
from lrlab.types import (
    Array,
    MetricChoice,
    MetricFunction,
    Metrics,
    Pair,
    Params,
    PyTree,
    TaskFunctions,
    TaskParts,
)


class Task(NamedTuple):
    """A bundle of pure functions and data.

    `data` maps split -> pytree of NumPy arrays [N, ...], (inputs, targets) of a supervised task; {}
    for objectives. `metrics` maps each evaluated metric (without its split) to "min" or "max",
    `loss` among them. `source` is JSON-able and says where model and data come from; `options` are
    those it was loaded with. `params`: the variables that lanes start from; None: drawn.
    """

    name: str
    functions: TaskFunctions
    data: Mapping[str, PyTree]
    metrics: Metrics
    source: Table
    options: Table
    params: PyTree = None

    def __repr__(self) -> str:
        from lrlab.tasks.streams import size_of

        sizes = ", ".join(f"{size_of(part)} {split}" for split, part in self.data.items())
        return f"Task({self.name!r}: {sizes or 'an objective'}; {', '.join(self.metrics)})"

    @property
    def num_examples(self) -> int:
        """Size of the training split; 0 for objectives."""
        from lrlab.tasks.arrays import length

        return length(self.data["train"]) if self.data else 0

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that are evaluated; `valid` alone for objectives, with no data."""
        return tuple(split for split in self.data if split != "train") or ("valid",)

    @property
    def is_objective(self) -> bool:
        """Whether it has no data, and so no batches."""
        return not self.data

    @staticmethod
    def supervised(
        *,
        model: object,
        loss: str | MetricFunction,
        train: Pair | Stream,
        valid: Pair | Stream | None = None,
        test: Pair | Stream | None = None,
        metrics: MetricChoice | None = None,
        params: PyTree = None,
        trainable: Sequence[str] | str | None = None,
        name: str = "supervised",
        source: Table | None = None,
        options: Table | None = None,
    ) -> Task:
        """Anyone's model on anyone's arrays.

        Args:
            model: a Flax Linen module called as `model(x)` or `model(x, train=...)` (also
                `training`, `is_training`, `deterministic`, `use_running_average`), a function
                `rngs -> NNX module`, or `lrlab.Model(init, apply)`.
            loss: "softmax_cross_entropy" (integer labels), "sigmoid_binary_cross_entropy" (or
                "binary"), "mse", or `loss(outputs, targets) -> [batch]` or `[batch, tokens]`: one
                value per example, averaged, that does not change with the other examples.
            train, valid, test: (inputs [N, ...], targets [N, ...]), copied, or what
                `lrlab.data.stream` gives, which may bring `valid` along. Arrays in files
                (`np.memmap`) are read batch by batch; a file of at most 128 MiB as a whole.
            metrics: names ("accuracy", "mae"), or {name: (function, "min" | "max")}. None for
                accuracy where targets are classes.
            params: weights that every lane and every seed starts from, a pytree of arrays as the
                model's init gives: bare parameters, or a dict with "params" beside collections
                (those that are absent are drawn). Their paths and shapes must be the model's.
            trainable: patterns of parameter paths (as in `lrlab.optimizers.groups.matches`), one or
                several, whose parameters are trained. The others are frozen: no gradient, no
                optimizer state, held once for all lanes in the dtype they were given in, out of
                reach of `init_scale` and weight decay. None: all are trained.

        Raises:
            ValueError: data, model, loss and metrics that do not fit each other; the message names
                the shapes. Nothing is compiled and no device is used to find out, except that a
                loss or metric of one's own is tried on a few examples.

        >>> import flax.linen as nn, numpy as np
        >>> x, y = np.zeros((8, 3), np.float32), np.arange(8) % 2
        >>> task = Task.supervised(model=nn.Dense(2), loss="softmax_cross_entropy",
        ...                        train=(x, y), valid=(x, y))
        >>> dict(task.metrics), task.num_examples
        ({'loss': 'min', 'accuracy': 'max'}, 8)
        """
        from lrlab.tasks.supervised import supervised

        parts = supervised(
            name, model, loss, train, valid, test, metrics, source, params, trainable
        )
        return _of(name, parts, options)

    @staticmethod
    def objective(
        name: str,
        init: Callable[[Array], Params],
        loss: Callable[[Params, Array], Array],
        *,
        expected: Callable[[Params], Array] | None = None,
        metrics: Mapping[str, tuple[Callable[[Params], Array], str]] | None = None,
        source: Table | None = None,
        options: Table | None = None,
    ) -> Task:
        """A function to minimize, without data.

        Args:
            init: `init(key) -> params`, any pytree of floating or complex arrays.
            loss: `loss(params, key) -> scalar`; a fresh key at each update is its noise.
            expected: `expected(params) -> scalar`, evaluated in place of the loss where that is
                noisy; None evaluates the loss with one fixed key per seed.
            metrics: {name: (function of the params -> scalar, "min" | "max")}, evaluated too.

        Raises:
            ValueError: something is not a scalar, or the parameters are not floating.

        >>> import jax
        >>> bowl = Task.objective("bowl", init=lambda key: jax.random.normal(key, (3,)),
        ...                       loss=lambda x, key: (x**2).sum())
        >>> bowl.splits, bowl.num_examples
        (('valid',), 0)
        """
        from lrlab.tasks.objective import objective

        parts = objective(name, init, loss, expected, metrics, source)
        return _of(name, parts, options)


def _of(name: str, parts: TaskParts, options: Table | None) -> Task:
    return Task(
        name, parts.functions, parts.data, parts.metrics, parts.source, options or {}, parts.params
    )
