"""Numbers that every medium shows."""

from __future__ import annotations

import numpy as np
from report_sample import run, text_of

from lrlab.report.content.data import Stage
from lrlab.report.content.summary import costs, rungs, thin


def test_thinning_keeps_every_extreme_of_a_random_curve():
    y = np.random.default_rng(0).standard_cauchy(5000)
    y[::13] = np.nan
    steps, values = thin(np.arange(5000), y, 100)
    assert len(values) <= 102 and np.isfinite(values).all()
    assert {np.nanmin(y), np.nanmax(y)} <= set(values.tolist())
    np.testing.assert_array_equal(values, y[steps])


def test_rungs_say_what_was_pruned_when():
    stages = [
        Stage(np.array([0.1, 1, 10, 100, 2]), np.array([5, 5, 20, 3, 7]),
              np.array(["pruned", "ok", "pruned", "diverged", "ok"])),
        Stage(np.array([1.0]), np.array([50]), np.array(["ok"])),
    ]  # fmt: skip
    stages[0].steps[[1, 4]] = 50
    data = run(stages=stages)
    found = [tuple(rung) for rung in rungs(data)]
    assert found == [
        (1, 5, 5, 1, 1, (0.1, 0.1), 3, (1.0, 10.0)),
        (1, 20, 3, 0, 1, (10.0, 10.0), 2, (1.0, 2.0)),
        (1, 50, 2, 0, 0, None, 2, (1.0, 2.0)),
        (2, 50, 1, 0, 0, None, 1, (1.0, 1.0)),
    ]
    assert "The search, rung by rung" in text_of(data)
    made = dict((what, value) for what, value, _ in costs(data))
    assert made["Lanes trained"] == "6" and made["Lane-steps"] == "178"
    assert made["Spent on pruned lanes"] == "25 in 2 lanes"
