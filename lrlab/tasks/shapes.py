"""A model's inputs, outputs and state by their shapes alone: nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np

from lrlab.core.hyper import any_hyper, with_hyper
from lrlab.models.adapters import check_modes
from lrlab.models.modes import ModelError
from lrlab.tasks.functions import as_before, separated
from lrlab.types import Array, Model, PyTree

ALL_TOGETHER = (
    "A loss of all examples together (contrastive, ranking) is no mean over examples, and would "
    "depend on how they are grouped: say batch_loss=True, with a loss(outputs, targets) that is "
    "one number for the whole batch (or train it by lrlab.Task.objective)."
)

EXAMPLES = 7
"""The batch that shapes are tried with: unlike 1, it shows a broadcast, and is rarely a size."""


class Outputs(NamedTuple):
    """What a model gives for a batch of `EXAMPLES`, in training and in evaluation: shapes and
    dtypes, floats as float32 (see `functions.as_run`). They differ only where `augment` changes
    shapes. `variables`: what its `init` gives."""

    train: PyTree
    valid: PyTree
    variables: PyTree

    @property
    def single(self) -> bool:
        """Whether it is one array."""
        return hasattr(self.valid, "shape")


def output_shapes(
    name: str,
    network: object,
    model: Model,
    inputs: PyTree,
    training: PyTree | None = None,
    rngs: Sequence[str] = ("dropout",),
    batch_loss: bool = False,
) -> Outputs:
    """What the model gives; nothing is computed.

    Args:
        network: what `model` was made of, with `rngs`.
        inputs: arrays [N, ...] that the model gets.
        training: shapes and dtypes of `EXAMPLES` of them in training; None: the same.
        batch_loss: whether outputs may follow from how many examples there are.

    Raises:
        ValueError: the model cannot take such inputs, or gives no arrays with a batch axis.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    scalar = jax.ShapeDtypeStruct((), np.float32)

    def shapes(x: PyTree, count: int, train: bool) -> tuple[PyTree, PyTree]:
        one = jax.tree.map(_one, inputs)
        try:
            if train:
                check_modes(network, x, rngs)

            # A function of its own, whose trace JAX does not keep: with the trace it would keep
            # what became of NumPy arrays in it, in float32 also for a run in float64.
            def drawn(key: Array, x: PyTree, value: Array) -> PyTree:
                return with_hyper(model.init, any_hyper(value))(key, x)

            def applied(variables: PyTree, x: PyTree, key: Array, value: Array) -> PyTree:
                return with_hyper(model.apply, any_hyper(value))(variables, x, train, key)

            variables = jax.eval_shape(drawn, key, one, scalar)
            if not jax.tree.leaves(separated(variables)[0]):
                raise ModelError("the model has no parameters to train")
            outputs, after = jax.eval_shape(applied, variables, x, key, scalar)
        except ModelError as error:
            raise ValueError(f"{name}: {error}") from error
        except (TypeError, ValueError, AttributeError, KeyError, flax.errors.FlaxError) as error:
            given = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(x))
            text = f"there is no {error}" if isinstance(error, KeyError) else str(error)
            given += "" if same or not train else ", as augment makes them,"
            raise ValueError(
                f"{name}: the model fails on inputs {given} (it must take any number of examples, "
                f"here {count}, along the first axis): {text}"
            ) from error
        if train:
            same_state(name, separated(variables)[1], separated(after)[1])
        _check_outputs(name, outputs, count, batch_loss)
        return outputs, variables

    def raw(count: int) -> PyTree:
        return jax.tree.map(lambda leaf: struct(leaf, count), inputs)

    same = training is None or _shapes(training) == _shapes(raw(EXAMPLES))
    first, variables = shapes(raw(EXAMPLES) if same else training, EXAMPLES, True)
    fewer = first if same else shapes(raw(EXAMPLES), EXAMPLES, False)[0]
    more = shapes(raw(EXAMPLES + 1), EXAMPLES + 1, False)[0]
    if not batch_loss:
        _check_examples(name, fewer, more)
    if not any(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in jax.tree.leaves(first)):
        dtypes = ", ".join(str(leaf.dtype) for leaf in jax.tree.leaves(first))
        raise ValueError(
            f"{name}: the model's outputs have dtype {dtypes}, which no gradient goes "
            "through; give floating outputs (no argmax or comparison at the end)"
        )
    return Outputs(_in_run(first), _in_run(fewer), variables)


def _check_outputs(name: str, outputs: PyTree, count: int, batch_loss: bool) -> None:
    leaves = jax.tree.leaves(outputs)
    if not leaves or not all(hasattr(leaf, "shape") for leaf in leaves):
        raise ValueError(
            f"{name}: the model gave {outputs!r}, expected arrays with first axis {count} for "
            f"{count} examples"
        )
    if not batch_loss and any(leaf.ndim == 0 or leaf.shape[0] != count for leaf in leaves):
        given = outputs if hasattr(outputs, "shape") else kind_of(outputs)
        raise ValueError(
            f"{name}: for {count} examples the model gave {given}, expected one array with "
            f"first axis {count} (or a pytree of them); a loss of the whole batch may have others: "
            "batch_loss=True"
        )


def _check_examples(name: str, fewer: PyTree, more: PyTree) -> None:
    """Whether an example's outputs have the same shape among other examples."""
    before, after = _item_shapes(fewer), _item_shapes(more)
    if before != after:
        wrong = [path for path in {**before, **after} if before.get(path) != after.get(path)]
        shapes = [
            _shapes(tree).get(wrong[0], "nothing").partition("[")[2] for tree in (fewer, more)
        ]
        shown = [f"({shape[:-1]})" for shape in shapes]
        raise ValueError(
            f"{name}: the shape of an example's outputs follows from how many examples there are: "
            f"{shown[0]} for {EXAMPLES} in training, {shown[1]} for {EXAMPLES + 1} in "
            f"evaluation. {ALL_TOGETHER}"
        )


def _item_shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape[1:]
        for path, leaf in leaves
    }


def _in_run(outputs: PyTree) -> PyTree:
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, np.float32 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf.dtype
        ),
        outputs,
    )


def kind_of(tree: PyTree) -> str:
    """A pytree of arrays in words.

    >>> kind_of((np.zeros((7, 2)), np.zeros(7)))
    'a tuple (float64[7, 2], float64[7])'
    """
    kind = type(tree).__name__
    shapes = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(tree))
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
    return as_held(jax.ShapeDtypeStruct((count, *leaf.shape[1:]), dtype))


def as_held(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """The shape with the dtype that JAX has for it now: what JAX traces of NumPy's arrays may keep
    64 bits where they are off, and warns of them as arguments.

    >>> as_held(jax.ShapeDtypeStruct((2,), np.complex128)).dtype
    dtype('complex64')
    """
    dtype = jax.dtypes.canonicalize_dtype(leaf.dtype, allow_extended_dtype=True)
    return jax.ShapeDtypeStruct(leaf.shape, dtype)


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
