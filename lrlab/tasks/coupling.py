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

from lrlab.types import Array, PyTree

MOST_ROWS = 1000
"""Among so many targets different ones are looked for."""

MOST_COLUMNS = 4096
"""Targets that differ beyond so many numbers count as equal ones: which to try, nothing else."""

MOST_NUMBERS = 1 << 22
"""Outputs of so many numbers are tried; two examples that are larger are not."""

RTOL, ATOL = 1e-4, 1e-6
"""What rounding may change, where a function subtracts a maximum over all examples."""


def is_coupled(
    function: Callable[[PyTree, PyTree], Array], outputs: PyTree, targets: PyTree
) -> bool:
    """Whether the values [N, ...] of some examples change with other examples.

    Args:
        function: `(outputs, targets) -> values`; it is compiled and run on a few examples.
        outputs: the shapes of a batch of outputs [N, ...], whose values are drawn.
        targets: real ones [M, ...]; different ones are picked. Both may be pytrees.
    """
    size = _size(outputs)
    if 2 * size > MOST_NUMBERS:
        return False
    most = jax.tree.leaves(outputs)[0].shape[0]
    count = int(min(most, max(2, MOST_NUMBERS // max(1, size))))
    pick = _different(targets, 2 * count)
    y, other_y = (_placed(_rows(targets, rows)) for rows in (pick[:count], pick[count:]))
    run = jax.jit(function)

    def values(outputs: PyTree, targets: PyTree) -> np.ndarray:
        return np.asarray(run(outputs, targets), np.float64).reshape(count, -1)

    suspected = certain = False
    with _any_settings():
        for x, other_x in _pairs(outputs, count):
            own, others = values(x, y), values(other_x, other_y)
            finite = bool(np.isfinite(own).all() and np.isfinite(others).all())
            changed = any(
                _changed(
                    own[kept],
                    values(_mixed(kept, x, other_x), _mixed(kept, y, other_y))[kept],
                    finite,
                )
                for kept in _halves(count)
            )
            if finite and changed:
                return True
            suspected, certain = suspected or changed, certain or finite
    return suspected and not certain


def is_of_own_token(
    function: Callable[[PyTree, PyTree], Array], outputs: PyTree, targets: PyTree
) -> bool:
    """Whether values [N, T] follow from the outputs [N, T, ...] of their own token alone; False
    also where that is not known.

    Args:
        function, outputs, targets: as `is_coupled` takes them; values that do not count are 0.
    """
    shapes = {leaf.shape[:2] for leaf in jax.tree.leaves(outputs)}
    if len(shapes) != 1 or 2 * _size(outputs) > MOST_NUMBERS:
        return False
    count = 2
    y = _placed(_rows(targets, _different(targets, count)))
    run = jax.jit(function)
    with _any_settings():
        for x, other_x in _pairs(outputs, count):
            own = np.asarray(run(x, y), np.float64)
            if own.shape != (count, *next(iter(shapes))[1:]) or not np.isfinite(own).all():
                return False
            for kept in _halves(own.shape[1]):
                mixed = _mixed(kept[None], x, other_x)
                now = np.asarray(run(mixed, y), np.float64)
                if _changed(own[:, kept], now[:, kept], True):
                    return False
    return True


def _size(outputs: PyTree) -> int:
    """Numbers of one example."""
    return sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(outputs))


def _rows(tree: PyTree, rows: np.ndarray) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[rows], tree)


def _pairs(outputs: PyTree, count: int) -> Iterator[tuple[PyTree, PyTree]]:
    """Two batches of drawn outputs, again and again of other kinds."""
    leaves, structure = jax.tree.flatten(outputs)
    draws = (_drawn((2, count, *leaf.shape[1:]), leaf.dtype, i) for i, leaf in enumerate(leaves))
    for drawn in zip(*draws, strict=True):
        yield tuple(
            jax.tree.unflatten(structure, [leaf[half] for leaf in drawn]) for half in (0, 1)
        )


def _drawn(shape: tuple[int, ...], dtype: np.dtype, seed: int) -> Iterator[np.ndarray]:
    """As `_draws`; zeros and ones where outputs are no floats."""
    for drawn in _draws(shape, seed):
        floating = np.issubdtype(dtype, np.inexact)
        yield drawn if floating else (drawn > 0).astype(dtype)


def _mixed(kept: np.ndarray, own: PyTree, other: PyTree) -> PyTree:
    """`own` where bool[N] (or bool[1, T]) says so, else `other`."""
    return jax.tree.map(
        lambda a, b: np.where(kept.reshape(*kept.shape, *[1] * (a.ndim - kept.ndim)), a, b),
        own,
        other,
    )


def _changed(before: np.ndarray, after: np.ndarray, finite: bool) -> bool:
    """Whether values differ beyond rounding; nan says something only where all `finite` are not."""
    close = np.abs(after - before) <= RTOL * (np.abs(after) + np.abs(before)) + ATOL
    both = np.isfinite(before) & np.isfinite(after)
    return bool((both & ~close).any() or (finite and not both.all()))


@contextlib.contextmanager
def _any_settings() -> Iterator[None]:
    """Trying what a loss does not take (a logarithm of a negative output) is no fault of it."""
    with jax.debug_nans(False), jax.debug_infs(False), jax.transfer_guard("allow"):
        yield


def broadcasts(function: Callable[[Array, Array], Array], outputs: PyTree, targets: PyTree) -> bool:
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
        own = np.asarray(jax.jit(function)(_placed(x), y), np.float64)
    if np.allclose(own, alike, RTOL, ATOL, equal_nan=True):
        return False
    try:
        with jax.numpy_rank_promotion("raise"):
            jax.eval_shape(function, jax.ShapeDtypeStruct(x.shape, x.dtype), y)
    except ValueError:
        return True
    return False


def one_axis_apart(outputs: PyTree, targets: PyTree) -> bool:
    """Whether one example's outputs are [..., 1] and its targets [...], or the other way round."""
    if not hasattr(outputs, "shape") or not hasattr(targets, "shape"):
        return False
    of_outputs, of_targets = outputs.shape[1:], targets.shape[1:]
    return of_outputs == (*of_targets, 1) or of_targets == (*of_outputs, 1)


def _draws(shape: tuple[int, ...], seed: int = 0) -> Iterator[np.ndarray]:
    """Outputs of several kinds: any numbers, larger ones, shares of one, and distributions."""
    random = np.random.default_rng(seed)
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


def _different(targets: PyTree, wanted: int) -> np.ndarray:
    """Row numbers int[wanted] of targets that differ, one after another where there are few."""
    leaves = [np.asarray(leaf[:MOST_ROWS]) for leaf in jax.tree.leaves(targets)]
    parts = [leaf.reshape(len(leaf), -1)[:, :MOST_COLUMNS] for leaf in leaves]
    rows = np.concatenate(parts, 1)
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    if len(first) >= wanted:
        return first[np.linspace(0, len(first) - 1, wanted).astype(int)]
    half = wanted // 2
    # Few kinds: shifted by one in the second half, so that every example changes its own.
    order = np.concatenate([np.arange(half), np.arange(wanted - half) + 1])
    return first[order % len(first)]


def _placed(tree: PyTree) -> PyTree:
    """As the engine in float32 has it."""

    def placed(array: np.ndarray) -> np.ndarray:
        array = np.asarray(array)
        if array.dtype.kind == "f":
            return array.astype(np.float32)
        return array.astype(np.int32) if array.dtype in (np.int64, np.uint64) else array

    return jax.tree.map(placed, tree)
