"""Pooling over windows that do not overlap, whose gradient is fast on CPU."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from lrlab.types import Array


def avg_pool(x: Array, window: tuple[int, int]) -> Array:
    """The mean of each window of [N, H, W, C]; incomplete windows at the ends are dropped.

    >>> float(avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), (2, 2))[0, 0, 0, 0])
    2.5
    """
    whole = _windows(x, window)
    return nn.avg_pool(x, window, window) if whole is None else whole.mean((2, 4))


def max_pool(x: Array, window: tuple[int, int]) -> Array:
    """The largest entry of each window; where several are largest they share the gradient (XLA's
    own pooling gives it to the first).

    >>> float(max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), (2, 2))[0, 0, 0, 0])
    5.0
    """
    whole = _windows(x, window)
    return nn.max_pool(x, window, window) if whole is None else whole.max((2, 4))


def _windows(x: Array, window: tuple[int, int]) -> Array | None:
    """[N, H, h, W, w, C] without moving anything; None where windows do not cover the image."""
    n, rows, columns, channels = x.shape
    if rows % window[0] or columns % window[1]:
        return None
    shape = (n, rows // window[0], window[0], columns // window[1], window[1], channels)
    return jnp.reshape(x, shape)
