"""How a model's own initializers go with width: measured by drawing, so any of them will do."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.types import Array, PyTree

DRAWS = 8
"""Initializations that mean squares are taken over."""


def mean_squares(init: Callable[[Array], PyTree]) -> list[float]:
    """The mean square of every tensor of `init(key)`, over all its numbers and `DRAWS` keys."""

    def squares(key: Array) -> list[Array]:
        return [jnp.mean(jnp.square(leaf)) for leaf in jax.tree.leaves(init(key))]

    drawn = jax.jit(lambda keys: jax.lax.map(squares, keys))(
        jax.random.split(jax.random.key(0), DRAWS)
    )
    return [float(np.mean(np.asarray(leaf, np.float64))) for leaf in drawn]


def growth(
    shape: tuple[int, ...],
    base: tuple[int, ...],
    square: float,
    base_square: float,
    sides: tuple[float, float] | None = None,
) -> float:
    """By which factor the standard deviation that a model draws differs from the base's.

    Every initializer of Flax has a variance proportional to 1, 1/fan_in, 1/fan_out, 1/(fan_in +
    fan_out) or 1/max(fan_in, fan_out); the law that fits the draws is taken exactly, and the drawn
    ratio itself where none fits. Zeros stay zeros: 1. `sides`: the growth of fan-in and fan-out as
    they are used, which layers with several axes on a side draw by.

    >>> growth((512, 512), (32, 32), 0.99 / 512, 1.0 / 32)
    0.25
    """
    if square == 0 or base_square == 0:
        return 1.0
    ratio = square / base_square
    (fan_in, fan_out), (in_base, out_base) = fans(shape), fans(base)
    laws = (
        1.0,
        in_base / fan_in,
        out_base / fan_out,
        (in_base + out_base) / (fan_in + fan_out),
        max(in_base, out_base) / max(fan_in, fan_out),
        *(() if sides is None else (1 / sides[0], 1 / sides[1])),
    )
    # The variance of n normal numbers is known to a relative sqrt(2 / n).
    error = math.sqrt(2 / (DRAWS * math.prod(shape)) + 2 / (DRAWS * math.prod(base)))
    nearest = min(laws, key=lambda law: abs(math.log(ratio / law)))
    exact = abs(math.log(ratio / nearest)) <= 4 * error + 1e-5
    return math.sqrt(nearest if exact else ratio)


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """(fan_in, fan_out) as Flax's initializers count them.

    >>> fans((3, 3, 16, 32)), fans((64,))
    ((144.0, 288.0), (1.0, 64.0))
    """
    if len(shape) < 2:
        return 1.0, float(shape[0] if shape else 1)
    field = math.prod(shape[:-2])
    return float(field * shape[-2]), float(field * shape[-1])
