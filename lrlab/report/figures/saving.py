"""A figure in files, each of them whole or absent."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lrlab.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Format -> metadata that leaves the date out, so that the same figure is the same file."""


def saved(
    figure: Figure, folder: Path, name: str, formats: Sequence[str], theme: str = "light"
) -> list[Path]:
    """Writes `name` in every format into `folder` (made where missing); the paths.

    A file is written beside its place and renamed: whoever looks meanwhile, or draws the same
    figure in another process, finds it whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with style.use(theme), warnings.catch_warnings():
        # A title in a script that the font lacks is drawn with boxes, not refused.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        for ending in dict.fromkeys(formats):
            path = folder / f"{name}.{ending}"
            part = folder / f".{path.name}.{os.getpid()}"
            try:
                figure.savefig(part, format=ending, metadata=UNDATED.get(ending))
                os.replace(part, path)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
            # Laid out once: what comes next has the same size and the same text.
            figure.set_layout_engine("none")
            written.append(path)
    return written
