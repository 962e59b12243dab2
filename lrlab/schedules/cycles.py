"""Shapes that rise and fall. `step`, `steps` and lengths as in `stairs`."""

from __future__ import annotations

import jax.numpy as jnp

from lrlab.schedules.lengths import length
from lrlab.types import Scalar


def cosine_cycle(
    step: Scalar, steps: Scalar, *, half: Scalar = 0.25, final: Scalar = 0.0
) -> Scalar:
    """final + (1 - final) (1 + cos(pi step / half)) / 2: a cosine up and down without jumps.

    From the peak to `final` in `half` steps and back in as many (PyTorch's CosineAnnealingLR beyond
    its T_max; Loshchilov and Hutter 2017, arXiv 1608.03983). `half` in steps or as a fraction.

    >>> [round(float(cosine_cycle(k, 16)), 6) for k in (0, 2, 4, 8)]
    [1.0, 0.5, 0.0, 1.0]
    """
    return final + (1 - final) * 0.5 * (
        1 + jnp.cos(jnp.pi * step / jnp.maximum(length(half, steps), 1))
    )


def cosine_restarts(
    step: Scalar,
    steps: Scalar,
    *,
    cycle: Scalar = 0.25,
    growth: float = 1.0,
    decay: Scalar = 1.0,
    final: Scalar = 0.0,
) -> Scalar:
    """SGDR: cosines of length `cycle`, each `growth` times as long as the one before and starting
    at `decay` times its peak (Loshchilov and Hutter 2017, arXiv 1608.03983). With c the position in
    cycle i: final + (decay^i - final) (1 + cos(pi c)) / 2. Factors have no unit.

    >>> [round(float(cosine_restarts(k, 12, cycle=4)), 6) for k in (0, 2, 4)]
    [1.0, 0.5, 1.0]
    """
    first = jnp.maximum(length(cycle, steps), 1)
    # With growth 1 the geometric sum is 0 / 0: the other branch is taken, on safe values.
    even = jnp.asarray(growth) == 1
    g = jnp.where(even, 2.0, growth)
    grown = jnp.floor(jnp.log1p(step / first * (g - 1)) / jnp.log(g) + 1e-6)
    begin = first * (g**grown - 1) / (g - 1)
    number = jnp.where(even, jnp.floor(step / first + 1e-6), grown)
    place = jnp.where(even, step / first - number, (step - begin) / (first * g**grown))
    place = jnp.clip(place, 0, 1)
    top = jnp.asarray(decay, jnp.result_type(float)) ** number
    return final + (top - final) * 0.5 * (1 + jnp.cos(jnp.pi * place))


def triangular(
    step: Scalar,
    steps: Scalar,
    *,
    low: Scalar = 0.1,
    up: Scalar = 0.125,
    down: Scalar | None = None,
) -> Scalar:
    """low + (1 - low) height: lines between `low` (over the peak) and 1, again and again.

    From `low` to 1 in `up` steps and back in `down` (default: `up`), lengths in steps or fractions;
    not zero at the end (Smith 2017, cyclical learning rates, arXiv 1506.01186).

    >>> [round(float(triangular(k, 16, up=4)), 6) for k in (0, 2, 4, 8)]
    [0.1, 0.55, 1.0, 0.1]
    """
    height, _ = _triangle(step, steps, up, down)
    return low + (1 - low) * height


def triangular2(
    step: Scalar,
    steps: Scalar,
    *,
    low: Scalar = 0.1,
    up: Scalar = 0.125,
    down: Scalar | None = None,
) -> Scalar:
    """low + (1 - low) height / 2^cycle: triangles, each half as high as the one before.

    Lengths as in `triangular` (Smith 2017, arXiv 1506.01186). Factors have no unit.

    >>> [round(float(triangular2(k, 16, up=4)), 6) for k in (4, 8, 12)]
    [1.0, 0.1, 0.55]
    """
    height, number = _triangle(step, steps, up, down)
    return low + (1 - low) * height * 0.5**number


def exp_range(
    step: Scalar,
    steps: Scalar,
    *,
    low: Scalar = 0.1,
    up: Scalar = 0.125,
    down: Scalar | None = None,
    gamma: Scalar = 0.99994,
) -> Scalar:
    """low + (1 - low) height gamma^step: triangles whose height falls exponentially.

    Lengths as in `triangular`, gamma per step (Smith 2017, arXiv 1506.01186). Factors have no unit.

    >>> [round(float(exp_range(k, 16, up=4, gamma=0.5)), 6) for k in (0, 4, 8)]
    [0.1, 0.15625, 0.1]
    """
    height, _ = _triangle(step, steps, up, down)
    return low + (1 - low) * height * jnp.asarray(gamma, jnp.result_type(float)) ** step


def _triangle(
    step: Scalar, steps: Scalar, up: Scalar, down: Scalar | None
) -> tuple[Scalar, Scalar]:
    """The height in [0, 1] and the number of the cycle."""
    rise = jnp.maximum(length(up, steps), 1)
    fall = rise if down is None else jnp.maximum(length(down, steps), 1)
    number = jnp.floor(step / (rise + fall))
    place = step - number * (rise + fall)
    return jnp.where(place <= rise, place / rise, 1 - (place - rise) / fall), number


def slanted_triangular(
    step: Scalar, steps: Scalar, *, cut: Scalar = 0.1, ratio: Scalar = 32.0
) -> Scalar:
    """Up for the first `cut`, then slowly down: (1 + q (ratio - 1)) / ratio, q the height of the
    triangle (Howard and Ruder 2018, ULMFiT, arXiv 1801.06146). Factors have no unit.

    >>> float(slanted_triangular(1, 10)), float(slanted_triangular(10, 10))
    (1.0, 0.03125)
    """
    top = jnp.maximum(length(cut, steps), 1)
    q = jnp.where(step < top, step / top, 1 - (step - top) / jnp.maximum(steps - top, 1))
    return (1 + q * (ratio - 1)) / ratio
