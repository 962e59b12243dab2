"""Features against those of the beginning."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx
from probed import lane_of, measure, supervised


@pytest.mark.slow
def test_features_are_compared_with_those_of_the_beginning() -> None:
    lane = lane_of(supervised(), lr=0.5)
    found = measure("feature_change", lane, examples=8)
    x = lane.data[0][:8]
    before, after = lane.initial()[0], lane.params
    hidden = [x @ p["hidden"]["kernel"] + p["hidden"]["bias"] for p in (before, after)]
    assert found["feature_size.hidden"] == pytest.approx(float(np.abs(hidden[1]).mean()), rel=1e-5)
    change = float(np.abs(hidden[1] - hidden[0]).mean())
    assert change > 0
    assert found["feature_change.hidden"] == pytest.approx(change, rel=1e-4)
    assert {"feature_size.output", "feature_size.readout"} <= set(found)
    bare = lane_of(supervised(lambda rngs: nnx.Linear(5, 3, rngs=rngs)))
    assert set(measure("feature_change", bare)) == {"feature_size.output", "feature_change.output"}
