"""Pooling over windows that do not overlap, whose gradient is fast on CPU."""

from __future__ import annotations

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from lrlab.types import Array

MAX_ENTRIES = 49
"""Maxima over larger windows go to XLA: so many entries one by one take long to compile, and would
not be faster. Half precision counts no further than 256 of them, either."""


def avg_pool(x: Array, window: tuple[int, int]) -> Array:
    """The mean of each window of [N, H, W, C]; incomplete windows at the ends are dropped.

    >>> float(avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), (2, 2))[0, 0, 0, 0])
    2.5
    """
    whole = _windows(x, window)
    return nn.avg_pool(x, window, window) if whole is None else whole.mean((2, 4))


def sum_pool(x: Array, window: tuple[int, int]) -> Array:
    """The sum of each window of [N, H, W, C], which windows cover.

    >>> float(sum_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), (2, 2))[0, 0, 0, 0])
    10.0
    """
    whole = _windows(x, window)
    assert whole is not None, "the windows cover the image"
    return whole.sum((2, 4))


def max_pool(x: Array, window: tuple[int, int]) -> Array:
    """The largest entry of each window; where several are largest the first gets the gradient, as
    from XLA's own pooling. Windows of more than `MAX_ENTRIES` are XLA's own.

    >>> float(max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), (2, 2))[0, 0, 0, 0])
    5.0
    """
    whole = _windows(x, window) if math.prod(window) <= MAX_ENTRIES else None
    return nn.max_pool(x, window, window) if whole is None else _largest(whole)


@jax.custom_jvp
def _largest(x: Array) -> Array:
    """[N, H, h, W, w, C] -> [N, H, W, C]."""
    return functools.reduce(jnp.maximum, _entries(x))


@_largest.defjvp
def _largest_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # Where the maximum stands is kept as one small number a window, not as a mask over the image
    # (as a float: comparisons of floats with floats stay in vector registers).
    (x,), (dx,) = primals, tangents
    largest, *others = _entries(x)
    first = jnp.zeros_like(largest)
    for place, entry in enumerate(others, 1):
        first = jnp.where(entry > largest, jnp.asarray(place, x.dtype), first)
        largest = jnp.maximum(largest, entry)
    first = lax.optimization_barrier(first)  # or XLA searches every window again for each entry
    rows = jnp.arange(x.shape[2], dtype=x.dtype)[:, None, None, None]
    places = rows * x.shape[4] + jnp.arange(x.shape[4], dtype=x.dtype)[:, None]
    chosen = jnp.where(places == jnp.expand_dims(first, (2, 4)), dx, 0)
    return largest, chosen.sum((2, 4))


def _entries(x: Array) -> list[Array]:
    """The entries of all windows, one place after another, each [N, H, W, C]. Reducing them one by
    one is elementwise work, which XLA vectorizes on CPU; a reduction over two inner axes it does
    not."""
    return [x[:, :, i, :, j] for i in range(x.shape[2]) for j in range(x.shape[4])]


def _windows(x: Array, window: tuple[int, int]) -> Array | None:
    """[N, H, h, W, w, C] without moving anything; None where windows do not cover the image."""
    n, rows, columns, channels = x.shape
    if rows % window[0] or columns % window[1]:
        return None
    shape = (n, rows // window[0], window[0], columns // window[1], window[1], channels)
    return jnp.reshape(x, shape)
