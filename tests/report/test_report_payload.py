"""What the page's script draws."""

from __future__ import annotations

import json

import numpy as np
import pytest
from report_sample import changed, run, sample

from lrlab import report
from lrlab.report.html.payload import curves_of, payload_of


def test_payload_is_strict_json():
    payload = payload_of(run())
    json.dumps(payload, allow_nan=False)
    assert len(payload["lanes"]) == 18


@pytest.mark.parametrize("place", [1, 777, 1998])
@pytest.mark.parametrize("spike", [99.0, 1e-6])
def test_no_spike_is_lost_in_a_curve_of_any_lane(place, spike):
    data = sample(lrs=32, seeds=4, steps=2000, evals=2)
    loss = np.ones_like(data.record.history["train_loss"])
    loss[place, 7, 2] = spike
    curves = curves_of(changed(data, train_loss=loss), "train_loss")
    steps, values = curves[7 * 4 + 2]
    assert values[steps.index(place)] == spike
    assert len(steps) <= 410 and {steps[0], steps[-1]} == {0, 1999}
    assert max(max(v) for i, (_, v) in enumerate(curves) if i != 30) == 1.0


def answered(at):
    """A sweep over momentum whose best mean is at 0."""
    data = sample(lrs=9, seeds=2, steps=50, evals=5, extra={"momentum": [0.0, 0.5, 0.9]})
    fit = {"lr": [0.01, 0.1], "mean": [1.0, 2.0], "low": [0.5, 1.5], "high": [1.5, 2.5]}
    answer = {"lr": 0.06, "interval": [0.03, 0.1], "at": at, "details": {"fit": fit}}
    return data._replace(answer=answer)


def test_of_several_combinations_the_recommended_one_is_the_answers():
    payload = payload_of(answered({"momentum": 0.5}))
    assert payload["answer"]["at"] == [1] and len(payload["fit"]) == 2
    for unknown in ({}, {"momentum": 0.7}, {"decay": 0.5}):
        payload = payload_of(answered(unknown))
        assert "at" not in payload["answer"] and payload["fit"] is None
    data = answered({"momentum": 0.5})
    axes = report.draw("loss_vs_lr", data).axes[0]
    strong = [line.get_label() for line in axes.lines if line.get_linewidth() == 1.8]
    assert strong == ["momentum 0.5"]
    panel = report.draw("heatmap", data).axes[0]
    assert "star: the answer" in panel.get_title(loc="left") + panel.get_title()
    (star,) = panel.lines
    assert float(star.get_ydata()[0]) == 1
    nearest = np.abs(np.log(data.lr / 0.06)).argmin()
    assert float(star.get_xdata()[0]) == np.argsort(data.lr).tolist().index(nearest)
