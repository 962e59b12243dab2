"""What is trained: pure functions and the data they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lrlab.core.text import Table
from lrlab.data.streams import Stream
from lrlab.types import (
    Array,
    LossChoice,
    MetricChoice,
    Metrics,
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
        """The splits that are evaluated; `valid` alone where no data are held out, none where
        nothing is evaluated."""
        if self.functions.evaluate is None:
            return ()
        return tuple(split for split in self.data if split != "train") or ("valid",)

    @property
    def is_objective(self) -> bool:
        """Whether it has no data, and so no batches."""
        return not self.data

    @staticmethod
    def supervised(
        *,
        model: object,
        loss: LossChoice,
        train: PyTree | Stream,
        valid: PyTree | Stream | None = None,
        test: PyTree | Stream | None = None,
        metrics: MetricChoice | None = None,
        params: PyTree = None,
        trainable: str | Sequence[str] | None = None,
        augment: Callable[..., PyTree] | None = None,
        batch_loss: bool = False,
        rngs: Sequence[str] = ("dropout",),
        name: str = "supervised",
        source: Table | None = None,
        options: Table | None = None,
    ) -> Task:
        """Anyone's model on anyone's arrays.

        A function (loss, metric, augment, the call of the model) that has a parameter named `hyper`
        gets the lane's scalars there, by name: `hyper["lr"]` is this step's rate, and any lane axis
        stands under its own name.

        Args:
            model: a Flax Linen module called as `model(x)` or `model(x, train=...)` (also
                `training`, `is_training`, `deterministic`, `use_running_average`), a function
                `rngs -> NNX module`, or `lrlab.Model(init, apply)`.
            loss: "softmax_cross_entropy" (integer labels), "sigmoid_binary_cross_entropy" (or
                "binary"), "mse", any of them as {"name": ..., "ignore_label": -1}, or
                `loss(outputs, targets) -> [batch]` or `[batch, tokens]`: one value per example,
                averaged, that does not change with the other examples. It may give (values,
                weights) of one shape: the loss is sum(values weights) / sum(weights), over a batch
                in training and over the whole split in evaluation; 0, with gradient 0, where the
                weights are 0. Outputs and targets may then be pytrees.
            train, valid, test: (inputs [N, ...], targets [N, ...]), copied, or what
                `lrlab.data.stream` gives, which may bring `valid` along. Arrays in files
                (`np.memmap`) are read batch by batch; a file of at most 128 MiB as a whole. Or a
                dict of arrays [N, ...]: the model gets the whole batch, loss and metrics get
                (outputs, batch).
            metrics: names ("accuracy", "mae"), or {name: (function, "min" | "max")}, of the form of
                the loss, or one number for all examples: such a metric sees the outputs of a whole
                split, and is not recorded in training. None for accuracy where targets are classes.
            params: weights that every lane and every seed starts from, a pytree of arrays as the
                model's init gives: bare parameters, or a dict with "params" beside collections
                (those that are absent are drawn). Their paths and shapes must be the model's. The
                path of a file is read (`*.safetensors`, `*.msgpack`, `*.npz`, the folder of an
                orbax checkpoint), and a function without arguments is called for them.
            trainable: patterns of parameter paths (as in `lrlab.optimizers.groups.matches`), one or
                several, whose parameters are trained. The others are frozen: no gradient, no
                optimizer state, held once for all lanes in the dtype they were given in, out of
                reach of `init_scale` and weight decay. None: all are trained.
            augment: `augment(batch, key) -> batch`, of training batches alone; the key is
                `lrlab.rng.key(step_key, "augment")`. Shapes may change, the number of examples not.
            batch_loss: the loss is one number for the whole batch (contrastive); it is evaluated in
                batches of the training size, each weighted by its number of examples.
            rngs: random streams of a Linen module. "dropout" is the step's key, another one
                `lrlab.rng.key(step_key, name)`. NNX modules have their own.

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

        A dict of arrays, and a mean over what a mask leaves:

        >>> class Net(nn.Module):
        ...     @nn.compact
        ...     def __call__(self, batch):
        ...         return nn.Dense(1)(batch["x"])[..., 0]
        >>> def masked(outputs, batch):
        ...     return (outputs - batch["y"])**2, batch["mask"]
        >>> batch = {"x": np.ones((8, 5, 3)), "y": np.ones((8, 5)), "mask": np.ones((8, 5), bool)}
        >>> Task.supervised(model=Net(), loss=masked, train=batch, valid=batch)
        Task('supervised': 8 train, 8 valid; loss)
        """
        from lrlab.tasks.supervised import supervised

        parts = supervised(
            name,
            model,
            loss,
            train,
            valid,
            test,
            metrics,
            source,
            params,
            trainable,
            augment,
            batch_loss,
            rngs,
        )
        return _of(name, parts, options)

    @staticmethod
    def custom(
        *,
        init: Callable[..., PyTree],
        loss: Callable[..., PyTree],
        train: PyTree = None,
        valid: PyTree = None,
        test: PyTree = None,
        evaluate: Callable[..., PyTree] | None = None,
        stateful: bool = False,
        metrics: Mapping[str, str] | None = None,
        params: PyTree = None,
        trainable: Sequence[str] | str | None = None,
        name: str = "custom",
        source: Table | None = None,
        options: Table | None = None,
    ) -> Task:
        """A loss of one's own on parameters of one's own; lrlab takes gradients, and the optimizer.

        `loss` and `evaluate` get the lane's scalars by keyword if they have a parameter named
        `hyper`: any lane axis stands there under its own name.

        Args:
            init: `init(key, example) -> params`, any pytree of floating or complex arrays;
                `example` is a batch of one training example, None without data. The optimizer gets
                the conjugate of JAX's gradient by complex ones, the steepest ascent. The key is
                that of the seed: `lrlab.rng.key(seed, "init")`. With `stateful`: `-> (params,
                state)`.
            loss: `loss(params, batch, key) -> value`, or `(value, metrics)`: a real scalar, and a
                dict of such, recorded as `train_<name>`. With `stateful`: `loss(params, state,
                batch, key) -> (value, (state, metrics))`. The key is
                `fold_in(lrlab.rng.key(seed, "noise"), step)`.
            train, valid, test: pytrees of arrays [N, ...], real or complex, copied; None: there are
                no data, and batches are None.
            evaluate: `evaluate(params, state, batch, key) -> ({metric: sum}, {metric: weight})`,
                called with parts of a split of the training batch's size, the last one smaller;
                what is recorded as `valid_<name>` is sum / weight over the whole split. Always with
                four arguments; `state` is `()` without one. None: the loss and its metrics, in the
                same parts, each weighted by its number of examples.
            stateful: whether there is a state that is not trained by gradients.
            metrics: what is better of a metric, {name: "min" or "max"}; "min" where not named.
            params, trainable: as in `Task.supervised`.

        Raises:
            ValueError: data or functions of another form; the message says which.

        >>> import jax, numpy as np
        >>> x = np.linspace(-1, 1, 40).reshape(20, 2)
        >>> def loss(params, batch, key):
        ...     return ((batch @ params["w"] - batch.sum(1)) ** 2).mean()
        >>> Task.custom(init=lambda key, example: {"w": jax.random.normal(key, (2,))},
        ...             loss=loss, train=x, valid=x, name="plane")
        Task('plane': 20 train, 20 valid; loss)
        """
        from lrlab.tasks.custom import custom

        parts = custom(
            name,
            init,
            loss,
            train,
            valid,
            test,
            evaluate,
            stateful,
            metrics,
            params,
            trainable,
            source,
        )
        return _of(name, parts, options)

    @staticmethod
    def step(
        *,
        init: Callable[..., PyTree],
        step: Callable[..., PyTree],
        evaluate: Callable[..., PyTree] | None = None,
        train: PyTree = None,
        valid: PyTree = None,
        test: PyTree = None,
        loss: str = "loss",
        metrics: Mapping[str, str] | None = None,
        name: str = "step",
        source: Table | None = None,
        options: Table | None = None,
    ) -> Task:
        """A training step of one's own: several optimizers, reinforcement learning, an existing
        `TrainState` or `nnx.Optimizer`.

        Args:
            init: `init(key, hyper) -> state`, any pytree of arrays with static parts that do not
                depend on `hyper`; the key is `lrlab.rng.key(seed, "init")`, `hyper` as at step 0.
            step: `step(state, batch, hyper, key) -> (state, metrics)`: `hyper["lr"]` is this step's
                scheduled rate, every other lane axis stands under its name. With several rates,
                `lr={"gen": [...], "disc": [...]}`, `hyper["lr"]` is a dict of the same names. The
                state keeps its structure, shapes and dtypes; metrics are real scalars, recorded as
                `train_<name>`. The key is `fold_in(lrlab.rng.key(seed, "noise"), step)`.
            evaluate: `evaluate(state, batch, key) -> metrics` of a whole split in one call, or
                `(sums, weights)`, and then it is called with parts of the training batch's size.
                Without held-out data the batch is None. None: nothing is evaluated.
            train, valid, test: pytrees of arrays [N, ...], copied; None: batches are None.
            loss: the metric of `step` that is recorded as `train_loss`. A lane diverges where it,
                or a float of the state, is not finite; arrays of the state that hold nan or an
                infinity at the start (a maximum so far) are not looked at.
            metrics: what is better of a metric, {name: "min" or "max"}; "min" where not named.

        Raises:
            ValueError: data or functions of another form; the message says which.

        >>> def step(w, batch, hyper, key):
        ...     return w - hyper["lr"] * 2 * w, {"loss": w**2}
        >>> Task.step(init=lambda key, hyper: 1.0, step=step, name="bowl")
        Task('bowl': an objective; loss)
        """
        from lrlab.tasks.step import step_task

        parts = step_task(name, init, step, train, valid, test, evaluate, loss, metrics, source)
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
