"""A curve over the learning rate as a few lines of SVG, in the colors of the text around it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.core.text import number

WIDTH, HEIGHT, BELOW = 420, 96, 16
"""Pixels of the drawing, and of the line of numbers below it."""

EDGE = 8
"""Pixels around the curve, so that a point at its end is whole."""

HEADROOM = 1.6
"""How far above its start a curve is drawn, as a multiple of what it falls: a loss that explodes
would make the rest a straight line."""


class Spark(NamedTuple):
    """`lr` f64[G] above 0 and `mean` f64[G]; `points` f64[N, 2] (rate, value); `pick` and
    `interval` where they are drawn."""

    lr: np.ndarray
    mean: np.ndarray
    points: np.ndarray = np.empty((0, 2))
    pick: float | None = None
    interval: tuple[float, float] | None = None
    accent: str = "currentColor"


def drawn(spark: Spark) -> str:
    """The SVG; "" for fewer than two points.

    >>> drawn(Spark(np.array([0.1]), np.array([1.0])))
    ''
    >>> drawn(Spark(np.array([0.1, 1.0]), np.array([1.0, 0.5])))[:4]
    '<svg'
    """
    known = np.isfinite(spark.mean) & (spark.lr > 0)
    lr, mean = spark.lr[known], spark.mean[known]
    if len(lr) < 2 or lr.min() == lr.max():
        return ""
    shown = np.concatenate([spark.points, np.stack([lr, mean], 1)])
    low, high = _limits(shown[np.argsort(shown[:, 0], kind="stable"), 1])
    ends = shown[:, 0].min(), shown[:, 0].max()
    left, right = np.log(ends[0]), np.log(ends[1])

    def x(rates: np.ndarray | float) -> np.ndarray:
        share = (np.log(np.asarray(rates, np.float64)) - left) / (right - left)
        return EDGE + np.clip(share, 0, 1) * (WIDTH - 2 * EDGE)

    def y(values: np.ndarray) -> np.ndarray:
        share = np.clip((np.asarray(values) - low) / (high - low), 0, 1)
        return HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)

    parts = []
    if spark.interval is not None:
        from_, to = x(np.array(spark.interval))
        parts.append(
            f'<rect x="{from_:.1f}" y="0" width="{max(to - from_, 1):.1f}" '
            f'height="{HEIGHT}" fill="{spark.accent}" opacity=".15"/>'
        )
    if spark.pick is not None:
        at = float(x(spark.pick))
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT}" stroke="{spark.accent}" '
            'stroke-width="1.5"/>'
        )
        parts.append(_text(at, number(spark.pick, 2), spark.accent, "1"))
    order = np.argsort(lr, kind="stable")
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(lr[order]), y(mean[order]), strict=True))
    parts.append(
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.6" '
        'stroke-linejoin="round" opacity=".8"/>'
    )
    parts += [
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2" fill="currentColor" opacity=".5"/>'
        for a, b in zip(x(spark.points[:, 0]), y(spark.points[:, 1]), strict=True)
    ]
    parts.append(
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}" stroke="currentColor" '
        'opacity=".3"/>'
    )
    room = 60.0  # pixels that the number of the pick needs
    for end, place in zip(ends, (0.0, float(WIDTH)), strict=True):
        if spark.pick is None or abs(float(x(spark.pick)) - place) > room:
            parts.append(_text(place, number(end, 2), "currentColor", ".6"))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + BELOW}" width="{WIDTH}" '
        f'height="{HEIGHT + BELOW}" style="max-width:100%;display:block;margin:.3em 0" '
        f'role="img" aria-label="score against learning rate">{"".join(parts)}</svg>'
    )


def _limits(mean: np.ndarray) -> tuple[float, float]:
    """The lowest and highest value that is drawn, apart."""
    low, high = float(mean.min()), float(mean.max())
    start = float(mean[0])
    if start > low:
        high = min(high, low + HEADROOM * (start - low))
    return (low, high) if high > low else (low - 1, low + 1)


def _text(at: float, words: str, color: str, opacity: str) -> str:
    anchor = "start" if at < 20 else "end" if at > WIDTH - 20 else "middle"
    return (
        f'<text x="{at:.1f}" y="{HEIGHT + BELOW - 4}" text-anchor="{anchor}" font-size="11" '
        f'fill="{color}" opacity="{opacity}">{words}</text>'
    )
