"""The step sizes that methods used, over the heat map of what every fixed step size gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from numpy.typing import ArrayLike

COLORS = ("#ffffff", "#ffd166", "#ef476f", "#06d6a0", "#ff9f1c", "#f4acb7", "#9bf6ff", "#caffbf",
          "#e0aaff", "#c0c0c0")  # fmt: skip
"""Light colors: every line has a dark edge, to stand out on light and dark cells alike."""

SMOOTH = 9
"""Updates whose step sizes' geometric mean is drawn: those of single ones are noisy."""

ROWS = 16
"""Labels that have room above each other beside an axis of a usual figure's height."""

FLOOR = 1e-30
"""A step size of 0 in a logarithm."""


def paths_over_sweep(
    ax: Axes,
    steps: ArrayLike,
    rates: ArrayLike,
    loss: ArrayLike,
    paths: Mapping[str, ArrayLike],
    best: float | None = None,
    scale: tuple[float, float] | None = None,
) -> QuadMesh:
    """Draws a sweep's loss over (step, step size), and paths of step sizes over it.

    Args:
        ax: a Matplotlib axis; its y axis becomes logarithmic, names stand to its right.
        steps: int[E], at which the loss was read; rates: f64[L], log-spaced, ascending.
        loss: f[E, L], nan where a run had diverged (left blank).
        paths: method -> step size of every update, f[T], in the unit of `rates`; nan ends a path.
        best: marked by a dashed line; scale: the losses at the two ends of the colors.

    Returns:
        The heat map, for a color bar.
    """
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patheffects import withStroke

    rates, loss = np.asarray(rates, float), np.asarray(loss, float)
    ratio = np.sqrt(rates[1] / rates[0])
    edges = np.append(rates / ratio, rates[-1] * ratio)
    low, high = scale or (float(np.nanmin(loss)), float(np.nanmax(loss)))
    norm = (LogNorm if low > 0 else Normalize)(low, high, clip=True)
    cells = np.ma.masked_invalid(loss.T)
    shown = ax.pcolormesh(
        np.append(0, steps), edges, cells, norm=norm, cmap="viridis_r", rasterized=True
    )
    dark = "#1c2128"
    ends: list[tuple[float, str, str]] = []
    for (method, path), color in zip(paths.items(), COLORS, strict=False):
        logs = np.log(np.maximum(np.asarray(path, float), FLOOR))
        smooth = np.exp(np.convolve(logs, np.ones(SMOOTH) / SMOOTH, "valid"))
        smooth = smooth[np.isfinite(smooth)]
        if not len(smooth):
            continue
        edge = [withStroke(linewidth=2.8, foreground=dark)]
        at = np.arange(len(smooth)) + SMOOTH // 2
        ax.plot(at, smooth, color=color, lw=1.6, path_effects=edge)
        ends.append((float(np.log(np.clip(smooth[-1], edges[0], edges[-1]))), method, color))
    ends.sort(key=lambda end: end[0])
    low, high = (float(np.log(edge)) for edge in edges[[0, -1]])
    places = apart([end[0] for end in ends], low, high)
    for place, (_, method, color) in zip(places, ends, strict=True):
        at = ax.get_yaxis_transform()
        mark = {"color": color, "path_effects": [withStroke(linewidth=1.2, foreground=dark)]}
        ax.annotate("■", (1.012, np.exp(place)), xycoords=at, va="center", fontsize=8, **mark)
        ax.annotate(method, (1.05, np.exp(place)), xycoords=at, va="center", fontsize=8)
    if best is not None:
        ax.axhline(best, color=dark, lw=1.1, ls=(0, (4, 3)))
    ax.set(ylim=(edges[0], edges[-1]), xlim=(0, int(np.asarray(steps)[-1])), xlabel="step")
    style.log_axis(ax, "y")
    ax.grid(False)
    return shown


def apart(places: Sequence[float], low: float, high: float, rows: int = ROWS) -> list[float]:
    """Labels' places, ascending, moved so far that none covers another, within [low, high].

    >>> apart([0.0, 0.1, 0.9], 0.0, 1.0, rows=4)
    [0.0, 0.25, 0.9]
    """
    gap = (high - low) / rows
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    ceiling = high
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved
