"""A verdict's figure, drawn light or dark; the dictionary is described at `Verdict`."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.text import JsonObject, Table
from lrlab.report.figures.style import Theme, log_axis, use
from lrlab.report.figures.style import figure as empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {
    "light": ("#2a7f8e", "#c2410c", "#6d4aa8", "#9a6700", "#1a7f4b", "#b3316e"),
    "dark": ("#4fb8c6", "#fb923c", "#b197e8", "#e3b341", "#4cc38a", "#ee82b0"),
}
IMAGE = {
    "light": ("#dfe3e8", "#2a7f8e", "#b42318", "#f0a202"),
    "dark": ("#2a323a", "#3fa7b5", "#f97066", "#ffd166"),
}
"""Diverged, converged, and the two kinds of disagreement."""


def png(figure: Table, theme: str = "light") -> str:
    """The figure as a PNG in base64."""
    with use(theme) as colors:
        drawing = empty_figure(6.0, 3.7)
        axes = drawing.add_subplot()
        if "image" in figure:
            _image(drawing, axes, figure, theme)
        else:
            _lines(drawing, axes, figure, theme, colors)
        axes.set_xlabel(figure["xlabel"])
        axes.set_ylabel(figure["ylabel"])
        stream = io.BytesIO()
        drawing.savefig(stream, format="png", dpi=150)
    return base64.b64encode(stream.getvalue()).decode()


def _image(drawing: Figure, axes: Axes, figure: Table, theme: str) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    extent = figure.get("extent")
    values = np.asarray(figure["image"])
    shades = IMAGE[theme]
    axes.imshow(
        values,
        origin="lower",
        cmap=ListedColormap(shades),
        vmin=-0.5,
        vmax=len(shades) - 0.5,
        interpolation="nearest",
        extent=extent,
    )
    axes.grid(False)
    names = figure.get("names")
    if names:
        present = [i for i in range(len(names)) if (values == i).any()]
        handles = [Patch(color=shades[i], label=names[i]) for i in present]
        drawing.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _lines(drawing: Figure, axes: Axes, figure: Table, theme: str, colors: Theme) -> None:
    x = np.asarray(figure["x"], np.float64)
    palette = COLORS[theme]
    for number, (name, values) in enumerate(figure["lines"].items()):
        y = np.asarray(values, np.float64)
        style: JsonObject = {"color": palette[number % len(palette)], "label": name}
        if len(x) <= 40:  # a line of few points shows them; a dense one would be a smear
            style |= {"marker": "o", "markersize": 3.5}
        if number >= len(palette):
            style["linestyle"] = "--"
        axes.plot(x, y, linewidth=1.4, **style)
    for name, (at, values) in figure.get("points", {}).items():
        axes.plot(
            at,
            values,
            linestyle="none",
            marker="o",
            markersize=8,
            markerfacecolor="none",
            markeredgecolor=colors.ink,
            markeredgewidth=1.3,
            label=name,
        )
    for which in figure["log"]:
        log_axis(axes, which)
    level = figure.get("level")
    if level:
        axes.axhline(level["y"], color=colors.soft, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            level["label"],
            (1, level["y"]),
            (-4, 4),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=8.5,
            color=colors.soft,
            bbox={"facecolor": colors.paper, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )
    count = len(figure["lines"]) + len(figure.get("points", {}))
    if count > 5:
        drawing.legend(loc="outside lower center", ncols=2)
    elif count > 1:
        axes.legend()
