"""What a loss or a metric gives: values, perhaps with weights; checked, averaged, summed."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from lrlab.tasks.losses import PerExample
from lrlab.types import Array, PyTree


class Measured(NamedTuple):
    """`values` [N] or [N, T] (a metric's may be a scalar), `weights` of the same shape or None."""

    values: Array
    weights: Array | None = None


class Sums(NamedTuple):
    """Sum of values (times weights) over some examples, and the sum of the weights; scalars. None:
    without weights, of which each example has 1."""

    total: Array
    weight: Array | None = None


def loss_values(name: str, function: PerExample, outputs: PyTree, targets: PyTree) -> Measured:
    """One loss per example: `function`'s values, after a check that they are that; [N] or [N, T],
    in the dtype of the outputs.

    Args:
        outputs, targets: an array [N, ...] or a pytree of them; `targets` is the batch where that
            is a dict.

    Raises:
        ValueError: another shape, as from a broadcast of [N, 1] with [N], or not floating.
    """
    values, weights = _read(f"loss {name!r}", function(outputs, targets))
    allowed = _shapes(values, targets, weights)
    if values.shape not in allowed:
        raise ValueError(
            f"loss {name!r} gave shape {values.shape}, expected {' or '.join(map(str, allowed))}: "
            f"one value per example ({described(outputs, targets)}); where it is one number for "
            "the whole batch, say batch_loss=True"
        )
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise ValueError(f"loss {name!r} gave dtype {values.dtype}, expected floating numbers")
    return _of_dtype(values, weights, outputs)


def metric_values(name: str, function: PerExample, outputs: PyTree, targets: PyTree) -> Measured:
    """A metric's values: [N], [N, T] or a scalar; in the dtype of the outputs.

    Raises:
        ValueError: another shape.
    """
    values, weights = _read(f"metric {name!r}", function(outputs, targets))
    allowed = [*([()] if weights is None else []), *_shapes(values, targets, weights)]
    if values.shape not in allowed:
        raise ValueError(
            f"metric {name!r} gave shape {values.shape}, expected one of "
            f"{', '.join(map(str, allowed))}: one value per example, or one in all"
        )
    return _of_dtype(values, weights, outputs)


def batch_value(name: str, function: PerExample, outputs: PyTree, targets: PyTree) -> Array:
    """The loss of a whole batch: a floating scalar, in the dtype of the outputs.

    Raises:
        ValueError: it is none.
    """
    value: Array = function(outputs, targets)
    shape = getattr(value, "shape", None)
    if shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        kind = type(value).__name__ if shape is None else f"{value.dtype}{list(shape)}"
        raise ValueError(
            f"loss {name!r} gave {kind}, expected one floating number for the whole batch "
            "(batch_loss=True)"
        )
    return in_dtype(value, _dtype(value, outputs))


def _read(what: str, given: object) -> Measured:
    """The values, and the weights if there are any."""
    if not isinstance(given, tuple):
        return Measured(jnp.asarray(given))
    if len(given) != 2:
        raise ValueError(
            f"{what} gave a tuple of {len(given)}, expected values, or (values, weights)"
        )
    values, weights = map(jnp.asarray, given)
    if values.shape != weights.shape:
        raise ValueError(
            f"{what} gave values {values.shape} with weights {weights.shape}; both must have one "
            "shape: a weight for each value"
        )
    return Measured(values, weights)


def _shapes(values: Array, targets: PyTree, weights: Array | None) -> list[tuple[int, ...]]:
    """The shapes that values may have: [N], [N, T] where there can be tokens, and with weights
    any [N, ...]."""
    count = count_of(targets)
    if weights is not None:
        return [(count, *values.shape[1:])]
    if hasattr(targets, "shape"):
        return [(count,), *([tuple(targets.shape[:2])] if targets.ndim > 1 else [])]
    return [(count,), *([(count, values.shape[1])] if values.ndim == 2 else [])]


def count_of(tree: PyTree) -> int:
    """The number of examples in a pytree of arrays [N, ...]."""
    return jax.tree.leaves(tree)[0].shape[0]


def described(outputs: PyTree, targets: PyTree) -> str:
    """The shapes of both, for messages.

    >>> import numpy as np
    >>> described(np.zeros((7, 1)), {"mask": np.zeros(7)})
    "outputs (7, 1), batch {'mask': (7,)}"
    """
    name = "batch" if isinstance(targets, dict) else "targets"
    return f"outputs {_tree_of_shapes(outputs)}, {name} {_tree_of_shapes(targets)}"


def _tree_of_shapes(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: tuple(leaf.shape), tree)


def _of_dtype(values: Array, weights: Array | None, outputs: PyTree) -> Measured:
    dtype = _dtype(values, outputs)
    return Measured(in_dtype(values, dtype), None if weights is None else in_dtype(weights, dtype))


def _dtype(values: Array, outputs: PyTree) -> DTypeLike:
    """That of the floating outputs."""
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(outputs)]
    dtypes = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)]
    if dtypes:
        return jnp.result_type(*dtypes)
    return values.dtype if jnp.issubdtype(values.dtype, jnp.floating) else jnp.float32


