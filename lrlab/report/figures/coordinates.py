"""The coordinate check as a figure: the change of every layer against width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lrlab.scaling.coordinates import CoordinateCheck

TITLES = {"standard": "Standard parametrization", "mup": "muP"}


def coordinates(checks: Sequence[CoordinateCheck], theme: str = "light") -> Figure:
    """One panel for each `CoordinateCheck`: a line per layer, its slope, and the verdict."""
    import matplotlib as mpl

    with style.use(theme) as colors:
        fig = style.figure(5.2 * len(checks), 3.8)
        axes = np.atleast_1d(fig.subplots(1, len(checks), sharey=True))
        for ax, check in zip(axes, checks, strict=True):
            shades = mpl.colormaps["viridis"](np.linspace(*colors.scale, max(2, len(check.layers))))
            for layer, values, color in zip(check.layers, check.change[-1], shades, strict=False):
                label = f"{layer}: slope {check.slopes[layer]:+.2f}"
                ax.plot(check.widths, values, "o-", color=color, label=label)
            word = "passes" if check.passed else "fails"
            ax.set_title(f"{TITLES[check.parametrization]}: {word}")
            ax.set_xlabel("width")
            style.log_axis(ax)
            ax.set_xticks(check.widths, [str(width) for width in check.widths])
            ax.minorticks_off()
            style.log_axis(ax, "y")
            ax.legend()
        steps = len(checks[0].change)
        axes[0].set_ylabel(f"change of outputs after {steps} steps (rms)")
    return fig
