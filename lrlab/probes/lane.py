"""What several probes ask of a lane: its loss, its next update, its layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.types import Array, LaneView, Params, PyTree

EXAMPLES = 1024
"""How many training examples a probe goes over by default (all of a smaller split);
sequences of tokens count by tokens, but are at least `SEQUENCES`."""

SEQUENCES = 32

CHUNK_NUMBERS = 1 << 18
"""About how many input numbers are differentiated at once; bounds the memory of activations."""

TOKEN_NUMBERS = 64
"""How many input numbers a token counts as: its activations are far wider than itself."""


def first_examples(lane: LaneView, examples: int | None) -> PyTree:
    """The first `examples` of the training split (None: `EXAMPLES`; all of a smaller split); None
    without data."""
    if examples is None:
        examples = max(SEQUENCES, EXAMPLES // _tokens(lane.data))
    at_least("examples", examples, 1)
    return jax.tree.map(lambda leaf: leaf[:examples], lane.data)


def count_of(batch: PyTree) -> int:
    """The number of examples of a batch."""
    return len(jax.tree.leaves(batch)[0])


def in_parts(batch: PyTree, parts: int) -> PyTree:
    """`batch` as `parts` equal ones, [parts, examples, ...]; what is left over is dropped."""
    size = count_of(batch) // parts
    return jax.tree.map(
        lambda leaf: leaf[: size * parts].reshape(parts, size, *leaf.shape[1:]), batch
    )


def loss_on(lane: LaneView, batch: PyTree, key: Array | None = None) -> Callable[[Params], Array]:
    """The training loss on `batch` as a function of the parameters; `key` is the fixed one."""
    key = lane.fixed_key if key is None else key
    return lambda params: lane.task.loss(params, lane.model, batch, key)[0]


def training_loss(lane: LaneView, examples: int | None) -> Callable[[Params], Array]:
    """The training loss on the first `examples`, the same function at every step.

    Where they are many numbers, the mean over equal parts whose activations are computed again for
    the gradient: memory is that of one part.
    """
    batch = first_examples(lane, examples)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(batch))
    if _tokens(batch) > 1:
        numbers *= TOKEN_NUMBERS
    chunks = -(-numbers // CHUNK_NUMBERS) if batch is not None else 1
    if chunks <= 1:
        return loss_on(lane, batch)
    parts = in_parts(batch, min(chunks, count_of(batch)))
    one = jax.checkpoint(lambda params, part: loss_on(lane, part)(params))
    return lambda params: jax.lax.map(lambda part: one(params, part), parts).mean()


def _tokens(batch: PyTree) -> int:
    """Labels in one example: above 1 for a sequence with an integer target at every place."""
    leaves = jax.tree.leaves(batch)
    if not leaves or leaves[-1].ndim < 2 or not jnp.issubdtype(leaves[-1].dtype, jnp.integer):
        return 1
    return math.prod(leaves[-1].shape[1:])


def next_update(lane: LaneView) -> tuple[Callable[[Params], Array], Params, PyTree]:
    """(loss, updates, optimizer state) of an update on a random batch of the run's size.

    Not the very batch that comes next: one like it, the same for all lanes of a seed.
    """
    batch, size = lane.data, lane.batch_size
    if size is not None:
        rows = jax.random.choice(lane.key, count_of(batch), (size,), replace=False)
        batch = jax.tree.map(lambda leaf: leaf[rows], batch)
    loss = loss_on(lane, batch, jax.random.fold_in(lane.key, 1))
    value, grads = jax.value_and_grad(loss)(lane.params)
    updates, optimizer = lane.update(grads, value, loss)
    return loss, updates, optimizer


def by_layer(tree: PyTree) -> dict[str, Array]:
    """One vector per layer, [numbers], by name: the tensors of a module together.

    A layer is the path of a tensor without its last part; a tensor that stands alone is one.

    >>> layers = by_layer({"hidden": {"bias": jnp.zeros(2), "kernel": jnp.ones((3, 2))},
    ...                    "scale": jnp.ones(1)})
    >>> {name: vector.shape for name, vector in layers.items()}
    {'hidden': (8,), 'scale': (1,)}
    """
    parts: dict[str, list[Array]] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        kept = path[:-1] if len(path) > 1 else path
        name = jax.tree_util.keystr(kept, simple=True, separator=".") or "all"
        parts.setdefault(name.replace("/", "."), []).append(jnp.ravel(leaf))
    return {name: jnp.concatenate(vectors) for name, vectors in parts.items()}


def dot(left: PyTree, right: PyTree) -> Array:
    """The inner product of two pytrees, a scalar."""
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), left, right)
    return sum(jax.tree.leaves(products), start=jnp.zeros(()))


def moved(params: Params, direction: PyTree, size: float | Array) -> Params:
    """`params` + `size` x `direction`, in the dtype of the parameters."""
    return jax.tree.map(lambda p, d: (p + size * d).astype(p.dtype), params, direction)


def ratio(above: Array, below: Array) -> Array:
    """above / below; nan where `below` is 0."""
    return jnp.where(below != 0, above / jnp.where(below != 0, below, 1), jnp.nan)


def at_least(name: str, value: int, least: int) -> int:
    """`value`.

    Raises:
        ValueError: it is below `least`.
    """
    if value < least:
        raise FieldError(name, f"{name} must be at least {least}, got {value}")
    return value
