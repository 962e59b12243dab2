from __future__ import annotations

import re

import pytest


def test_the_style_sheet_is_for_papers(tmp_path) -> None:
    """One column wide, fonts embedded as TrueType, every setting one that Matplotlib knows."""
    from matplotlib import style
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    with style.context("lrlab.lrlab"):
        figure = Figure()
        FigureCanvasPdf(figure)
        figure.subplots().set_title("title")
        for ending in ("pdf", "svg", "png"):
            figure.savefig(tmp_path / f"a.{ending}", dpi=100)
        assert figure.get_figwidth() == pytest.approx(3.35, abs=1e-9)
    text = (tmp_path / "a.pdf").read_bytes()
    assert b"/FontFile2" in text and b"/Type3" not in text
    width = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", text)
    assert width is not None and float(width[1]) == pytest.approx(3.35 * 72, abs=0.1)
    assert "<text" in (tmp_path / "a.svg").read_text()
