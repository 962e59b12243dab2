"""Exact evaluation: every example once, in chunks that memory allows or in batches."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from lrlab.tasks.values import Measured, Sums, by_example, count_of, mean, ratio, sums
from lrlab.types import Array, PyTree

CHUNK_NUMBERS = 1 << 18
"""About how many input numbers are evaluated at once; bounds the memory of activations."""

Measure = Callable[[PyTree], tuple[dict[str, Measured], PyTree]]
"""`part of a split -> (values by name, outputs)`; outputs are None unless they are collected."""


def means(
    measure: Measure, data: PyTree, chunks: tuple[int, int]
) -> tuple[dict[str, Array], PyTree]:
    """Means over a whole split by name, and the outputs of all examples.

    Args:
        chunks: see `chunking`.
    """
    if chunks[0] == 1:
        values, outputs = measure(data)
        examples = {name: by_example(value) for name, value in values.items()}
        return {name: mean(value) for name, value in examples.items()}, outputs
    parts, outputs = _over_chunks(measure, data, chunks)
    return {name: ratio(part, count_of(data)) for name, part in parts.items()}, outputs


def totals(measure: Measure, data: PyTree, chunks: tuple[int, int]) -> dict[str, Sums]:
    """Sums over a part of a split by name."""
    if chunks[0] == 1:
        return {name: sums(by_example(value)) for name, value in measure(data)[0].items()}
    return _over_chunks(measure, data, chunks)[0]


def _over_chunks(
    measure: Measure, data: PyTree, chunks: tuple[int, int]
) -> tuple[dict[str, Sums], PyTree]:
    """Sums by name, and outputs [N, ...].

    The last chunk is filled up with copies of the last example, whose weight is 0.
    """
    (number, size), count = chunks, count_of(data)
    places = jnp.minimum(jnp.arange(number * size), count - 1).reshape(number, size)
    real = (jnp.arange(number * size) < count).reshape(number, size)

    def body(carry: None, chunk: tuple[Array, Array]) -> tuple[None, PyTree]:
        rows, counts = chunk
        values, outputs = measure(jax.tree.map(lambda leaf: leaf[rows], data))
        examples = {name: by_example(value) for name, value in values.items()}
        return None, ({name: sums(value, counts) for name, value in examples.items()}, outputs)

    _, (parts, outputs) = jax.lax.scan(body, None, (places, real))
    joined = jax.tree.map(lambda v: v.reshape(number * size, *v.shape[2:])[:count], outputs)
    return jax.tree.map(lambda v: v.sum(), parts), joined


def over_batches(
    measure: Measure, data: PyTree, size: int | None
) -> tuple[dict[str, Sums], PyTree]:
    """Sums over a split by name, batch by batch as in training, and the outputs of all examples.

    The last batch is smaller where the examples do not fill it. A value that is one number for a
    batch counts as often as the batch has examples.

    Args:
        size: examples in a batch; None: all.
    """
    count = count_of(data)
    size = count if size is None else min(size, count)
    full, rest = divmod(count, size)

    def batch(part: PyTree) -> tuple[dict[str, Sums], PyTree]:
        values, outputs = measure(part)
        return {name: _in_batch(value, count_of(part)) for name, value in values.items()}, outputs

    if full == 1:
        results = [batch(jax.tree.map(lambda leaf: leaf[:size], data))]
    else:
        batches = jax.tree.map(
            lambda leaf: leaf[: full * size].reshape(full, size, *leaf.shape[1:]), data
        )
        _, (parts, outputs) = jax.lax.scan(lambda _, part: (None, batch(part)), None, batches)
        joined = jax.tree.map(lambda v: v.reshape(full * size, *v.shape[2:]), outputs)
        results = [(jax.tree.map(lambda v: v.sum(), parts), joined)]
    if rest:
        results.append(batch(jax.tree.map(lambda leaf: leaf[full * size :], data)))
    added = jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), *(r[0] for r in results))
    outputs = jax.tree.map(lambda *parts: jnp.concatenate(parts), *(r[1] for r in results))
    return added, outputs


def _in_batch(value: Measured, count: int) -> Sums:
    if value.values.ndim == 0:
        return Sums(value.values * count)
    return sums(by_example(value))


def chunking(count: int, inputs: PyTree, tokens: bool) -> tuple[int, int]:
    """(number of chunks, examples in each) for a split: equal chunks, as few as memory allows.

    Args:
        inputs: what the model gets, [N, ...].
        tokens: whether an example is a row of tokens, whose activations are far wider than it.
    """
    numbers = sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(inputs))
    numbers *= 64 if tokens else 1
    most = min(4096, max(32, CHUNK_NUMBERS // max(1, numbers)))
    chunks = -(-count // most)
    return chunks, -(-count // chunks)
