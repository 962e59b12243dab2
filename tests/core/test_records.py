"""A record flat and as a grid: the same numbers, each in its lane's place."""

from __future__ import annotations

import numpy as np

from lrlab.core.records import NOT_RUN, OK, LaneRecord, Metric, blank_record

LR, SEEDS = np.array([0.1, 0.2, 0.4]), np.array([7, 8])


def record(lanes: int) -> LaneRecord:
    """Lane n has the loss 10 t + n at time t, and trained n steps."""
    axes = {"lr": np.repeat(LR, 2)[:lanes], "seed": np.tile(SEEDS, 3)[:lanes]}
    blank = blank_record(axes, 4, [2, 4])
    blank.metrics["train_loss"] = Metric(10.0 * np.arange(4)[:, None] + np.arange(lanes), "step")
    blank.metrics["valid_loss"] = Metric(np.ones((2, lanes), np.float32), "eval_step")
    blank.initial["valid_loss"] = np.arange(lanes, dtype=np.float32)
    return blank._replace(
        outcome=np.full(lanes, OK, np.int8), steps_trained=np.arange(lanes, dtype=np.int64)
    )


def test_a_grid_and_back():
    flat = record(6)
    grid = flat.grid({"lr": LR, "seed": SEEDS})
    assert grid.is_grid and not flat.is_grid
    assert grid.history["train_loss"][2, 1, 1] == 23 and grid.steps_trained[2, 0] == 4
    back = grid.flat()
    for name, values in flat.axes.items():
        np.testing.assert_array_equal(back.axes[name], values, strict=True)
    for name, one in flat.metrics.items():
        np.testing.assert_array_equal(back.metrics[name].values, one.values, strict=True)
        assert back.metrics[name].axis == one.axis


def test_places_without_a_lane_were_not_run():
    grid = record(3).grid({"lr": LR, "seed": SEEDS}, np.array([5, 0, 2]))
    assert np.argwhere(grid.outcome_names.ravel() == "ok").ravel().tolist() == [0, 2, 5]
    assert grid.history["train_loss"][0, 2, 1] == 0 and grid.history["train_loss"][0, 0, 0] == 1
    lost = grid.outcome == NOT_RUN
    assert np.isnan(grid.evaluated["valid_loss"][:, lost]).all()
    assert grid.evaluated["valid_loss"].dtype == grid.initial["valid_loss"].dtype == np.float32
    assert (grid.steps_trained[lost] == 0).all() and (grid.diverged_at[lost] == -1).all()


def test_directions_are_added_to_what_has_one():
    directed = record(2).directed({"valid_loss": "min", "valid_accuracy": "max"})
    assert {name: one.direction for name, one in directed.metrics.items()} == {
        "train_loss": None,
        "valid_loss": "min",
    }
