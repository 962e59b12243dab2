"""The metric over the learning rate and a further lane axis."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.text import number, spaced
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heatmap(data: ReportData, theme: str = "light") -> Figure | None:
    """Mean score over seeds, LR x each further lane axis; None without one.

    Where there are several further axes, one panel each; the others at their best value.
    """
    if not data.extra:
        return None
    metric = d.metric_of(data)
    with style.use(theme) as colors:
        from matplotlib.colors import LogNorm, Normalize
        from matplotlib.ticker import LogLocator

        names = list(data.extra)
        fig = style.figure(6.8, 1.3 + 2.4 * len(names))
        panels = fig.subplots(len(names), 1, squeeze=False)[:, 0]
        tables = [table(data, metric, name) for name in names]
        seen = np.concatenate([t[np.isfinite(t)] for t in tables])
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
        norm = LogNorm(low, high) if low > 0 and high / low > 8 else Normalize(low, high)
        best = d.direction_of(data, metric)
        cmap = "viridis" if best == "max" else "viridis_r"
        order = np.argsort(data.lr, kind="stable")
        drawn = None
        for ax, name, cells in zip(panels, names, tables, strict=True):
            drawn = ax.pcolormesh(
                np.arange(len(order) + 1) - 0.5,
                np.arange(len(cells) + 1) - 0.5,
                np.ma.masked_invalid(cells[:, order]),
                norm=norm, cmap=cmap, edgecolors=colors.paper, lw=0.8,
            )  # fmt: skip
            ax.grid(False)
            ticks = np.arange(0, len(order), max(1, -(-len(order) // 9)))
            ax.set_xticks(ticks, [number(v) for v in data.lr[order][ticks]])
            ax.set_yticks(range(len(cells)), [number(v) for v in data.extra[name]])
            ax.tick_params(length=0)
            ax.set_ylabel(spaced(name))
            if np.isfinite(cells).any():
                row, column = _marked(data, name, cells[:, order], data.lr[order])
                ax.plot(
                    column,
                    row,
                    marker="*",
                    ms=11,
                    color=colors.accent,
                    mec=colors.paper,
                )
        star = "best" if summary.answer_place(data) is None else "the answer"
        panels[0].set_title(f"Mean {style.label(metric)} (star: {star})")
        panels[-1].set_xlabel("peak learning rate")
        assert drawn is not None
        bar = fig.colorbar(drawn, ax=list(panels), pad=0.015, aspect=30, fraction=0.04)
        bar.outline.set_visible(False)
        if isinstance(norm, LogNorm):
            bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        bar.ax.yaxis.set_major_formatter(lambda v, _: number(v))
        bar.ax.yaxis.set_minor_formatter(lambda v, _: "")
    return fig


def _marked(data: ReportData, name: str, cells: np.ndarray, lr: np.ndarray) -> tuple[int, int]:
    """The cell [K, L] of the answer, at the rate nearest to its own; the best without one."""
    place, rate = summary.answer_place(data), (data.answer or {}).get("lr")
    if place is not None and rate:
        row = place[list(data.extra).index(name)]
        there = np.flatnonzero(np.isfinite(cells[row]))
        if there.size:
            return row, int(there[np.abs(np.log(lr[there] / rate)).argmin()])
    pick = np.nanargmin if d.direction_of(data, d.metric_of(data)) == "min" else np.nanargmax
    row, column = np.unravel_index(pick(cells), cells.shape)
    return int(row), int(column)


def table(data: ReportData, metric: str, name: str) -> np.ndarray:
    """Mean score over seeds [K, L] for the lane axis `name`, other further axes at their best."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice|All-NaN")
        mean = np.nanmean(summary.scores(data, metric), axis=-1)
        axis = 1 + list(data.extra).index(name)
        others = tuple(i for i in range(1, mean.ndim) if i != axis)
        best = np.nanmin if d.direction_of(data, metric) == "min" else np.nanmax
        return (best(mean, axis=others) if others else mean).T
