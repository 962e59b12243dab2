"""Every figure of a report as a matplotlib Figure, and writing them all to a folder."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrlab.report.content.data import ReportData
from lrlab.report.content.reading import Folders
from lrlab.report.content.selection import drawable
from lrlab.report.figures import style

FIGURES: dict[str, str] = {
    "range_test": "lrlab.report.figures.range_test:range_test",
    "loss_vs_lr": "lrlab.report.figures.loss_vs_lr:loss_vs_lr",
    "training_curves": "lrlab.report.figures.curves:training_curves",
    "validation_curves": "lrlab.report.figures.curves:validation_curves",
    "schedule": "lrlab.report.figures.curves:schedule",
    "outcomes": "lrlab.report.figures.outcomes:outcomes",
    "rungs": "lrlab.report.figures.rungs:rungs",
    "heatmap": "lrlab.report.figures.heatmap:heatmap",
    "accuracy_vs_lr": "lrlab.report.figures.accuracy:accuracy_vs_lr",
    "probes": "lrlab.report.figures.probes:probes",
    "probe_layers": "lrlab.report.figures.probes:probe_layers",
}
"""Name -> "module:function(data, theme)", which gives a Figure; None where it has no subject."""


FORMATS = ("png", "svg", "pdf", "eps", "webp", "jpg")


def draw(name: str, data: ReportData, theme: str = "light") -> Any:
    """The named figure of a run, or None where the run has nothing for it to show.

    Raises:
        ValueError: no such figure or theme.
    """
    if name not in FIGURES:
        raise ValueError(f"report: no figure {name!r}; there are {', '.join(FIGURES)}")
    if data.test is None and len(data.lr) and not (data.lr > 0).any():
        return None  # a baseline alone: it has no place on an axis of rates
    module, function = FIGURES[name].split(":")
    return getattr(importlib.import_module(module), function)(drawable(data), theme)


def write_figures(
    data: ReportData,
    folder: str | Path,
    formats: Sequence[str] = ("png", "svg"),
    theme: str = "light",
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Draw the figures of a run into `folder` (made where missing); the paths written.

    Args:
        formats: endings that matplotlib can write, among them png, svg and pdf.
        names: keys of `FIGURES`; None means all that have something to show.

    Raises:
        ValueError: an unknown figure, theme or format.
    """
    checked(formats, theme)
    written = []
    for name in FIGURES if names is None else names:
        made = draw(name, data, theme)
        if made is not None:
            written += _save(made, Path(folder), name, formats, theme)
    return written


def write_comparison(
    several: Sequence[ReportData],
    folder: str | Path,
    formats: Sequence[str] = ("png", "svg"),
    theme: str = "light",
) -> list[Path]:
    """Draw several runs in one figure, `comparison`; the paths written, none where they share no
    metric."""
    from lrlab.report.figures.comparison import comparison

    checked(formats, theme)
    made = comparison(several, theme)
    return [] if made is None else _save(made, Path(folder), "comparison", formats, theme)


def write_all(
    found: Folders,
    folder: str | Path,
    formats: Sequence[str] = ("png", "svg"),
    theme: str = "light",
) -> list[Path]:
    """Every figure of one run; of several their comparison, and a folder of figures for each."""
    if len(found.runs) == 1:
        return write_figures(found.runs[0], folder, formats, theme)
    written = write_comparison(found.runs, folder, formats, theme)
    for number, data in enumerate(found.runs, 1):
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in data.title)[:60]
        written += write_figures(data, Path(folder) / f"{number}-{name}", formats, theme)
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


def _save(made: Any, folder: Path, name: str, formats: Sequence[str], theme: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with style.use(theme), warnings.catch_warnings():
        # A title in a script that the font lacks is drawn with boxes, not refused.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        for ending in formats:
            path = folder / f"{name}.{ending}"
            dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})
            made.savefig(path, metadata=dated or None)
            # Laid out once: what comes next has the same size and the same text.
            made.set_layout_engine("none")
            written.append(path)
    return written
