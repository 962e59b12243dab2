"""Which examples each update reads: a pure function of (seed, step), with no state to save."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.errors import FieldError
from lrlab.core.memo import remembered
from lrlab.rng import key
from lrlab.types import Array

BLOCK = 1 << 16
"""About how many indices one call of the compiled permutation makes."""


class Batches(NamedTuple):
    """How a training split is cut: `batch_size` of `num_examples` per update; `replay` repeats the
    first epoch's order for ever, `in_order` keeps the data's own order in every epoch."""

    num_examples: int
    batch_size: int
    replay: bool = False
    in_order: bool = False

    @property
    def per_epoch(self) -> int:
        """Updates per epoch; the last partial batch is dropped."""
        return self.num_examples // self.batch_size


Mode = tuple[bool, str]
"""JAX's settings that decide the bits of its random numbers."""

Permute = Callable[[np.uint32, np.ndarray], Array]
"""`(seed, epochs uint32[E]) -> orders int[E, num_examples]`."""


def permutations(num_examples: int) -> Permute:
    """The orders of a seed's epochs, as JAX traces them."""
    import jax

    def order(seed: Array, epoch: Array) -> Array:
        return jax.random.permutation(key(seed, "batches", epoch), num_examples)

    return jax.vmap(order, in_axes=(None, 0))


@remembered(64)
def jitted(num_examples: int, mode: Mode) -> Permute:
    """`permutations`, compiled in this process."""
    import jax

    return jax.jit(permutations(num_examples))


def segment_indices(
    batches: Batches,
    seed: int,
    start: int,
    length: int,
    compiled: Callable[[int, Mode], Permute] = jitted,
) -> np.ndarray:
    """The examples of updates `start` to `start + length - 1`; int32[length, batch_size].

    Epoch e of a seed is `jax.random.permutation(key(seed, "batches", e), num_examples)`, cut into
    batches; whatever the segments, the same update reads the same examples. With `in_order` it is
    0, 1, 2, ... for every seed.

    Args:
        seed: the lane's seed, from 0 to 2**32 - 1.
        compiled: gives `permutations` as a program; the engine has one that is kept between
            processes.

    Raises:
        ValueError: a batch larger than the data, or a number below its least value.

    >>> batches = Batches(num_examples=10, batch_size=4)
    >>> rows = segment_indices(batches, seed=0, start=0, length=4)
    >>> rows.shape, bool((segment_indices(batches, 0, 1, 2) == rows[1:3]).all())
    ((4, 4), True)
    """
    _check(batches, seed, start, length)
    per_epoch = batches.per_epoch
    if length == 0:
        return np.empty((0, batches.batch_size), np.int32)
    steps = np.arange(start, start + length)
    if batches.in_order:
        first = (steps % per_epoch)[:, None] * batches.batch_size
        return (first + np.arange(batches.batch_size)).astype(np.int32)
    epochs = np.zeros_like(steps) if batches.replay else steps // per_epoch
    needed, which = np.unique(epochs, return_inverse=True)
    orders = np.stack([_epoch(batches.num_examples, int(seed), int(e), compiled) for e in needed])
    cut = orders[:, : per_epoch * batches.batch_size]
    return cut.reshape(len(needed), per_epoch, -1)[which, steps % per_epoch]


def _epoch(
    num_examples: int, seed: int, epoch: int, compiled: Callable[[int, Mode], Permute]
) -> np.ndarray:
    import jax

    size = max(1, min(64, BLOCK // num_examples))
    settings: Any = jax.config
    mode = (settings.jax_threefry_partitionable, settings.jax_default_prng_impl)
    return _block(num_examples, size, seed, epoch // size, mode, compiled)[epoch % size]


@remembered(64)
def _block(
    num_examples: int,
    size: int,
    seed: int,
    block: int,
    mode: Mode,
    compiled: Callable[[int, Mode], Permute],
) -> np.ndarray:
    """The orders of `size` epochs; int32[size, num_examples]."""
    import jax

    # The bits must not depend on the precision of the run that asks.
    with jax.enable_x64(False):
        epochs = np.arange(block * size, (block + 1) * size, dtype=np.uint32)
        return np.asarray(compiled(num_examples, mode)(np.uint32(seed), epochs), np.int32)


def _check(batches: Batches, seed: int, start: int, length: int) -> None:
    n, b = batches.num_examples, batches.batch_size
    if b < 1:
        raise FieldError("batch_size", f"batch_size must be at least 1, got {b}")
    if b > n:
        raise FieldError(
            "batch_size",
            f"batch_size = {b} is larger than the training data ({n} examples); "
            'use a smaller one, or "full"',
        )
    if not 0 <= seed < 2**32:
        raise ValueError(f"a seed must be from 0 to 2**32 - 1, got {seed}")
    if start < 0 or length < 0:
        raise ValueError(f"start and length must be at least 0, got {start} and {length}")
