"""What the probes measured: every lane over the steps, every layer over the learning rate."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.core.text import number
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style
from lrlab.report.figures.curves import lane_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
_OTHERS = ("train_", "valid_", "test_", "learning_rate")


class Mark(NamedTuple):
    """A line that a measurement is read against: the array whose values it has, or one height."""

    where: str | float
    words: str


MARKS: dict[str, Mark] = {
    "stability": Mark(1.0, "edge of stability"),
    "sharpness_times_lr_half": Mark(1.0, "edge of GD"),
    "preconditioned_sharpness": Mark("stability_threshold", "threshold at the lane's LR"),
    "alpha": Mark(0.0, "minimum"),
    "best_step_size": Mark(1.0, "the LR as it is"),
}

LIMITS = {"alpha": (-1.25, 2.25)}
"""Where a measurement means something: what is further out is at the edge for what it says."""


def names(data: ReportData) -> list[str]:
    """The arrays that probes measured, as recorded; finite somewhere."""
    record = data.record
    measured = [
        name
        for name in (*record.evaluated, *record.history)
        if not name.startswith(_OTHERS) and name != d.metric_of(data)
    ]
    return [name for name in measured if np.isfinite(record.metrics[name].values).any()]


def probes(data: ReportData, theme: str = "light") -> Figure | None:
    """A panel for each measurement, with every lane and, where known, its threshold (dashed); None
    without probes."""
    drawn = {mark.where for mark in MARKS.values()}
    shown = [name for name in names(data) if "." not in name and name not in drawn]
    if not shown:
        return None
    with style.use(theme) as colors:
        fig, panels = _panels(len(shown))
        for ax, name in zip(panels, shown, strict=True):
            _lanes(ax, data, name, colors)
        for ax in panels[-COLUMNS:]:
            ax.set_xlabel("step")
        fig.suptitle("What the probes measured", x=0.01, ha="left", weight="bold", size=11)
        style.color_bar(fig, list(panels), data.lr, colors)
    return fig


def probe_layers(data: ReportData, theme: str = "light") -> Figure | None:
    """A panel for each measurement that has parts (layers, sizes of the step): its last value,
    mean over seeds, against the learning rate, a line for each part. None without such."""
    parts: dict[str, list[str]] = {}
    for name in names(data):
        if "." in name:
            parts.setdefault(name.partition(".")[0], []).append(name)
    if not parts:
        return None
    order = np.argsort(data.lr, kind="stable")
    with style.use(theme) as colors:
        import matplotlib as mpl

        fig, panels = _panels(len(parts))
        for ax, (base, members) in zip(panels, parts.items(), strict=True):
            shades = mpl.colormaps["viridis"](np.linspace(*colors.scale, max(len(members), 2)))
            seen = []
            for member, shade in zip(members, shades, strict=False):
                y = _last_mean(data, member)[order]
                label = member.partition(".")[2]
                ax.plot(data.lr[order], y, color=shade, marker=".", ms=4, lw=1.1, label=label)
                seen.append(y)
            ax.set_title(style.label(base), size=9.5)
            style.log_axis(ax, "x")
            _scaled(ax, np.concatenate(seen))
            if len(members) <= 8:
                ax.legend(fontsize=7, handlelength=1.2)
        for ax in panels[-COLUMNS:]:
            ax.set_xlabel("peak learning rate")
        title = "At the end, by layer or part: mean over seeds"
        fig.suptitle(title, x=0.01, ha="left", weight="bold", size=11)
    return fig


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    fig = style.figure(0.8 + 2.9 * columns, 0.6 + 2.2 * rows)
    grid = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in grid[count:]:
        ax.set_visible(False)
    return fig, list(grid[:count])


def _lanes(ax: Axes, data: ReportData, name: str, colors: style.Theme) -> None:
    steps, values = d.curve(data, name)
    cmap, norm = style.lr_scale(data.lr, colors)
    mark = MARKS.get(name)
    lanes = lane_order(data)
    opacity = float(np.clip(9 / max(len(lanes), 1) ** 0.6, 0.35, 0.95))
    for index in lanes:
        x, y = summary.thin(steps, values[(slice(None), *index)], 300)
        shade = cmap(norm(data.lr[index[0]]))
        ax.plot(x, y, color=shade, lw=1.0, alpha=opacity, marker="." if len(x) < 3 else None)
    ax.set_title(style.label(name), size=9.5)
    ax.set_xlim(0, max(float(steps[-1]), 1.0))
    low, high = _scaled(ax, values)
    if name in LIMITS:
        low, high = LIMITS[name]
        ax.set_ylim(low, high)
    if mark is None:
        return
    if not isinstance(mark.where, str):
        inside = low <= mark.where <= high
        where = (0, mark.where) if inside else (0, high if mark.where > high else low)
        if inside:
            ax.axhline(mark.where, color=colors.danger, lw=1, ls="--", zorder=1)
        words = mark.words if inside else f"{mark.words}: {mark.where:g}, beyond the axis"
        ax.annotate(
            words, where, xytext=(2, -3 if where[1] == high else 3), textcoords="offset points",
            size=7, color=colors.danger, va="top" if where[1] == high else "bottom",
        )  # fmt: skip
    elif mark.where in data.record.metrics:
        limits = d.curve(data, mark.where)[1]
        for index in lanes:
            at = limits[(slice(None), *index)]
            ax.plot(steps, at, color=cmap(norm(data.lr[index[0]])), lw=0.8, ls="--", zorder=1)
        ax.annotate(
            f"dashed: {mark.words}", (0, 1), xycoords="axes fraction", xytext=(3, -3),
            textcoords="offset points", size=7, color=colors.soft, va="top",
        )  # fmt: skip


def _scaled(ax: Axes, values: np.ndarray) -> tuple[float, float]:
    """The y axis for `values`, logarithmic where they are positive and span much; its limits."""
    seen = values[np.isfinite(values)]
    if not seen.size:
        return 0.0, 1.0
    low, high = float(seen.min()), float(seen.max())
    if low > 0 and high / low > 12:
        ax.set_ylim(low / 1.3, high * 1.3)
        style.log_axis(ax, "y")
        return low / 1.3, high * 1.3
    if np.quantile(np.abs(seen), 0.9) * 30 < np.abs(seen).max():
        # A few lanes far out must not flatten the others.
        low, high = (float(v) for v in np.quantile(seen, [0.02, 0.9]))
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    ax.set_ylim(low - margin, high + margin)
    ax.yaxis.set_major_formatter(lambda v, _: number(v))
    return low - margin, high + margin


def _last_mean(data: ReportData, name: str) -> np.ndarray:
    """The last finite value of each lane, mean over all axes but the learning rate; f64[L]."""
    last = d.last_finite(d.curve(data, name)[1]).reshape(len(data.lr), -1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        return np.nanmean(last, axis=1)
