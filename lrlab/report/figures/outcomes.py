"""What became of every lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.records import OUTCOMES
from lrlab.core.text import number
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def outcomes(data: ReportData, theme: str = "light") -> Figure | None:
    """A map of seeds (and further lane axes) against learning rates, one cell per lane; None for a
    ramp.
    """
    if style.is_ramp(data):
        return None
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    palette = style.OUTCOME_COLORS[theme if theme in style.OUTCOME_COLORS else "light"]
    order = np.argsort(data.lr, kind="stable")
    cells = data.record.outcome[order].reshape(len(order), -1).T
    with style.use(theme) as colors:
        fig = style.figure(6.8, float(np.clip(1.5 + 0.22 * len(cells), 2.0, 7.0)))
        ax = fig.subplots()
        shades = ListedColormap([palette[name] for name in OUTCOMES])
        edge = np.arange(cells.shape[1] + 1) - 0.5, np.arange(cells.shape[0] + 1) - 0.5
        ax.pcolormesh(
            *edge,
            cells,
            cmap=shades,
            vmin=-0.5,
            vmax=3.5,
            edgecolors=colors.paper,
            lw=1.2,
        )
        ax.invert_yaxis()
        ax.grid(False)
        for side in ax.spines.values():
            side.set_visible(False)
        every = max(1, -(-len(order) // 9))
        ticks = np.arange(0, len(order), every)
        ax.set_xticks(ticks, [number(v) for v in data.lr[order][ticks]])
        rows = row_names(data)
        every = max(1, -(-len(rows) // 16))
        ax.set_yticks(range(0, len(rows), every), rows[::every])
        ax.tick_params(length=0)
        ax.set_xlabel("peak learning rate")
        ax.set_ylabel("seed" if not data.extra else "")
        ax.set_title("Outcomes")
        handles = [
            Patch(
                facecolor=palette[n],
                edgecolor=colors.soft,
                lw=0.4,
                label=f"{n.replace('_', ' ')}: {k}",
            )
            for code, n in enumerate(OUTCOMES)
            if (k := int((data.record.outcome == code).sum()))
        ]
        fig.legend(handles=handles, loc="outside lower center", ncols=4)
    return fig


def row_names(data: ReportData) -> list[str]:
    """A label per row of [..., S] flattened: the seed, after the further lane axes' values."""
    names = []
    for index in np.ndindex(*data.record.outcome.shape[1:]):
        extra = [
            f"{n} {number(v[i])}" for (n, v), i in zip(data.extra.items(), index, strict=False)
        ]
        seed = str(data.seeds[index[-1]])
        names.append(", ".join([*extra, f"seed {seed}"]) if extra else seed)
    return names
