"""The engine's view of a supervised task: init, loss and exact evaluation as pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lrlab.core.hyper import any_hyper, takes_hyper, with_hyper
from lrlab.core.memo import closure_of, kept_with
from lrlab.rng import key as key_of
from lrlab.tasks.evaluation import chunking, means, over_batches, totals
from lrlab.tasks.losses import PerExample
from lrlab.tasks.values import (
    Measured,
    batch_value,
    count_of,
    in_dtype,
    loss_values,
    mean,
    metric_values,
    ratio,
    without_gradient,
)
from lrlab.types import Array, LaneContext, Model, Params, PyTree, TaskFunctions


class Supervised(NamedTuple):
    """What a supervised task's functions are made of; hashable.

    `metrics` are (name, function); those in `whole` are one number for all examples. `pair`:
    batches are (inputs, targets), else dicts that model, loss and metrics get as they are. `batch`:
    the loss is one number for a batch. `own_tokens`: see `without_gradient`. `single`: the model
    gives one array. `trains`: see `TaskFunctions`.
    """

    model: Model
    loss_name: str
    loss: PerExample
    metrics: tuple[tuple[str, PerExample], ...]
    whole: tuple[str, ...] = ()
    pair: bool = True
    batch: bool = False
    augment: Callable[..., PyTree] | None = None
    own_tokens: bool = False
    single: bool = True
    trains: Callable[[Params], PyTree] | None = None


@kept_with(
    lambda parts: closure_of(
        parts.loss,
        *(function for _, function in parts.metrics),
        *([] if parts.augment is None else [parts.augment]),
        parts.model.apply,
        parts.model.init,
    )
)
def supervised_functions(parts: Supervised) -> TaskFunctions:
    """The functions of a model with a loss; equal arguments give the same ones, compiled once."""
    others = (parts.loss, parts.augment, *(function for _, function in parts.metrics), *parts.model)
    follows = parts.batch or any(one is not None and takes_hyper(one) for one in others)

    def bind(context: LaneContext) -> TaskFunctions:
        if not follows and context.compute is None:
            return functions
        return _of_lane(parts, context)

    # What is drawn for a seed is of all its lanes, whose scalars are none: 1 stands for each.
    functions = _of_lane(parts, LaneContext(any_hyper(1.0)))
    functions = functions._replace(bind=bind)
    return functions


def _of_lane(parts: Supervised, context: LaneContext) -> TaskFunctions:
    """The functions of a lane, closed over its scalars."""
    hyper = context.hyper
    init_of, apply, features_of = parts.model
    model = Model(
        with_hyper(init_of, hyper),
        with_hyper(apply, hyper),
        None if features_of is None else with_hyper(features_of, hyper),
    )
    loss_name, function = parts.loss_name, with_hyper(parts.loss, hyper)
    metrics = tuple((name, with_hyper(metric, hyper)) for name, metric in parts.metrics)
    augment = None if parts.augment is None else with_hyper(parts.augment, hyper)
    by_value = tuple((name, metric) for name, metric in metrics if name not in parts.whole)

    def forward(
        params: Params, state: PyTree, inputs: PyTree, train: bool, key: Array
    ) -> tuple[PyTree, PyTree]:
        weights, inputs = computed_in(context.compute, (params, inputs))
        outputs, variables = model.apply(joined(weights, state), inputs, train, key)
        return as_run(outputs, params), variables

    def inputs_of(batch: PyTree) -> PyTree:
        return batch[0] if parts.pair else batch

    def targets_of(batch: PyTree) -> PyTree:
        return full(batch[1] if parts.pair else batch)

    def loss_of(outputs: PyTree, targets: PyTree) -> Measured:
        if parts.batch:
            return Measured(batch_value(loss_name, function, outputs, targets))
        return loss_values(loss_name, function, outputs, targets)

    def differentiated(outputs: PyTree, targets: PyTree) -> Measured:
        measured = loss_of(outputs, targets)
        if measured.weights is None:
            return measured
        held = without_gradient(outputs, measured.weights, parts.own_tokens)
        return loss_of(held, targets)

    def init(key: Array, example: PyTree) -> tuple[PyTree, PyTree]:
        return separated(model.init(key, inputs_of(example)))

    def train_loss(
        params: PyTree, state: PyTree, batch: PyTree, key: Array
    ) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
        if augment is not None:
            batch = augment(batch, key_of(key, "augment"))
        outputs, variables = forward(params, state, inputs_of(batch), True, key)
        targets = targets_of(batch)
        values = differentiated(outputs, targets)
        extra = {
            name: mean(metric_values(name, metric, outputs, targets)) for name, metric in by_value
        }
        return mean(values), (as_before(separated(variables)[1], state), extra)

    def evaluate(params: PyTree, state: PyTree, data: PyTree, key: Array) -> dict[str, Array]:
        data = jax.tree.map(jnp.asarray, data)
        measure = measuring(params, state, key)
        if parts.batch:
            sums, outputs = over_batches(measure, data, context.batch_size)
            result = {name: ratio(value, count_of(data)) for name, value in sums.items()}
        else:
            result, outputs = means(measure, data, chunks(data))
        for name, metric in metrics:
            if name in parts.whole:
                result[name] = metric_values(name, metric, outputs, targets_of(data)).values
        return result

    def part(
        params: PyTree, state: PyTree, data: PyTree, key: Array
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        data = jax.tree.map(jnp.asarray, data)
        measure = measuring(params, state, key)
        if parts.batch:
            sums = over_batches(measure, data, context.batch_size)[0]
        else:
            sums = totals(measure, data, chunks(data))
        count = count_of(data)
        return {name: value.total for name, value in sums.items()}, {
            name: jnp.asarray(count, value.total.dtype) if value.weight is None else value.weight
            for name, value in sums.items()
        }

    def measuring(
        params: PyTree, state: PyTree, key: Array
    ) -> Callable[[PyTree], tuple[dict[str, Measured], PyTree]]:
        def measure(data: PyTree) -> tuple[dict[str, Measured], PyTree]:
            outputs = forward(params, state, inputs_of(data), False, key)[0]
            targets = targets_of(data)
            values = {"loss": loss_of(outputs, targets)}
            for name, metric in by_value:
                values[name] = metric_values(name, metric, outputs, targets)
            return values, outputs if parts.whole else None

        return measure

    def chunks(data: PyTree) -> tuple[int, int]:
        rows = data[1] if parts.pair else data
        tokens = any(leaf.ndim > 1 for leaf in jax.tree.leaves(rows) if parts.pair or _words(leaf))
        return chunking(count_of(data), inputs_of(data), tokens)

    def outputs(params: PyTree, state: PyTree, batch: PyTree, key: Array) -> Array:
        return forward(params, state, inputs_of(batch), True, key)[0]

    def output_loss(outputs: Array, batch: PyTree) -> Array:
        return mean(differentiated(outputs, targets_of(batch)))

    def features(params: PyTree, state: PyTree, batch: PyTree, key: Array) -> dict[str, Array]:
        if model.features is None:
            outputs = forward(params, state, inputs_of(batch), False, key)[0]
            return {"output": outputs} if parts.single else named(outputs)
        weights, inputs = computed_in(context.compute, (params, inputs_of(batch)))
        layers = model.features(joined(weights, state), inputs, key)
        return {layer: as_run(values, params) for layer, values in layers.items()}

    return TaskFunctions(
        init,
        train_loss,
        evaluate,
        outputs if parts.single else None,
        output_loss if parts.single else None,
        features,
        None if parts.whole else part,
        trains=parts.trains,
    )


def _words(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.integer)


def named(outputs: PyTree) -> dict[str, Array]:
    """Every array of a model's outputs by its path.

    >>> list(named({"mean": 0, "parts": (1, 2)}))
    ['output.mean', 'output.parts.0', 'output.parts.1']
    """
    leaves = jax.tree_util.tree_flatten_with_path(outputs)[0]
    return {
        f"output.{jax.tree_util.keystr(path, simple=True, separator='.')}": leaf
        for path, leaf in leaves
    }


def separated(variables: PyTree) -> tuple[PyTree, PyTree]:
    """(parameters, the rest). The rest is () where a model's variables are its bare parameters."""
    if isinstance(variables, Mapping) and "params" in variables:
        return variables["params"], {k: v for k, v in variables.items() if k != "params"}
    return variables, ()


