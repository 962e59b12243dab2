"""Losses and metrics: `(outputs, targets) -> one value per example`, with their shapes checked."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import optax
from jax import lax
from jax.typing import DTypeLike

from lrlab.core.tracing import is_beside_others
from lrlab.models.dense import FEW
from lrlab.models.platform import on_cpu
from lrlab.types import Array

PerExample = Callable[[Array, Array], Array]


def softmax_cross_entropy(outputs: Array, targets: Array) -> Array:
    """-log softmax(outputs)[target]; outputs [N, C] or [N, T, C], integer targets [N] or [N, T]."""
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise ValueError(
            f"softmax_cross_entropy needs integer labels, got targets of dtype {targets.dtype}"
        )
    if outputs.shape[:-1] != targets.shape or outputs.ndim < 2:
        raise ValueError(
            f"softmax_cross_entropy: the outputs have shape {outputs.shape}, expected "
            f"{(*targets.shape, 'classes')} for targets of shape {targets.shape}"
        )
    if outputs.ndim == 2 and len(outputs) >= FEW and is_beside_others() and on_cpu():
        return _over_examples(jnp.asarray(outputs), jnp.asarray(targets))
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets)


def _over_examples(outputs: Array, targets: Array) -> Array:
    """The same for lanes beside each other, with the examples last, as `lrlab.models.dense` has
    the outputs: classes are few and make poor vectors, and gathers are slow on CPU.
    """
    classes = jnp.arange(outputs.shape[1], dtype=targets.dtype)[:, None]
    z = outputs.T - lax.stop_gradient(outputs.T.max(0))
    target = jnp.where(classes == targets, z, 0).sum(0)
    known = (targets >= 0) & (targets < outputs.shape[1])
    return jnp.where(known, jnp.log(jnp.exp(z).sum(0)) - target, jnp.nan)


def sigmoid_binary_cross_entropy(outputs: Array, targets: Array) -> Array:
    """-t log s(o) - (1 - t) log s(-o), s the logistic function; several outputs are averaged."""
    outputs, targets = same_shape("sigmoid_binary_cross_entropy", outputs, targets)
    return per_example(
        optax.sigmoid_binary_cross_entropy(outputs, targets.astype(outputs.dtype)), targets
    )


def mse(outputs: Array, targets: Array) -> Array:
    """(o - t)^2; several targets are averaged. [N, 1] and [N] are reconciled, never broadcast."""
    outputs, targets = same_shape("mse", outputs, targets)
    return per_example(jnp.square(outputs - targets.astype(outputs.dtype)), targets)


def mae(outputs: Array, targets: Array) -> Array:
    """|o - t|; several targets are averaged."""
    outputs, targets = same_shape("mae", outputs, targets)
    return per_example(jnp.abs(outputs - targets.astype(outputs.dtype)), targets)


def accuracy(outputs: Array, targets: Array) -> Array:
    """Whether the largest output is the target's class (an index, or the largest of one-hot)."""
    if outputs.shape == targets.shape:
        targets = targets.argmax(-1)
    if outputs.shape[:-1] != targets.shape:
        raise ValueError(
            f"accuracy: the outputs have shape {outputs.shape}, expected "
            f"{(*targets.shape, 'classes')} for targets of shape {targets.shape}"
        )
    return outputs.argmax(-1) == targets


def binary_accuracy(outputs: Array, targets: Array) -> Array:
    """Whether the output's sign is that of its target, 0 or 1; several outputs are averaged."""
    outputs, targets = same_shape("accuracy", outputs, targets)
    right = (outputs > 0) == (targets > 0.5)
    return per_example(right.astype(outputs.dtype), targets)


BUILT_IN = (accuracy, binary_accuracy, mae)
PER_EXAMPLE = (*BUILT_IN, softmax_cross_entropy, sigmoid_binary_cross_entropy, mse)
"""Whose values are each of one example, and need not be tried."""


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


def per_example(values: Array, targets: Array) -> Array:
    """The mean over all but the first axis: [N]."""
    return values.reshape(values.shape[0], -1).mean(-1) if targets.ndim > 1 else values


def loss_values(name: str, function: PerExample, outputs: Array, targets: Array) -> Array:
    """One loss per example: `function`'s values, after a check that they are that; [N] or [N, T],
    in the dtype of the outputs.

    Raises:
        ValueError: another shape, as from a broadcast of [N, 1] with [N], or not floating.
    """
    values = jnp.asarray(function(outputs, targets))
    batch = outputs.shape[0]
    tokens = (batch, targets.shape[1]) if targets.ndim > 1 else None
    if values.shape != (batch,) and (tokens is None or values.shape != tokens):
        expected = f"{(batch,)}" + (f" or {tokens}" if tokens else "")
        raise ValueError(
            f"loss {name!r} gave shape {values.shape}, expected {expected}: one value per example "
            f"(outputs {outputs.shape}, targets {targets.shape})"
        )
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise ValueError(f"loss {name!r} gave dtype {values.dtype}, expected floating numbers")
    return in_dtype(values, outputs.dtype)


def metric_values(name: str, function: PerExample, outputs: Array, targets: Array) -> Array:
    """A metric's values: [N], [N, T] or a scalar; in the dtype of the outputs.

    Raises:
        ValueError: another shape.
    """
    values = jnp.asarray(function(outputs, targets))
    allowed = [(), (outputs.shape[0],)] + ([targets.shape[:2]] if targets.ndim > 1 else [])
    if values.shape not in allowed:
        raise ValueError(
            f"metric {name!r} gave shape {values.shape}, expected one of "
            f"{', '.join(map(str, allowed))}: one value per example, or one in all"
        )
    return in_dtype(values, outputs.dtype)


def in_dtype(values: Array, dtype: DTypeLike) -> Array:
    """`values` in `dtype`; the very same where they have it."""
    return values if values.dtype == dtype else values.astype(dtype)


def label(function: object) -> str:
    """A name for a function in messages and records."""
    return function if isinstance(function, str) else getattr(function, "__name__", repr(function))
