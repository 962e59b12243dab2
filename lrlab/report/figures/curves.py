"""Curves over the steps, one per lane, colored by learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.records import DIVERGED, NOT_RUN
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_curves(data: ReportData, theme: str = "light") -> Figure | None:
    """The minibatch loss of every lane; thinned with every spike kept. A cross marks divergence."""
    return curves(data, "train_loss", theme, "Training curves")


def validation_curves(data: ReportData, theme: str = "light") -> Figure | None:
    """The metric that the answer is about, of every lane at every evaluation."""
    metric = d.metric_of(data)
    if metric not in (evaluated := data.record.evaluated):
        metric = next(iter(evaluated), "")
    return curves(data, metric, theme, style.label(metric).capitalize()) if metric else None


def schedule(data: ReportData, theme: str = "light") -> Figure | None:
    """The learning rate that each lane was trained with, as the engine logged it."""
    return curves(data, "learning_rate", theme, "The schedule that was applied")


def curves(data: ReportData, metric: str, theme: str, title: str) -> Figure | None:
    """One metric of every lane over the steps; None where no lane has a finite value of it."""
    steps, values = d.curve(data, metric)
    if not np.isfinite(values).any():
        return None
    with style.use(theme) as colors:
        from matplotlib.collections import LineCollection

        fig = style.figure(6.8, 3.8)
        ax = fig.subplots()
        cmap, norm = style.lr_scale(data.lr, colors)
        lines, shades, ends = [], [], []
        for index in lane_order(data):
            x, y = summary.thin(steps, values[(slice(None), *index)], 600)
            if not len(x):
                continue
            lines.append(np.column_stack([x, y]))
            shades.append(cmap(norm(data.lr[index[0]])))
            if data.record.outcome[index] == DIVERGED:
                ends.append((x[-1], y[-1]))
        opacity = float(np.clip(9 / max(len(lines), 1) ** 0.6, 0.35, 0.95))
        ax.add_collection(LineCollection(lines, colors=shades, lw=1.0, alpha=opacity))
        low, high, log = focus(data, metric)
        ax.set_xlim(0, max(float(steps[-1]), 1.0))
        ax.set_ylim(low, high)
        if log:
            style.log_axis(ax, "y")
        if ends and metric != "learning_rate":
            x, y = np.array(ends).T
            ax.scatter(
                x, np.clip(y, low, high), marker="x", s=16, lw=1, c=colors.danger, zorder=4,
                clip_on=False, label="diverged",
            )  # fmt: skip
            ax.legend(loc="upper right")
        ax.set_title(title)
        ax.set_xlabel("step")
        ax.set_ylabel(style.label(metric))
        style.color_bar(fig, ax, data.lr, colors)
    return fig


def lane_order(data: ReportData) -> list[tuple[int, ...]]:
    """The index of every lane that ran, by rising LR, so that large ones lie on top everywhere."""
    ran = np.argwhere(data.record.outcome != NOT_RUN)
    return [
        tuple(int(i) for i in row) for row in ran[np.argsort(data.lr[ran[:, 0]], kind="stable")]
    ]


def focus(data: ReportData, metric: str) -> tuple[float, float, bool]:
    """(low, high, logarithmic) of the y axis: lanes that blow up do not flatten all others."""
    steps, values = d.curve(data, metric)
    seen = values[np.isfinite(values)]
    low, high = float(seen.min()), float(seen.max())
    if metric.endswith("loss"):
        start = summary.initial(data, metric)
        start = float(np.nanmedian(start)) if np.isfinite(start).any() else float(np.median(seen))
        # What was gained below the start, three times as much above it: at any level of the loss.
        high = min(high, start + 3 * (start - low)) if start > low else high
        positive = seen[seen > 0]
        if start > 0 and positive.size and low >= 0 and low < 1e-7 * start:
            # A loss that reached zero, or nearly: the axis ends where the bulk does.
            low = max(float(np.quantile(positive, 0.01)), 1e-12 * start)
    if metric == "learning_rate" and low <= 0 and (seen > 0).any():
        low = max(float(seen[seen > 0].min()), 1e-4 * float(data.lr.min()))
    if low > 0 and high / low > 12:
        return low / 1.15, high * 1.15, True
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin, False
