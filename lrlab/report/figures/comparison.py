"""Several runs in one picture: the metric reached against the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.content.selection import drawable
from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison(
    several: Sequence[ReportData], theme: str = "light", title: str = ""
) -> Figure | None:
    """A line of means per run, from its lowest to its highest seed, its answer as a star.

    Runs are compared by the first one's metric; those without it are left out. Where a run has
    further lane axes its best combination counts. None where fewer than two runs have the metric.
    """
    several = comparable(several)
    if len(several) < 2:
        return None
    metric = d.metric_of(several[0])
    with style.use(theme) as colors:
        fig = style.figure(6.8, 4.2)
        ax = fig.subplots()
        palette = style.CATEGORIES[theme]
        tops, lows = [], []
        for number, data in enumerate(several):
            color = palette[number % len(palette)]
            rows = summary.best_rows(data, metric)
            if not rows:
                continue
            x, y, low, high = np.array([(r.lr, r.mean, r.low, r.high) for r in rows]).T
            ax.fill_between(x, low, high, color=color, alpha=0.14, lw=0)
            ax.plot(x, y, color=color, marker="o", ms=3.5, lw=1.6, label=data.title)
            pick = (data.answer or {}).get("lr")
            if pick:
                at = np.interp(np.log(pick), np.log(x), y)
                ax.plot(pick, at, "*", ms=13, color=color, mec=colors.paper, mew=1, zorder=5)
            lows.append(low.min())
            tops.append(high.max())
        if not lows:
            return None
        low, high = min(lows), max(tops)
        if low > 0 and high / low > 8:
            ax.set_ylim(low / 1.15, high * 1.15)
            style.log_axis(ax, "y")
        style.log_axis(ax, "x")
        ax.set_title(title or f"{style.label(metric).capitalize()} against learning rate")
        ax.set_xlabel("peak learning rate")
        ax.set_ylabel(f"mean {style.label(metric)}")
        ax.plot([], [], "*", ms=10, color=colors.soft, label="recommended")
        fig.legend(loc="outside lower center", ncols=4)
    return fig


def comparable(several: Sequence[ReportData]) -> list[ReportData]:
    """The runs that share the first one's metric; range tests are no runs to compare."""
    runs = [drawable(data) for data in several if data.test is None]
    if not runs:
        return []
    metric = d.metric_of(runs[0])
    return [data for data in runs if d.metric_of(data) == metric]
