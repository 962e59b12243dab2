"""Schedules side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.figures import in_notebooks
from lrlab.schedules.labels import Entry, label
from lrlab.schedules.schedule import values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


def plot(
    schedules: Sequence[Entry] | Mapping[str, np.ndarray],
    *,
    peak: float = 1.0,
    steps: int = 1000,
    ax: Axes | None = None,
) -> Figure | SubFigure:
    """Draws learning rate against step, with the integral (sum), the final value and the peak in
    the legend.

    Args:
        schedules: names, or dicts of `make`'s arguments with `name`, or label -> values f64[steps].
        peak: where an entry gives none.
        steps: likewise.
        ax: a Matplotlib axis to draw on; None makes a figure.

    Returns:
        The Matplotlib figure.

    >>> plot(["cosine", {"name": "wsd", "cooldown": 0.3}], steps=50).axes[0].get_xlabel()
    'step'
    """
    from matplotlib.figure import Figure

    if ax is None:
        # Not pyplot's, which holds every figure until it is closed.
        ax = in_notebooks(Figure(figsize=(7, 4), layout="constrained")).subplots()
    curves: dict[str, np.ndarray] = {}
    if isinstance(schedules, Mapping):
        curves = {name: np.asarray(rates) for name, rates in schedules.items()}
    else:
        for entry in schedules:
            own = {"name": entry} if isinstance(entry, str) else dict(entry)
            curves[label(entry)] = values(**{"peak": peak, "steps": steps} | own)
    for words, rates in curves.items():
        facts = f"sum {rates.sum():.4g}, last {rates[-1]:.3g}, peak {rates.max():.3g}"
        ax.plot(np.arange(len(rates)), rates, lw=1.8, label=f"{words}\n{facts}")
    ax.set_xlabel("step")
    ax.set_ylabel("learning rate")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax.figure
