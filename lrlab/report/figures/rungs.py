"""How far every lane was trained, and what stopped it."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrlab.report.content import data as d
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style

_MARKS = {"ok": "o", "diverged": "x", "pruned": "_"}


def rungs(data: ReportData, theme: str = "light") -> Any:
    """Updates made against learning rate; None where every lane simply ran to its end."""
    if not np.isin(data.outcome, ("pruned", "diverged")).any() or style.is_ramp(data):
        return None
    made = d.steps_trained(data)
    shape = (-1,) + (1,) * (data.outcome.ndim - 1)
    lr = np.broadcast_to(data.lr.reshape(shape), data.outcome.shape)
    palette = style.OUTCOME_COLORS[theme if theme in style.OUTCOME_COLORS else "light"]
    with style.use(theme) as colors:
        fig = style.figure(6.8, 3.4)
        ax = fig.subplots()
        ran = data.outcome != "not_run"
        ax.vlines(lr[ran], 0, made[ran], color=colors.grid, lw=1.6, zorder=1)
        for outcome, mark in _MARKS.items():
            here = data.outcome == outcome
            if here.any():
                color = palette[outcome] if outcome != "pruned" else colors.soft
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
