"""Matplotlib figures: the formats of their files, and how notebooks show them without pyplot."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg", "pdf", "eps", "webp", "jpg"]
"""An ending of files that figures are written to."""

FORMATS: tuple[str, ...] = get_args(Format)

FAILED = "failed.txt"
"""The file of a folder of figures that says why they could not be drawn."""

SHARPER = 2
"""Pixels of the picture per pixel on the page: screens have finer ones than pages count."""


def in_notebooks(figure: Figure, look: Mapping[Any, Any] | None = None) -> Figure:
    """The figure, which now shows itself where it is a cell's last value, once.

    It belongs to no window of pyplot, and so a notebook would print its name alone.

    Args:
        look: rcParams to draw it with; None for those of the moment.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    kept = dict(look or {})

    def png() -> tuple[bytes, dict[str, int]]:
        written = io.BytesIO()
        with mpl.rc_context(kept):
            dots = figure.dpi * SHARPER
            figure.savefig(written, format="png", dpi=dots)
        width, height = figure.get_size_inches() * figure.dpi
        return written.getvalue(), {"width": round(width), "height": round(height)}

    setattr(figure, "_repr_png_", png)  # noqa: B010 - not an attribute that Figure declares
    return figure