def in_dtype(values: Array, dtype: DTypeLike) -> Array:
    """`values` in `dtype`; the very same where they have it."""
    return values if values.dtype == dtype else values.astype(dtype)


def mean(measured: Measured) -> Array:
    """The mean of the values; with weights sum(values weights) / sum(weights), 0 where that sum is
    0. What has weight 0 does not count, be it nan.

    >>> bool(mean(Measured(jnp.array([2.0, jnp.nan]), jnp.array([3.0, 0.0]))) == 2)
    True
    """
    if measured.weights is None:
        return measured.values.mean()
    return ratio(sums(measured))


def by_example(measured: Measured) -> Measured:
    """Values without weights as one for each example [N]; others as they are."""
    values, weights = measured
    if weights is not None:
        return measured
    return Measured(values.reshape(len(values), -1).mean(-1))


def sums(measured: Measured, real: Array | None = None) -> Sums:
    """Of values [N] (or, with weights, [N, T]) of the examples that are `real` (bool[N]; None:
    all)."""
    values, weights = measured
    if weights is None:
        return Sums((values if real is None else jnp.where(real, values, 0)).sum())
    if real is not None:
        weights = jnp.where(real.reshape(-1, *[1] * (weights.ndim - 1)), weights, 0)
    return Sums((jnp.where(weights != 0, values, 0) * weights).sum(), weights.sum())


def ratio(sums: Sums, count: int = 1) -> Array:
    """total / weight; 0 where the weight is 0, with gradient 0.

    Args:
        count: the examples in the sum; what is divided by where there are no weights.
    """
    if sums.weight is None:
        return sums.total / count
    some = sums.weight != 0
    return jnp.where(some, sums.total / jnp.where(some, sums.weight, 1), 0)


def without_gradient(outputs: PyTree, weights: Array, tokens: bool) -> PyTree:
    """`outputs`, through which no gradient goes where the weights are 0.

    A weight of 0 stops a gradient as 0 x it, which is nan where it is infinite (a square root at 0,
    a logarithm). Here it is stopped by choice, so that it cannot be nan.

    Args:
        weights: [N] or [N, T].
        tokens: whether a value [N, T] follows from the outputs [N, T, ...] of its own token alone;
            else an example's gradient is stopped where all of its weights are 0.
    """
    counted = weights != 0

    def stopped(leaf: Array) -> Array:
        if leaf.shape[:1] != counted.shape[:1]:
            return leaf
        each = tokens and counted.ndim == 2 and leaf.shape[:2] == counted.shape
        mask = counted if each else counted.reshape(len(counted), -1).any(-1)
        mask = mask.reshape(*mask.shape, *[1] * (leaf.ndim - mask.ndim))
        return jnp.where(mask, leaf, jax.lax.stop_gradient(leaf))

    return jax.tree.map(stopped, outputs)
