"""Lanes that die leave no trace in those that live; sweeps at the edges of what can be asked."""

from __future__ import annotations

import numpy as np
import pytest
from few import few

import lrlab
from lrlab.config import ConfigError


def sweep(lr, task="iris-linear", **options):
    shared = {"optimizer": "momentum", "seeds": 1, "steps": 60, "batch_size": 16,
              "progress": False, "plan": lrlab.Plan(tile_width=8)}  # fmt: skip
    return lrlab.sweep(task, lr=lr, **{**shared, **options})


@pytest.mark.parametrize("lanes", few([300, 5000], 1))
def test_survivors_keep_their_bits(lanes: int) -> None:
    rng = np.random.default_rng(0)
    lr = 10 ** rng.uniform(-3, 0, lanes)
    doomed = rng.random(lanes) < 0.4
    # From rates that overflow at once to rates that take most of the run to do so.
    lr[doomed] = 10 ** rng.uniform(1.5, 30, doomed.sum())
    task = lrlab.tasks.load("quadratic", spectrum=[1.0, 0.1])
    together = sweep(lr, task, batch_size=None)
    died = together.outcome[:, 0] == "diverged"
    assert 0.3 < died.mean() < 0.5 and (died <= doomed).all()
    assert len(np.unique(together.diverged_at[died])) > 5
    alone = sweep(lr[~died], task, batch_size=None)
    for name, values in alone.history.items():
        np.testing.assert_array_equal(together.history[name][:, ~died], values, err_msg=name)
    assert np.isnan(together.final["valid_loss"][died]).all()


def test_one_lane_one_seed_one_step_one_example() -> None:
    task = lrlab.Task.supervised(
        name="one",
        model=lrlab.models.make("linear", 2),
        loss="softmax_cross_entropy",
        train=(np.ones((1, 3)), np.array([1])),
        valid=(np.ones((1, 3)), np.array([0])),
        metrics=(),
    )
    result = sweep([0.1], task, steps=1, batch_size=1)
    assert result.history["train_loss"].shape == (1, 1, 1)
    assert result.eval_steps.tolist() == [1] and result.outcome.tolist() == [["ok"]]
    assert np.isfinite(result.final["valid_loss"]).all()


def test_the_same_rate_twice_is_two_lanes() -> None:
    result = sweep([0.1, 0.01, 0.1])
    np.testing.assert_array_equal(
        result.history["train_loss"][:, 0], result.history["train_loss"][:, 2]
    )


@pytest.mark.slow
def test_extreme_rates() -> None:
    result = sweep([1e-40, 1e38, 1e-3])
    assert result.outcome[:, 0].tolist() == ["ok", "diverged", "ok"]
    still = result.history["train_loss"][:, 0, 0]
    first = sweep([1e-30]).history["train_loss"][:, 0, 0]
    np.testing.assert_array_equal(still, first)  # neither moves a float32 weight
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="lr"):
            sweep([0.1, wrong])


def test_more_steps_than_a_counter_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match="steps"):
        sweep([0.1], steps=2**31)
    with pytest.raises(ConfigError, match=r"epochs.*updates"):
        sweep([0.1], steps=None, epochs=1e12)


def test_long_histories_are_averaged_in_double_precision() -> None:
    from lrlab.core.records import Metric, blank_record
    from lrlab.search import stage_scores

    steps = 400_000
    rng = np.random.default_rng(0)
    losses = (0.1 + 1e-4 * rng.normal(size=(steps, 1))).astype(np.float32)
    axes = {"lr": np.ones(1), "seed": np.zeros(1, int)}
    record = blank_record(axes, steps, [steps])
    record = record._replace(metrics={"train_loss": Metric(losses, "step")})
    mean = stage_scores(record, "train_loss").values[0, 0]
    assert abs(mean - losses.astype(np.float64).mean()) < 1e-12
    # What a float32 sum would have said is off in the fourth digit.
    assert abs(losses.cumsum(0)[-1, 0] / np.float32(steps) - mean) > 1e-6


@pytest.mark.slow
def test_no_reduction_is_led_astray_by_what_is_not_finite() -> None:
    from lrlab.core.records import DIVERGED, NOT_RUN, OK, PRUNED
    from lrlab.search.answer import from_scores
    from lrlab.search.scores import Scores

    rng = np.random.default_rng(1)
    lr = np.repeat(np.geomspace(1e-3, 1.0, 6), 3)
    for case in range(150):
        metric = np.exp(rng.normal(size=(4, 18)))
        initial = np.full(18, 3.0)
        for values in (metric, initial):
            spoiled = rng.random(values.shape) < rng.choice((0.0, 0.1, 0.5, 1.0))
            values[spoiled] = rng.choice((np.nan, np.inf, -np.inf), int(spoiled.sum()))
        outcome = rng.choice((OK, OK, DIVERGED, PRUNED, NOT_RUN), 18)
        scores = Scores(
            lr=lr,
            seed=np.tile([0, 1, 2], 6),
            values=metric,
            eval_steps=np.array([2, 4, 6, 8]),
            initial=initial,
            outcome=outcome,
            diverged_at=np.where(outcome == DIVERGED, 3, -1),
            steps_trained=np.where(outcome == NOT_RUN, 0, 8),
            steps=8,
            direction=("min", "max")[case % 2],
        )
        answer = from_scores([scores], "valid_loss")
        assert answer.verdict in ("interior", "edge", "flat", "noisy", "none"), case
        if answer.lr is None:
            assert answer.verdict == "none" and answer.interval is None
        else:
            low, high = answer.interval
            assert 0 < low <= high < np.inf and np.isfinite(answer.lr), case
        assert np.isfinite(answer.cost)
