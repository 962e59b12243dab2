"""What became of every lane."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style


def outcomes(data: ReportData, theme: str = "light") -> Any:
    """A map of seeds (and further lane axes) against learning rates, one cell per lane; None for a
    ramp."""
    if style.is_ramp(data):
        return None
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    names = ("ok", "diverged", "pruned", "not_run")
    palette = style.OUTCOME_COLORS[theme if theme in style.OUTCOME_COLORS else "light"]
    order = np.argsort(data.lr, kind="stable")
    code = np.searchsorted(np.sort(names), data.outcome)
    cells = code[order].reshape(len(order), -1).T
    with style.use(theme) as colors:
        fig = style.figure(6.8, float(np.clip(1.5 + 0.22 * len(cells), 2.0, 7.0)))
        ax = fig.subplots()
        shades = ListedColormap([palette[name] for name in sorted(names)])
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
        ax.set_xticks(ticks, [summary.number(v) for v in data.lr[order][ticks]])
        rows = row_names(data)
        every = max(1, -(-len(rows) // 16))
        ax.set_yticks(range(0, len(rows), every), rows[::every])
        ax.tick_params(length=0)
        ax.set_xlabel("peak learning rate")
        ax.set_ylabel("seed" if not data.extra else "")
        ax.set_title("Outcomes")
        present = [name for name in names if (data.outcome == name).any()]
        handles = [
            Patch(
                facecolor=palette[n],
                edgecolor=colors.soft,
                lw=0.4,
                label=f"{n.replace('_', ' ')}: {k}",
            )
            for n in present
            if (k := int((data.outcome == n).sum()))
        ]
        fig.legend(handles=handles, loc="outside lower center", ncols=4)
    return fig


def row_names(data: ReportData) -> list[str]:
    """A label per row of [..., S] flattened: the seed, after the further lane axes' values."""
    names = list(data.extra)
    made = []
    for index in np.ndindex(*data.outcome.shape[1:]):
        extra = [
            f"{n} {summary.number(data.extra[n][i])}" for n, i in zip(names, index, strict=False)
        ]
        seed = str(data.seeds[index[-1]])
        made.append(", ".join([*extra, f"seed {seed}"]) if extra else seed)
    return made
