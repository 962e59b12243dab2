"""Losses and metrics: `(outputs, targets) -> one value per example`, with their shapes checked."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax.numpy as jnp
import optax
from jax import lax

from lrlab.core.tracing import is_beside_others
from lrlab.models.dense import FEW
from lrlab.models.platform import on_cpu
from lrlab.types import Array

Weighted = tuple[Array, Array]
"""(values, weights), of one shape: the mean is sum(values weights) / sum(weights)."""

PerExample = Callable[..., "Array | Weighted"]
"""`(outputs, targets) -> values [N] or [N, T]`, or `(values, weights)`."""


def softmax_cross_entropy(
    outputs: Array, targets: Array, ignore_label: int | None = None
) -> Array | Weighted:
    """-log softmax(outputs)[target]; outputs [N, C] or [N, T, C], integer targets [N] or [N, T].

    `ignore_label`: targets that are this one have weight 0; None: there is no such label.
    """
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise ValueError(
            f"softmax_cross_entropy needs integer labels, got targets of dtype {targets.dtype}"
        )
    if outputs.shape[:-1] != targets.shape or outputs.ndim < 2:
        raise ValueError(
            f"softmax_cross_entropy: the outputs have shape {outputs.shape}, expected "
            f"{(*targets.shape, 'classes')} for targets of shape {targets.shape}"
        )
    if ignore_label is not None:
        kept = targets != ignore_label
        values = _cross_entropy(outputs, jnp.where(kept, targets, 0))
        return values, kept.astype(values.dtype)
    return _cross_entropy(outputs, targets)


def _cross_entropy(outputs: Array, targets: Array) -> Array:
    if outputs.ndim == 2 and len(outputs) >= FEW and is_beside_others() and on_cpu():
        return _over_examples(jnp.asarray(outputs), jnp.asarray(targets))
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets)


def _over_examples(outputs: Array, targets: Array) -> Array:
    """The same for lanes beside each other, with the examples last, as `lrlab.models.dense` has
    the outputs: classes are few and make poor vectors, and gathers are slow on CPU."""
    classes = jnp.arange(outputs.shape[1], dtype=targets.dtype)[:, None]
    z = outputs.T - lax.stop_gradient(outputs.T.max(0))
    target = jnp.where(classes == targets, z, 0).sum(0)
    valid = (targets >= 0) & (targets < outputs.shape[1])
    return jnp.where(valid, jnp.log(jnp.exp(z).sum(0)) - target, jnp.nan)


def sigmoid_binary_cross_entropy(
    outputs: Array, targets: Array, ignore_label: float | None = None
) -> Array | Weighted:
    """-t log s(o) - (1 - t) log s(-o), s the logistic function; several outputs are averaged.

    `ignore_label`: targets that are this one have weight 0; None: there is no such label.
    """
    outputs, targets = same_shape("sigmoid_binary_cross_entropy", outputs, targets)

    def values(targets: Array) -> Array:
        return optax.sigmoid_binary_cross_entropy(outputs, targets.astype(outputs.dtype))

    return _reduced(values, targets, ignore_label)


def mse(outputs: Array, targets: Array, ignore_label: float | None = None) -> Array | Weighted:
    """(o - t)^2; several targets are averaged. [N, 1] and [N] are reconciled, never broadcast.

    `ignore_label`: targets that are this one have weight 0; None: there is no such label.
    """
    outputs, targets = same_shape("mse", outputs, targets)
    return _reduced(
        lambda targets: jnp.square(outputs - targets.astype(outputs.dtype)), targets, ignore_label
    )


def mae(outputs: Array, targets: Array, ignore_label: float | None = None) -> Array | Weighted:
    """|o - t|; several targets are averaged.

    `ignore_label`: targets that are this one have weight 0; None: there is no such label.
    """
    outputs, targets = same_shape("mae", outputs, targets)
    return _reduced(
        lambda targets: jnp.abs(outputs - targets.astype(outputs.dtype)), targets, ignore_label
    )


def accuracy(outputs: Array, targets: Array, ignore_label: int | None = None) -> Array | Weighted:
    """Whether the largest output is the target's class (an index, or the largest of one-hot).

    `ignore_label`: targets that are this one have weight 0; None: there is no such label.
    """
    kept = None if ignore_label is None else targets != ignore_label
    if outputs.shape == targets.shape:
        targets = targets.argmax(-1)
        kept = None if kept is None else kept.any(-1)
    if outputs.shape[:-1] != targets.shape:
        raise ValueError(
            f"accuracy: the outputs have shape {outputs.shape}, expected "
            f"{(*targets.shape, 'classes')} for targets of shape {targets.shape}"
        )
    right = outputs.argmax(-1) == targets
    return right if kept is None else (right, kept.astype(outputs.dtype))


def binary_accuracy(
    outputs: Array, targets: Array, ignore_label: float | None = None
) -> Array | Weighted:
    """Whether the output's sign is that of its target, 0 or 1; several outputs are averaged.

    `ignore_label`: targets that are this one have weight 0; None: there is no such label.
    """
    outputs, targets = same_shape("accuracy", outputs, targets)

    def right(targets: Array) -> Array:
        return ((outputs > 0) == (targets > 0.5)).astype(outputs.dtype)

    return _reduced(right, targets, ignore_label)


PER_EXAMPLE = (
    accuracy,
    binary_accuracy,
    mae,
    softmax_cross_entropy,
    sigmoid_binary_cross_entropy,
    mse,
)
"""Whose values are each of one example, and need not be tried."""


def _reduced(
    values: Callable[[Array], Array], targets: Array, ignore_label: float | None
) -> Array | Weighted:
    """The mean over all but the first axis: [N]; with a label to ignore, each value and its weight:
    [N] or [N, everything else]."""
    if ignore_label is None:
        every = values(targets)
        return every.reshape(every.shape[0], -1).mean(-1) if targets.ndim > 1 else every
    kept = targets != ignore_label
    every = values(jnp.where(kept, targets, 0))
    shape = (len(every), -1) if targets.ndim > 1 else (len(every),)
    return every.reshape(shape), kept.astype(every.dtype).reshape(shape)


def same_shape(name: str, outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Both in one shape: [N, 1] meets [N]; anything else that differs is an error."""
    if outputs.shape == (*targets.shape, 1):
        return outputs[..., 0], targets
    if targets.shape == (*outputs.shape, 1):
        return outputs, targets[..., 0]
    if outputs.shape != targets.shape:
        hint = ""
        if outputs.ndim == targets.ndim + 1 and jnp.issubdtype(targets.dtype, jnp.integer):
            hint = "; for classes use softmax_cross_entropy, or one-hot targets"
        raise ValueError(
            f"{name}: the outputs have shape {outputs.shape}, expected {targets.shape} or "
            f"{(*targets.shape, 1)}, as the targets{hint}"
        )
    return outputs, targets


@functools.lru_cache(maxsize=256)
def ignoring(function: PerExample, label: float) -> PerExample:
    """A built-in loss or metric that ignores a label; equal arguments give the same one."""
    return functools.partial(function, ignore_label=label)


def base_of(function: PerExample) -> PerExample:
    """The built-in function that `function` is, with or without a label to ignore; else itself."""
    if not isinstance(function, functools.partial) or function.func not in PER_EXAMPLE:
        return function
    plain = not function.args and function.keywords.keys() <= {"ignore_label"}
    return function.func if plain else function


def ignored_label(function: PerExample) -> float | None:
    """The label that a built-in loss or metric ignores; None: it ignores none.

    >>> ignored_label(ignoring(mse, -1)), ignored_label(mse)
    (-1, None)
    """
    if isinstance(function, functools.partial) and base_of(function) is not function:
        return function.keywords.get("ignore_label")
    return None


def is_built_in(function: PerExample) -> bool:
    """Whether it is one of this module's, whatever label it ignores."""
    return base_of(function) in PER_EXAMPLE
