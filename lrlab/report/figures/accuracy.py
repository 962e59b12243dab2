"""The classic picture: accuracy over the process and at the end, against the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrlab.report.content.data import ReportData
from lrlab.report.figures import rate_table, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def accuracy_vs_lr(data: ReportData, theme: str = "light") -> Figure | None:
    """Training accuracy at points of the process, validation accuracy at the end; rates labeled.

    None where the run recorded no accuracy.
    """
    if rate_table.accuracy_names(data) == (None, None) or style.is_ramp(data):
        return None
    rows = rate_table.table(data)
    with style.use(theme) as colors:
        import matplotlib as mpl

        fig = style.figure(6.8, 4.2)
        ax = fig.subplots()
        lr = np.array([row.lr for row in rows])
        points = list(rows[0].train) if rows else []
        shades = mpl.colormaps["viridis"](np.linspace(0.85, 0.2, max(len(points), 1)))
        for step, shade in zip(points, shades, strict=False):
            y = [row.train[step] for row in rows]
            ax.plot(
                lr,
                y,
                color=shade,
                lw=1.1,
                marker=".",
                ms=4,
                label=f"training, step {step}",
            )
        valid = [row.valid for row in rows]
        if np.isfinite(valid).any():
            ax.plot(
                lr,
                valid,
                color=colors.ink,
                lw=2,
                marker="o",
                ms=4,
                label="validation, end",
            )
        ax.set_ylim(-0.02, 1.12)
        ax.set_yticks(np.linspace(0, 1, 6))
        ax.set_xlim(lr.min() / 1.3, lr.max() * 1.3)
        style.log_axis(ax, "x")
        _regions(ax, rows, colors)
        ax.set_title(data.title or "Accuracy against learning rate")
        ax.set_xlabel("peak learning rate")
        ax.set_ylabel("accuracy")
        fig.legend(loc="outside lower center", ncols=3)
    return fig


def _regions(ax: Axes, rows: list[rate_table.Row], colors: style.Theme) -> None:
    start = 0
    tint = {
        "good": style.OUTCOME_COLORS["light"]["ok"],
        "diverged": colors.danger,
        "too large": colors.danger,
    }
    for stop in range(1, len(rows) + 1):
        if stop < len(rows) and rows[stop].label == rows[start].label:
            continue
        left = ax.get_xlim()[0] if not start else np.sqrt(rows[start - 1].lr * rows[start].lr)
        right = (
            ax.get_xlim()[1] if stop == len(rows) else np.sqrt(rows[stop - 1].lr * rows[stop].lr)
        )
        label = rows[start].label
        if label in tint:
            ax.axvspan(
                left,
                right,
                color=tint[label],
                alpha=0.1 if label == "good" else 0.06,
                lw=0,
            )
        ax.text(
            np.sqrt(left * right), 0.985, label, transform=ax.get_xaxis_transform(),
            ha="center", va="top", size=8, color=colors.soft,
        )  # fmt: skip
        start = stop
