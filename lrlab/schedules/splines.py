"""Families of shapes for searches: a curve through given points. p stands for `step / steps`."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.types import Scalar


def two_point(
    step: Scalar,
    steps: Scalar,
    *,
    x1: Scalar = 0.3,
    y1: Scalar = 1.0,
    x2: Scalar = 0.8,
    y2: Scalar = 0.4,
    start: Scalar = 1.0,
    final: Scalar = 0.0,
    smooth: bool = True,
) -> Scalar:
    """curve(p) through (0, start), (x1, y1), (x2, y2), (1, final): four numbers make a shape.

    A monotone cubic spline, or lines where `smooth` is false; 0 < x1 < x2 < 1, heights over the
    peak. At `steps` it is `final` (the two-point family of Naganuma et al. 2026, arXiv 2603.10301).
    Factors have no unit.

    >>> [round(float(two_point(k, 10, smooth=False)), 6) for k in (0, 3, 8, 9, 10)]
    [1.0, 1.0, 0.4, 0.2, 0.0]
    """
    kind = jnp.result_type(float)
    xs = jnp.stack([jnp.asarray(x, kind) for x in (0.0, x1, x2, 1.0)])
    ys = jnp.stack([jnp.asarray(y, kind) for y in (start, y1, y2, final)])
    return monotone_cubic(step / steps, xs, ys) if smooth else jnp.interp(step / steps, xs, ys)


def spline(
    step: Scalar,
    steps: Scalar,
    *,
    places: Sequence[float] = (0.0, 0.5, 1.0),
    heights: Sequence[float] = (1.0, 0.5, 0.0),
) -> Scalar:
    """curve(p) through (places[i], heights[i]): a monotone cubic spline, without overshoot.

    `places` rise from 0 to 1, heights are over the peak; at `steps` it is the last height (Fritsch
    and Carlson 1980, SIAM J. Numer. Anal. 17:238). Between two places, with t in [0, 1], the cubic
    (1 + 2 t)(1 - t)^2 y_i + t^2 (3 - 2 t) y_i+1 and the tangents' part. Factors have no unit.

    >>> [round(float(spline(k, 10)), 6) for k in (0, 5, 10)]
    [1.0, 0.5, 0.0]
    """
    if len(places) != len(heights) or len(places) < 2:
        raise FieldError(
            "heights",
            f"schedule 'spline': as many heights as places are needed, at least two; got "
            f"{len(heights)} and {len(places)}",
            also="places",
        )
    kind = jnp.result_type(float)
    return monotone_cubic(
        step / steps,
        jnp.stack([jnp.asarray(x, kind) for x in places]),
        jnp.stack([jnp.asarray(y, kind) for y in heights]),
    )


def monotone_cubic(x: Scalar, xs: jax.Array, ys: jax.Array) -> jax.Array:
    """The interpolant of Fritsch and Butland (1984) at `x`, for knots xs f[n], ys f[n].

    >>> float(monotone_cubic(0.5, jnp.array([0.0, 1.0]), jnp.array([0.0, 1.0])))
    0.5
    """
    h = jnp.diff(xs)
    slopes = jnp.diff(ys) / h
    if len(xs) > 2:
        before, after = slopes[:-1], slopes[1:]
        w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
        same = before * after > 0
        safe_before, safe_after = jnp.where(same, before, 1), jnp.where(same, after, 1)
        mean = (w1 + w2) / (w1 / safe_before + w2 / safe_after)
        inner = jnp.where(same, mean, 0)
    else:
        inner = slopes[:0]
    tangents = jnp.concatenate([slopes[:1], inner, slopes[-1:]])
    i = jnp.clip(jnp.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
    t = jnp.clip((x - xs[i]) / h[i], 0, 1)
    return (
        (1 + 2 * t) * (1 - t) ** 2 * ys[i]
        + t * (1 - t) ** 2 * h[i] * tangents[i]
        + t**2 * (3 - 2 * t) * ys[i + 1]
        + t**2 * (t - 1) * h[i] * tangents[i + 1]
    )
