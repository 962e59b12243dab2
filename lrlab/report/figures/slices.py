"""The loss on a plane through parameters, with the way that a lane took over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.text import number
from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lrlab.workflows.landscape import Slice


def loss_plane(cut: Slice, theme: str = "light") -> Figure:
    """Contours of the loss on the plane of a lane's way, and the way: a dot at the start, a star at
    the end.
    """
    with style.use(theme) as colors:
        from matplotlib.colors import LogNorm, Normalize

        fig = style.figure(6.2, 4.8)
        ax = fig.subplots()
        seen = cut.loss[np.isfinite(cut.loss)]
        low, high = float(seen.min()), float(np.quantile(seen, 0.98))
        log = low > 0 and high / low > 5
        levels = np.geomspace(low, high, 22) if log else np.linspace(low, high, 22)
        levels = np.unique(levels) if high > low else np.array([low - 1e-9, low + 1e-9])
        norm = LogNorm(levels[0], levels[-1]) if log else Normalize(levels[0], levels[-1])
        field = np.ma.masked_invalid(cut.loss)
        drawn = ax.contourf(
            cut.u, cut.v, field, levels=levels, norm=norm, cmap="viridis", extend="both"
        )
        ax.contour(
            cut.u, cut.v, field, levels=levels[::3], colors=colors.paper, linewidths=0.4, alpha=0.5
        )
        ax.plot(*cut.way.T, color="white", lw=1.6, marker=".", ms=4, mec="none")
        ax.plot(*cut.way[0], marker="o", ms=8, color="white", mec="black", ls="", label="start")
        ax.plot(
            *cut.way[-1], marker="*", ms=13, color=colors.accent, mec="white", ls="", label="end"
        )
        ax.grid(False)
        lane = ", ".join(f"{name} {number(value)}" for name, value in cut.lane.items())
        ax.set_title(f"Training loss along the way of {lane}")
        ax.set_xlabel(f"first direction ({cut.explained:.0%} of the way lies in the plane)")
        ax.set_ylabel("second direction")
        ax.legend(loc="upper left", labelcolor="white")
        bar = fig.colorbar(drawn, ax=ax, pad=0.015, aspect=32, fraction=0.04)
        bar.outline.set_visible(False)
        bar.ax.yaxis.set_major_formatter(lambda v, _: number(v))
        bar.set_label("training loss", size=8.5)
    return fig
