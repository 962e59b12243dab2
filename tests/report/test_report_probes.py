"""Figures of what probes measured."""

from __future__ import annotations

import numpy as np
from report_sample import changed, sample

from lrlab.report.figures import draw
from lrlab.report.figures.probes import names, probes


def test_probes_have_figures_of_every_lane_and_layer() -> None:
    run = sample(lrs=4, seeds=2, steps=40, evals=5)
    assert draw("probes", run) is None and draw("probe_layers", run) is None
    shape = (5, 4, 2)
    line = np.linspace(1.0, 3.0, 5)[:, None, None] * np.ones(shape)
    measured = {
        "stability": line / 2,
        "preconditioned_sharpness": line * 10,
        "stability_threshold": np.full(shape, 20.0),
        "alpha": np.where(np.arange(5)[:, None, None] < 2, np.nan, line - 2),
        "distance": line,
        "distance.hidden": line / 2,
        "distance.readout": line * 3,
    }
    run = changed(run, **measured)
    assert set(names(run)) == set(measured)
    figure = probes(run)
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert titles == ["stability", "preconditioned sharpness", "alpha", "distance"]
    stability, sharp = figure.axes[:2]
    dashed = [line for line in stability.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [1.0]
    assert sum(line.get_linestyle() == "--" for line in sharp.lines) == 8  # a threshold per lane
    layers = draw("probe_layers", run)
    assert [text.get_text() for text in layers.axes[0].get_legend().get_texts()] == [
        "hidden",
        "readout",
    ]
