"""Lanes that die leave no trace in those that live; sweeps at the edges of what can be asked."""

from __future__ import annotations

import numpy as np
import pytest

import lrlab
from lrlab.config import ConfigError


def sweep(lr, task="iris-linear", **options):
    shared = {"optimizer": "momentum", "seeds": 1, "steps": 60, "batch_size": 16,
              "progress": False, "plan": lrlab.Plan(tile_width=8)}  # fmt: skip
    return lrlab.sweep(task, lr=lr, **{**shared, **options})


@pytest.mark.parametrize("lanes", [300, pytest.param(5000, marks=pytest.mark.slow)])
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


def test_extreme_rates() -> None:
    result = sweep([1e-40, 1e38, 1e-3])
    assert result.outcome[:, 0].tolist() == ["ok", "diverged", "ok"]
    still = result.history["train_loss"][:, 0, 0]
    first = sweep([1e-30]).history["train_loss"][:, 0, 0]
    np.testing.assert_array_equal(still, first)  # neither moves a float32 weight
    for wrong in (0.0, -0.1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="lr"):
            sweep([0.1, wrong])


def test_more_steps_than_a_counter_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match="steps"):
        sweep([0.1], steps=2**31)
    with pytest.raises(ConfigError, match="epochs.*updates"):
        sweep([0.1], steps=None, epochs=1e12)