def joined(params: PyTree, state: PyTree) -> PyTree:
    """The inverse of `separated`."""
    return {"params": params, **state} if isinstance(state, Mapping) else params


def computed_in(dtype: str | None, tree: PyTree) -> PyTree:
    """Floats in the dtype that a model computes in; None: the very same."""
    if dtype is None:
        return tree
    return jax.tree.map(
        lambda leaf: (
            jnp.asarray(leaf, dtype)
            if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
            else leaf
        ),
        tree,
    )


def full(targets: PyTree) -> PyTree:
    """Targets in bfloat16 as float32, the dtype of outputs: see `as_run`."""
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == jnp.bfloat16 else leaf, targets
    )


def as_run(outputs: PyTree, params: PyTree) -> PyTree:
    """Floating outputs in the dtype of the parameters, which is that of the run; in float32 where
    that is bfloat16.

    A model may compute in a shorter one (bfloat16): its loss is averaged, and recorded, in this.
    """
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(params)]
    dtypes = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)]
    if not dtypes:
        return outputs
    dtype = jnp.result_type(*dtypes)
    dtype = jnp.dtype(jnp.float32) if dtype == jnp.bfloat16 else dtype
    return jax.tree.map(
        lambda leaf: in_dtype(leaf, dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        outputs,
    )


def as_before(state: PyTree, before: PyTree) -> PyTree:
    """A model's collections with floats in the dtype that they had: what one update gives the next
    is of one type. Anything else that differs is left, for the check of the task to name."""
    if jax.tree.structure(state) != jax.tree.structure(before):
        return state

    def alike(now: Array, then: Array) -> Array:
        now, then = jnp.asarray(now), jnp.asarray(then)
        floating = all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in (now, then))
        return in_dtype(now, then.dtype) if floating else now

    return jax.tree.map(alike, state, before)
