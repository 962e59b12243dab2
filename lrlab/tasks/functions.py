"""The engine's view of a supervised task: init, loss and exact evaluation as pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from lrlab.core.memo import closure_of, kept_with
from lrlab.tasks.losses import BUILT_IN, PerExample, in_dtype, loss_values, metric_values
from lrlab.types import Array, Model, PyTree, TaskFunctions

CHUNK_NUMBERS = 1 << 18
"""About how many input numbers are evaluated at once; bounds the memory of activations."""


@kept_with(
    lambda model, name, loss, metrics: closure_of(
        loss, *(function for _, function in metrics), model.apply, model.init
    )
)
def supervised_functions(
    model: Model,
    loss_name: str,
    loss: PerExample,
    metrics: tuple[tuple[str, PerExample], ...],
) -> TaskFunctions:
    """The functions of a model with a loss; equal arguments give the same ones, compiled once."""

    def init(key: Array, example: PyTree) -> tuple[PyTree, PyTree]:
        return separated(model.init(key, example[0]))

    def train_loss(
        params: PyTree, state: PyTree, batch: PyTree, key: Array
    ) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
        inputs, targets = batch
        outputs, variables = model.apply(joined(params, state), inputs, True, key)
        outputs = as_run(outputs, params)
        values = loss_values(loss_name, loss, outputs, targets)
        extra = {
            name: metric_values(name, function, outputs, targets).mean()
            for name, function in metrics
        }
        return values.mean(), (as_before(separated(variables)[1], state), extra)

    def evaluate(params: PyTree, state: PyTree, data: PyTree, key: Array) -> dict[str, Array]:
        variables = joined(params, state)

        def outputs_of(inputs: PyTree) -> Array:
            return as_run(model.apply(variables, inputs, False, key)[0], params)

        def values_of(inputs: PyTree, targets: Array) -> dict[str, Array]:
            """Per-example values [N] by name; a metric that is one number in all gives outputs."""
            outputs = outputs_of(inputs)
            values = {"loss": loss_values(loss_name, loss, outputs, targets)}
            for name, function in metrics:
                value = metric_values(name, function, outputs, targets)
                values[name] = outputs if value.ndim == 0 else value
            return {
                name: value if value is outputs else value.reshape(len(value), -1).mean(-1)
                for name, value in values.items()
            }

        inputs, targets = jax.tree.map(jnp.asarray, data)
        whole = _scalar_metrics(metrics, outputs_of, inputs, targets)
        result = _over_chunks(values_of, inputs, targets, frozenset(whole))
        for name, function in whole.items():
            result[name] = metric_values(name, function, result[name], targets)
        return result

    def part(
        params: PyTree, state: PyTree, data: PyTree, key: Array
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        means = evaluate(params, state, data, key)
        weights = {name: jnp.asarray(len(data[1]), mean.dtype) for name, mean in means.items()}
        return {name: mean * weights[name] for name, mean in means.items()}, weights

    def outputs(params: PyTree, state: PyTree, batch: PyTree, key: Array) -> Array:
        return as_run(model.apply(joined(params, state), batch[0], True, key)[0], params)

    def output_loss(outputs: Array, batch: PyTree) -> Array:
        return loss_values(loss_name, loss, outputs, batch[1]).mean()

    def features(params: PyTree, state: PyTree, batch: PyTree, key: Array) -> dict[str, Array]:
        variables = joined(params, state)
        if model.features is None:
            layers = {"output": model.apply(variables, batch[0], False, key)[0]}
        else:
            layers = model.features(variables, batch[0], key)
        return {layer: as_run(values, params) for layer, values in layers.items()}

    return TaskFunctions(init, train_loss, evaluate, outputs, output_loss, features, part)


def separated(variables: PyTree) -> tuple[PyTree, PyTree]:
    """(parameters, the rest). The rest is () where a model's variables are its bare parameters."""
    if isinstance(variables, Mapping) and "params" in variables:
        return variables["params"], {k: v for k, v in variables.items() if k != "params"}
    return variables, ()


def joined(params: PyTree, state: PyTree) -> PyTree:
    """The inverse of `separated`."""
    return {"params": params, **state} if isinstance(state, Mapping) else params


def as_run(outputs: Array, params: PyTree) -> Array:
    """Floating outputs in the dtype of the parameters, which is that of the run.

    A model may compute in a shorter one (bfloat16): its loss is averaged, and recorded, in this.
    """
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(params)]
    dtypes = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)]
    if not dtypes or not jnp.issubdtype(outputs.dtype, jnp.floating):
        return outputs
    return in_dtype(outputs, jnp.result_type(*dtypes))


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


def _scalar_metrics(
    metrics: tuple[tuple[str, PerExample], ...],
    outputs_of: Callable[[PyTree], Array],
    inputs: PyTree,
    targets: Array,
) -> dict[str, PerExample]:
    """The metrics that are one number for all examples, found by shapes alone."""
    custom = {name: function for name, function in metrics if function not in BUILT_IN}
    if not custom:
        return {}
    few = min(len(targets), 3)
    part = jax.tree.map(lambda leaf: leaf[:few], inputs)
    outputs = jax.eval_shape(outputs_of, part)
    return {
        name: function
        for name, function in custom.items()
        if jax.eval_shape(function, outputs, targets[:few]).shape == ()
    }


def _over_chunks(
    values_of: Callable[[PyTree, Array], dict[str, Array]],
    inputs: PyTree,
    targets: Array,
    collected: frozenset[str],
) -> dict[str, Array]:
    """Means of per-example values over a whole split, chunk by chunk, every example once.

    The last chunk is filled up with copies of the last example, whose weight is 0. Names in
    `collected` are given back per example instead of averaged.
    """
    count = len(targets)
    chunks, size = chunking(count, inputs, targets)
    if chunks == 1:
        values = values_of(inputs, targets)
        return {k: v if k in collected else v.mean() for k, v in values.items()}
    places = jnp.minimum(jnp.arange(chunks * size), count - 1).reshape(chunks, size)
    real = (jnp.arange(chunks * size) < count).reshape(chunks, size)

    def body(carry: None, chunk: tuple[Array, Array]) -> tuple[None, dict[str, Array]]:
        rows, counts = chunk
        part = jax.tree.map(lambda leaf: leaf[rows], inputs)
        values = values_of(part, targets[rows])
        return None, {
            k: v if k in collected else jnp.where(counts, v, 0).sum() for k, v in values.items()
        }

    _, sums = jax.lax.scan(body, None, (places, real))
    return {
        k: v.reshape(chunks * size, *v.shape[2:])[:count] if k in collected else v.sum() / count
        for k, v in sums.items()
    }


def chunking(count: int, inputs: PyTree, targets: Array) -> tuple[int, int]:
    """(number of chunks, examples in each) for a split: equal chunks, as few as memory allows."""
    numbers = sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(inputs))
    # A token's activations are far wider than the token.
    numbers *= 64 if targets.ndim > 1 else 1
    most = min(4096, max(32, CHUNK_NUMBERS // max(1, numbers)))
    chunks = -(-count // most)
    return chunks, -(-count // chunks)
