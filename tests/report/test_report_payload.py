"""What the page's script draws."""

from __future__ import annotations

import json

import numpy as np
import pytest
from report_sample import changed, run, sample

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
