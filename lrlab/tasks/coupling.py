"""Whether a value that belongs to one example is that example's own.

`((o - y)**2).mean(-1)` with outputs [N, 1] and targets [N] has the right shape, and is a mean over
all pairs; a contrastive loss gives one value per example that follows from the whole batch. Shapes
show neither, so the function is tried on a few examples: their values must stay when the others
change. Evaluation, which goes over a split in parts, is exact for such functions alone.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

import jax
import numpy as np

from lrlab.types import Array

MOST_ROWS = 1000
"""Among so many targets different ones are looked for."""

MOST_NUMBERS = 1 << 22
"""Outputs of so many numbers are tried; two examples that are larger are not."""

RTOL, ATOL = 1e-4, 1e-6
"""What rounding may change, where a function subtracts a maximum over all examples."""


def is_coupled(
    function: Callable[[Array, Array], Array], outputs: jax.ShapeDtypeStruct, targets: np.ndarray
) -> bool:
    """Whether the values [N, ...] of some examples change with other examples.

    Args:
        function: `(outputs, targets) -> values`; it is compiled and run on a few examples.
        outputs: the shape of a batch of outputs, whose values are drawn.
        targets: real ones [M, ...]; different ones are picked.
    """
    size = math.prod(outputs.shape[1:])
    if 2 * size > MOST_NUMBERS:
        return False
    count = int(min(outputs.shape[0], max(2, MOST_NUMBERS // max(1, size))))
    pick = _different(targets, 2 * count)
    y, other_y = (_placed(targets[rows]) for rows in (pick[:count], pick[count:]))
    run = jax.jit(function)

    def values(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return np.asarray(run(outputs, targets), np.float64).reshape(count, -1)

    found = certain = False
    with _any_settings():
        for x, other_x in _draws((2, count, *outputs.shape[1:])):
            own, others = values(x, y), values(other_x, other_y)
            known = bool(np.isfinite(own).all() and np.isfinite(others).all())
            changed = any(
                _changed(
                    own[kept],
                    values(_mixed(kept, x, other_x), _mixed(kept, y, other_y))[kept],
                    known,
                )
                for kept in _halves(count)
            )
            if known and changed:
                return True
            found, certain = found or changed, certain or known
    return found and not certain


def _mixed(kept: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.where(kept.reshape(-1, *[1] * (own.ndim - 1)), own, other)


def _changed(before: np.ndarray, after: np.ndarray, known: bool) -> bool:
    """Whether values differ beyond rounding; nan says something only where all `known` are not."""
    close = np.abs(after - before) <= RTOL * (np.abs(after) + np.abs(before)) + ATOL
    both = np.isfinite(before) & np.isfinite(after)
    return bool((both & ~close).any() or (known and not both.all()))


@contextlib.contextmanager
def _any_settings() -> Iterator[None]:
    """Trying what a loss does not take (a logarithm of a negative output) is no fault of it."""
    with jax.debug_nans(False), jax.debug_infs(False), jax.transfer_guard("allow"):
        yield


def broadcasts(
    function: Callable[[Array, Array], Array], outputs: jax.ShapeDtypeStruct, targets: np.ndarray
) -> bool:
    """Whether a function of [N, 1] and [N] (or the other way round) pairs each with all.

    It gives another number where both are [N], and it gets there by a broadcast that adds an axis.
    For functions that give one number in all, where `is_coupled` says nothing.
    """
    if not one_axis_apart(outputs, targets):
        return False
    count = outputs.shape[0]
    x = next(_draws(outputs.shape))
    y = _placed(targets[_different(targets, count)])
    flat = (x.reshape(y.shape), y) if x.ndim > y.ndim else (x, y.reshape(x.shape))
    with _any_settings():
        try:
            alike = np.asarray(jax.jit(function)(*map(_placed, flat)), np.float64)
        except (TypeError, ValueError, IndexError):
            return False  # it asks for the shapes that it was given
        given = np.asarray(jax.jit(function)(_placed(x), y), np.float64)
    if np.allclose(given, alike, RTOL, ATOL, equal_nan=True):
        return False
    try:
        with jax.numpy_rank_promotion("raise"):
            jax.eval_shape(function, jax.ShapeDtypeStruct(x.shape, x.dtype), y)
    except ValueError:
        return True
    return False


def one_axis_apart(outputs: jax.ShapeDtypeStruct, targets: np.ndarray) -> bool:
    """Whether one example's outputs are [..., 1] and its targets [...], or the other way round."""
    of_outputs, of_targets = outputs.shape[1:], targets.shape[1:]
    return of_outputs == (*of_targets, 1) or of_targets == (*of_outputs, 1)


def _draws(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Outputs of several kinds: any numbers, larger ones, shares of one, and distributions."""
    random = np.random.default_rng(0)
    plain = random.standard_normal(shape, np.float32)
    yield plain
    yield 4 * plain
    yield 0.05 + 0.9 * random.random(shape, np.float32)
    raised = np.exp(plain)
    yield raised / raised.sum(-1, keepdims=True)


def _halves(count: int) -> Iterator[np.ndarray]:
    """Masks bool[N]: any two examples are apart in one of them."""
    for bit in range(max(1, (count - 1).bit_length())):
        side = np.arange(count) >> bit & 1 == 1
        yield side
        yield ~side


def _different(targets: np.ndarray, wanted: int) -> np.ndarray:
    """Row numbers int[wanted] of targets that differ, one after another where there are few."""
    rows = np.asarray(targets[:MOST_ROWS]).reshape(min(len(targets), MOST_ROWS), -1)
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    if len(first) >= wanted:
        return first[np.linspace(0, len(first) - 1, wanted).astype(int)]
    half = wanted // 2
    # Few kinds: shifted by one in the second half, so that every example changes its own.
    order = np.concatenate([np.arange(half), np.arange(wanted - half) + 1])
    return first[order % len(first)]


def _placed(array: np.ndarray) -> np.ndarray:
    """As the engine in float32 has it."""
    array = np.asarray(array)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    return array.astype(np.int32) if array.dtype in (np.int64, np.uint64) else array
