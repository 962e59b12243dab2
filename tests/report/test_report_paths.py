"""Paths of step sizes over a sweep's heat map."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.report.figures import style
from lrlab.report.figures.paths import apart, paths_over_sweep


def test_paths_over_a_sweep():
    with style.use("light"):
        ax = style.figure().subplots()
        steps, rates = np.array([10, 20, 30]), np.geomspace(1e-3, 1.0, 7)
        loss = np.outer([1.0, 0.5, 0.2], 1 + np.arange(7.0))
        loss[1:, -1] = np.nan
        paths = {
            "steady": np.full(30, 0.1),
            "ends": np.r_[np.full(12, 0.02), np.full(18, np.nan)],
            "never": np.full(30, np.nan),
        }
        shown = paths_over_sweep(ax, steps, rates, loss, paths, best=0.1)
        ax.figure.canvas.draw()
    cells = shown.get_array().reshape(7, 3)
    assert cells.mask[-1].tolist() == [False, True, True], "diverged cells stay blank"
    np.testing.assert_allclose(cells.T[0], loss[0], rtol=1e-7, atol=1e-12)
    steady, ends = ax.lines[:2]
    np.testing.assert_allclose(steady.get_ydata(), 0.1, rtol=1e-7, atol=1e-12)
    assert len(ends.get_ydata()) == 12 - 9 + 1
    names = [text.get_text() for text in ax.texts]
    assert "steady" in names and "never" not in names
    assert ax.get_yscale() == "log" and ax.get_xlim() == (0, 30)


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [5.0, 5.0, 4.9], [0.0, 2.0, 5.0]])
def test_labels_stay_apart_and_inside(values):
    places = apart(sorted(values), 0.0, 5.0, rows=10)
    assert (np.diff(places) >= 0.5 - 1e-9).all() and max(places) <= 5.0
