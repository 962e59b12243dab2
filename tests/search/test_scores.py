"""Scores as a view on a record: evaluated and per-step metrics, further axes, both directions."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.core.records import DIVERGED, OK, PRUNED, LaneRecord, Metric, blank_record
from lrlab.search import Scores, lane_scores, stage_scores, sweep_scores
from lrlab.search.scores import as_loss, combination

STEPS = 40


def record(axes: dict[str, np.ndarray], finals: np.ndarray, direction="min") -> LaneRecord:
    """A flat record of lanes that start at 1 and end at `finals` f[n]."""
    lanes = len(finals)
    flat = blank_record(axes, STEPS, [20, 40])
    share = np.array([0.5, 1.0])[:, None]
    valid = (1 + (finals - 1) * share).astype(np.float32)
    train = np.linspace(1, finals, STEPS)
    return flat._replace(
        metrics={
            "train_loss": Metric(train, "step", "min"),
            "learning_rate": Metric(np.ones((STEPS, lanes)), "step"),
            "valid_score": Metric(valid, "eval_step", direction),
        },
        initial={"valid_score": np.ones(lanes, np.float32)},
        outcome=np.full(lanes, OK, np.int8),
        steps_trained=np.full(lanes, STEPS),
    )


def columns(*axes: list[float]) -> list[np.ndarray]:
    return [column.ravel() for column in np.meshgrid(*map(np.asarray, axes), indexing="ij")]


def test_a_stage_is_read_at_its_evaluations() -> None:
    lr, seed = columns([0.1, 0.2, 0.4], [3, 4])
    flat = record({"lr": lr, "seed": seed}, np.linspace(0.5, 0.9, 6), "max")
    scores = stage_scores(flat, "valid_score")
    assert scores.values is flat.metrics["valid_score"].values and scores.direction == "max"
    assert scores.eval_steps.tolist() == [20, 40] and scores.steps == STEPS
    assert scores.lr.tolist() == lr.tolist() and scores.seed.tolist() == seed.tolist()
    np.testing.assert_array_equal(scores.losses, -scores.values.astype(np.float64))
    assert scores.losses.dtype == np.float64 and scores.initial.dtype == np.float32


def test_a_metric_of_every_update_is_its_mean_between_evaluations() -> None:
    flat = record({"lr": np.array([0.1]), "seed": np.array([0])}, np.array([0.5]))
    scores = stage_scores(flat, "train_loss")
    rows = flat.metrics["train_loss"].values[:, 0]
    np.testing.assert_allclose(
        scores.values[:, 0], [rows[:20].mean(), rows[20:].mean()], atol=1e-12
    )
    assert scores.initial.tolist() == [1.0]


def test_a_sweep_ends_with_the_mean_of_its_last_twentieth() -> None:
    axes = {"lr": np.array([0.1, 0.2]), "seed": np.array([0, 1])}
    lr, seed = columns(*axes.values())
    grid = record({"lr": lr, "seed": seed}, np.array([0.5, 0.6, 0.7, 0.8])).grid(axes)
    scores = sweep_scores(grid, "train_loss")
    rows = grid.metrics["train_loss"].values.reshape(STEPS, -1)
    np.testing.assert_allclose(scores.values[-1], rows[-2:].mean(0), atol=1e-12)
    assert scores.lr.tolist() == [0.1, 0.1, 0.2, 0.2] and scores.seed.tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="'valid_los' in this sweep; it has train_loss, valid_sc"):
        sweep_scores(grid, "valid_los")


@pytest.mark.parametrize("direction", ["min", "max"])
def test_the_best_combination_of_further_axes(direction) -> None:
    axes = {
        "lr": np.array([0.1, 0.2]),
        "decay": np.array([0.0, 1.0, 2.0]),
        "seed": np.array([0, 1]),
    }
    lr, decay, seed = columns(*axes.values())
    finals = as_loss(0.1 * np.abs(decay - 1) + 0.2, direction)
    flat = record({"lr": lr, "decay": decay, "seed": seed}, finals, direction)
    flat = flat._replace(initial={"valid_score": as_loss(np.ones(12, np.float32), direction)})
    grid = flat.grid(axes)
    assert combination(grid, "valid_score") == (1,)
    scores = sweep_scores(grid, "valid_score")
    assert scores.lr.tolist() == [0.1, 0.1, 0.2, 0.2]
    np.testing.assert_allclose(lane_scores(scores), 0.2, rtol=1e-6, atol=1e-9)


def test_some_lanes_alone() -> None:
    lr, seed = columns([0.1, 0.2], [0, 1])
    scores = stage_scores(record({"lr": lr, "seed": seed}, np.arange(4.0)), "valid_score")
    some = scores.lanes(seed == 1)
    assert isinstance(some, Scores) and some.lr.tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(some.values, scores.values[:, [1, 3]])
    again = scores.lanes(np.array([3, 1]))
    np.testing.assert_array_equal(again.values, scores.values[:, [3, 1]])


def test_a_lane_that_diverged_or_was_cut() -> None:
    lr, seed = columns([0.1, 0.2, 0.4], [0])
    scores = stage_scores(record({"lr": lr, "seed": seed}, np.full(3, 0.5)), "valid_score")
    scores = scores._replace(outcome=np.array([OK, DIVERGED, PRUNED]))
    np.testing.assert_array_equal(lane_scores(scores), [0.5, 1.0, np.nan])
    with pytest.raises(ValueError, match="direction must be"):
        as_loss(1.0, "minimum")
