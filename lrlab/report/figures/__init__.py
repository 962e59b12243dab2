"""Every figure of a report as a matplotlib Figure, and writing them all to a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lrlab.core.figures import FORMATS
from lrlab.report.content.data import ReportData
from lrlab.report.content.reading import Folders
from lrlab.report.content.selection import drawable
from lrlab.report.figures import style
from lrlab.report.figures.accuracy import accuracy_vs_lr
from lrlab.report.figures.comparison import comparison
from lrlab.report.figures.curves import schedule, training_curves, validation_curves
from lrlab.report.figures.heatmap import heatmap
from lrlab.report.figures.loss_vs_lr import loss_vs_lr
from lrlab.report.figures.outcomes import outcomes
from lrlab.report.figures.probes import probe_layers, probes
from lrlab.report.figures.range_test import range_test
from lrlab.report.figures.rungs import rungs
from lrlab.report.figures.saving import saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[[ReportData, str], Figure | None]] = {
    "range_test": range_test,
    "loss_vs_lr": loss_vs_lr,
    "training_curves": training_curves,
    "validation_curves": validation_curves,
    "schedule": schedule,
    "outcomes": outcomes,
    "rungs": rungs,
    "heatmap": heatmap,
    "accuracy_vs_lr": accuracy_vs_lr,
    "probes": probes,
    "probe_layers": probe_layers,
}
"""Name -> what draws it, given the data and a theme; None where it has no subject."""

NAME_LENGTH = 60
"""Characters of a run's title in the name of its folder of figures."""


def draw(name: str, data: ReportData, theme: str = "light") -> Figure | None:
    """The named figure of a run, or None where the run has nothing for it to show.

    Raises:
        ValueError: no such figure or theme.
    """
    if name not in FIGURES:
        raise ValueError(f"report: no figure {name!r}; there are {', '.join(FIGURES)}")
    if data.test is None and len(data.lr) and not (data.lr > 0).any():
        return None  # a baseline alone: it has no place on an axis of rates
    return FIGURES[name](drawable(data), theme)


def write_figures(
    data: ReportData,
    folder: str | os.PathLike[str],
    formats: Sequence[str] = ("png", "svg"),
    theme: str = "light",
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Draw the figures of a run into `folder` (made where missing); the paths written.

    Args:
        formats: endings that matplotlib can write, among them png, svg and pdf; none: nothing is
            drawn.
        names: keys of `FIGURES`; None means all that have something to show.

    Raises:
        ValueError: an unknown figure, theme or format.
    """
    checked(formats, theme)
    written: list[Path] = []
    if not formats:
        return written
    for name in FIGURES if names is None else names:
        figure = draw(name, data, theme)
        if figure is not None:
            written += saved(figure, Path(folder), name, formats, theme)
    return written


def write_comparison(
    several: Sequence[ReportData],
    folder: str | os.PathLike[str],
    formats: Sequence[str] = ("png", "svg"),
    theme: str = "light",
) -> list[Path]:
    """Draw several runs in one figure, `comparison`; the paths written, none where they share no
    metric."""
    checked(formats, theme)
    figure = comparison(several, theme) if formats else None
    return [] if figure is None else saved(figure, Path(folder), "comparison", formats, theme)


def write_all(
    folders: Folders,
    folder: str | os.PathLike[str],
    formats: Sequence[str] = ("png", "svg"),
    theme: str = "light",
) -> list[Path]:
    """Every figure of one run; of several their comparison, and a folder of figures for each."""
    if len(folders.runs) == 1:
        return write_figures(folders.runs[0], folder, formats, theme)
    written = write_comparison(folders.runs, folder, formats, theme)
    for count, data in enumerate(folders.runs, 1):
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in data.title)[:NAME_LENGTH]
        written += write_figures(data, Path(folder) / f"{count}-{name}", formats, theme)
    return written


def checked(formats: Sequence[str], theme: str) -> None:
    """Refuses what `write_figures` cannot write.

    Raises:
        ValueError: a format that is not in `FORMATS`, or an unknown theme.
    """
    for ending in formats:
        if ending not in FORMATS:
            raise ValueError(
                f"report: format {ending!r} is unknown; choose from {', '.join(FORMATS)}"
            )
    style.theme(theme)
