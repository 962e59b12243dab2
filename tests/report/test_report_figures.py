"""Figures of made-up runs: drawn, written, refused."""

from __future__ import annotations

import pytest
from few import few
from report_sample import KINDS, run

from lrlab import report
from lrlab.report.figures import FIGURES


@pytest.mark.parametrize("kind", few(KINDS, 1))
def test_every_figure_draws_or_says_that_it_has_no_subject(kind, tmp_path):
    data = run(kind)
    written = report.write_figures(data, tmp_path, formats=("svg",))
    assert all(path.stat().st_size > 1000 for path in written)
    assert (tmp_path / "loss_vs_lr.svg").exists()
    with pytest.raises(ValueError, match="no figure"):
        report.draw("pie", data)
    assert set(path.stem for path in written) <= set(FIGURES)


def test_formats_and_themes(tmp_path):
    written = report.write_figures(
        run(), tmp_path, formats=("png", "svg", "pdf"), theme="dark", names=["loss_vs_lr"]
    )
    assert [path.suffix for path in written] == [".png", ".svg", ".pdf"]
    assert written[2].read_bytes().startswith(b"%PDF") and "<text" in written[1].read_text()
    with pytest.raises(ValueError, match="bmp"):
        report.write_figures(run(), tmp_path, formats=["bmp"])
    with pytest.raises(ValueError, match="blue"):
        report.write_figures(run(), tmp_path, theme="blue")
