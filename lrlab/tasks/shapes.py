"""A model's inputs, outputs and state by their shapes alone: nothing is computed."""

from __future__ import annotations

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np

from lrlab.models.adapters import check_modes
from lrlab.models.modes import ModelError
from lrlab.tasks.functions import as_before, separated
from lrlab.types import Model, Pair, PyTree

ALL_TOGETHER = (
    "A loss of all examples together (contrastive, ranking) is no mean over examples, and would "
    "depend on how they are grouped: train it by lrlab.Task.objective(name, init, loss), whose "
    "loss(params, key) is one number, of all data or of a batch drawn with the key."
)

EXAMPLES = 7
"""The batch that shapes are tried with: unlike 1, it shows a broadcast, and is rarely a size."""


def output_shape(name: str, network: object, model: Model, pair: Pair) -> jax.ShapeDtypeStruct:
    """What the model gives for a batch of `EXAMPLES`; nothing is computed.

    Args:
        network: what `model` was made of.

    Raises:
        ValueError: the model cannot take such inputs, or gives no array with a batch axis.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))

    def shapes(count: int, train: bool) -> jax.ShapeDtypeStruct:
        x = jax.tree.map(lambda leaf: struct(leaf, count), pair[0])
        one = jax.tree.map(_one, pair[0])
        try:
            if train:
                check_modes(network, x)
            # A function of its own, whose trace JAX does not keep: with the trace it would keep
            # what became of NumPy arrays in it, in float32 also for a run in float64.
            variables = jax.eval_shape(lambda key, x: model.init(key, x), key, one)
            if not jax.tree.leaves(separated(variables)[0]):
                raise ModelError("the model has no parameters to train")
            given, after = jax.eval_shape(
                lambda variables, x, key: model.apply(variables, x, train, key), variables, x, key
            )
        except ModelError as error:
            raise ValueError(f"{name}: {error}") from error
        except (TypeError, ValueError, AttributeError, flax.errors.FlaxError) as error:
            inputs = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(x))
            raise ValueError(
                f"{name}: the model fails on inputs {inputs} (it must take any number of examples, "
                f"here {count}, along the first axis): {error}"
            ) from error
        if train:
            same_state(name, separated(variables)[1], separated(after)[1])
        if not hasattr(given, "shape"):
            raise ValueError(
                f"{name}: the model gave {_described(given)}, expected one array with first axis "
                f"{count} for {count} examples; wrap a model of several outputs in one that joins "
                "them, or gives the one to train on"
            )
        if given.ndim == 0 or given.shape[0] != count:
            raise ValueError(
                f"{name}: for {count} examples the model gave {given}, expected one array with "
                f"first axis {count}"
            )
        return given

    outputs, more = shapes(EXAMPLES, True), shapes(EXAMPLES + 1, False)
    if outputs.shape[1:] != more.shape[1:]:
        raise ValueError(
            f"{name}: the shape of an example's outputs follows from how many examples there are: "
            f"{outputs.shape} for {EXAMPLES} in training, {more.shape} for {EXAMPLES + 1} in "
            f"evaluation. {ALL_TOGETHER}"
        )
    if not jnp.issubdtype(outputs.dtype, jnp.inexact):
        raise ValueError(
            f"{name}: the model's outputs have dtype {outputs.dtype}, which no gradient goes "
            "through; give floating outputs (no argmax or comparison at the end)"
        )
    if jnp.issubdtype(outputs.dtype, jnp.floating):
        return jax.ShapeDtypeStruct(outputs.shape, np.float32)  # see `functions.as_run`
    return jax.ShapeDtypeStruct(outputs.shape, outputs.dtype)


def _described(given: PyTree) -> str:
    kind = type(given).__name__
    shapes = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(given))
    return f"a {kind} ({shapes})"


def _one(leaf: np.ndarray) -> jax.ShapeDtypeStruct:
    """Shape and dtype of one example."""
    return struct(leaf, 1)


def struct(leaf: np.ndarray, count: int = EXAMPLES) -> jax.ShapeDtypeStruct:
    """Shape and dtype of `count` examples, as the engine in float32 has them."""
    dtype = leaf.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        dtype = np.dtype(np.float32)
    elif dtype in (np.int64, np.uint64):
        dtype = np.dtype(np.int32)
    return jax.ShapeDtypeStruct((count, *leaf.shape[1:]), dtype)


def same_state(name: str, state: PyTree, after: PyTree) -> None:
    """Whether a model's collections keep their shapes over one training step.

    Raises:
        ValueError: they do not; names what changes.
    """
    before, now = _shapes(state), _shapes(jax.eval_shape(as_before, after, state))
    if before != now:
        changes = [
            f"{place} {before.get(place, 'was not there')} -> {now.get(place, 'is not there')}"
            for place in sorted({*before, *now})
            if before.get(place) != now.get(place)
        ]
        raise ValueError(
            f"{name}: one training step changes the shapes of the model's collections, which must "
            f"be the same before and after: {'; '.join(changes)}. A value of another shape or "
            "dtype cannot be state: sow it, or make it in one shape and dtype from the start"
        )


def _shapes(tree: PyTree) -> dict[str, str]:
    """Path -> dtype and shape of every array."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in leaves
    }
