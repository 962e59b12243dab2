"""A range test: the curves of all seeds, and below them where every rule would train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lrlab.report.content.data import ReportData
from lrlab.report.figures import style
from lrlab.report.figures.style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from lrlab.search.range_test import RangeCurves


def range_test(data: ReportData, theme: str = "light") -> Figure | None:
    """The range test of a run; None where the run is none."""
    return None if data.test is None else draw_range_test(data.test, data.title, theme)


def draw_range_test(test: RangeCurves, title: str = "", theme: str = "light") -> Figure:
    """Loss against the learning rate, a line per seed and their median; a row of dots per rule."""
    picks = test.suggestions()
    with style.use(theme) as colors:
        from matplotlib.collections import LineCollection

        fig = style.figure(6.8, 3.4 + row_height(len(picks)))
        ax, below = fig.subplots(
            2, 1, sharex=True, height_ratios=[3.1, row_height(len(picks))], squeeze=True
        )
        loss = np.asarray(test.loss, np.float64)
        lines = [np.column_stack([test.lr, row])[np.isfinite(row)] for row in loss]
        shade = style.OUTCOME_COLORS[theme]["ok"]
        ax.add_collection(LineCollection(lines, colors=shade, lw=0.8, alpha=0.45))
        if len(loss) > 1:
            seen = np.isfinite(loss).sum(0) * 2 > len(loss)
            median = np.array([np.median(c[np.isfinite(c)]) for c in loss[:, seen].T])
            ax.plot(test.lr[seen], median, color=colors.ink, lw=1.6, label="median over seeds")
        ax.plot([], [], color=shade, lw=0.8, label="one seed")
        low, high, log = loss_range(loss)
        ax.set_xlim(test.lr[0], test.lr[-1])
        ax.set_ylim(low, high)
        if log:
            style.log_axis(ax, "y")
        if test.mode == "exponential":
            style.log_axis(ax, "x")
        ax.legend(loc="best")
        kind = "ramp" if test.kind == "ramp" else "one short run per learning rate"
        ax.set_title(f"{title}: range test ({kind})" if title else f"Range test ({kind})")
        ax.set_ylabel(f"{style.label(test.split + '_loss')}")
        strip(below, picks, colors, shade)
        below.set_xlabel("learning rate")
    return fig


def row_height(rows: int) -> float:
    """Inches that a strip of that many rules takes."""
    return 0.35 + 0.19 * rows


def strip(ax: Axes, picks: Mapping[str, ArrayLike], colors: Theme, shade: str) -> None:
    """A row per rule: a dot per seed, a bar at the median; rules without a pick say so."""
    names = list(picks)
    for row, name in enumerate(names):
        rates = np.atleast_1d(np.asarray(picks[name], np.float64))
        seen = rates[np.isfinite(rates) & (rates > 0)]
        if not seen.size:
            ax.annotate(
                "no suggestion", (0.01, row), xycoords=("axes fraction", "data"), va="center",
                size=7.5, color=colors.soft,
            )  # fmt: skip
            continue
        ax.plot([seen.min(), seen.max()], [row] * 2, color=shade, lw=1, alpha=0.5)
        ax.plot(seen, [row] * len(seen), "o", ms=3.6, color=shade, mew=0, alpha=0.75)
        middle = float(np.exp(np.median(np.log(seen))))
        ax.plot(middle, row, "|", ms=9, mew=1.8, color=colors.ink)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0, labelsize=7.5)
    ax.grid(axis="y", visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def loss_range(loss: np.ndarray) -> tuple[float, float, bool]:
    """(low, high, logarithmic) of a loss axis: what blows up leaves room for the rest."""
    seen = loss[np.isfinite(loss)]
    if not seen.size:
        return 0.0, 1.0, False
    low, high = float(seen.min()), float(seen.max())
    first = loss[:, 0][np.isfinite(loss[:, 0])]
    start = float(np.median(first)) if first.size else float(np.median(seen))
    if start > low:
        high = min(high, start + 1.5 * (start - low))
    if low > 0 and high / low > 8:
        return low / 1.1, high * 1.1, True
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin, False
