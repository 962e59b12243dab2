"""How far every lane was trained, and what stopped it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.records import DIVERGED, NOT_RUN, OK, OUTCOMES, PRUNED
from lrlab.report.content import data as d
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKS = {OK: "o", DIVERGED: "x", PRUNED: "_"}


def rungs(data: ReportData, theme: str = "light") -> Figure | None:
    """Updates made against learning rate; None where every lane simply ran to its end."""
    codes = data.record.outcome
    if not np.isin(codes, (PRUNED, DIVERGED)).any() or style.is_ramp(data):
        return None
    made = d.steps_trained(data)
    lr = np.broadcast_to(data.lr.reshape((-1,) + (1,) * (codes.ndim - 1)), codes.shape)
    palette = style.OUTCOME_COLORS[theme if theme in style.OUTCOME_COLORS else "light"]
    with style.use(theme) as colors:
        fig = style.figure(6.8, 3.4)
        ax = fig.subplots()
        ran = codes != NOT_RUN
        ax.vlines(lr[ran], 0, made[ran], color=colors.grid, lw=1.6, zorder=1)
        for code, mark in _MARKS.items():
            here, outcome = codes == code, OUTCOMES[code]
            if here.any():
                color = palette[outcome] if code != PRUNED else colors.soft
                ax.scatter(
                    lr[here], made[here], marker=mark, s=26, color=color, lw=1.3, zorder=3,
                    label=f"{outcome}: {int(here.sum())}", clip_on=False,
                )  # fmt: skip
        ax.set_xlim(lr[ran].min() / 1.15, lr[ran].max() * 1.15)
        style.log_axis(ax, "x")
        ax.set_ylim(0, None)
        ax.set_title("How far each lane was trained")
        ax.set_xlabel("peak learning rate")
        ax.set_ylabel("updates made")
        fig.legend(loc="outside lower center", ncols=3)
    return fig
