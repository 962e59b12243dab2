"""Numbers at the edges: rates of 0, too small and too large for float32, grids of one, counters."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from few import few

import lrlab
from lrlab import config, report
from lrlab.cli.app import run as command
from lrlab.config import ConfigError
from lrlab.results.representable import beyond_numbers

SHARED = dict(optimizer="sgd", schedule="constant", batch_size=16, seeds=2, steps=8,
              progress=False, plan=lrlab.Plan(tile_width=2))  # fmt: skip


def sweep(lr, **changes):
    return lrlab.sweep("iris-linear", lr=lr, **{**SHARED, **changes})


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_rate_0_changes_nothing_and_is_no_candidate(precision):
    result = sweep([0.0, 0.1, 1.0], precision=precision, optimizer="momentum")
    assert (result.outcome == "ok").all()
    initial = result.initial["valid_loss"]
    for values in result.history["valid_loss"]:
        np.testing.assert_array_equal(values[0], initial[0])
    np.testing.assert_array_equal(result.history["learning_rate"][:, 0], 0)
    answer = result.best()
    assert answer.lr > 0 and answer.interval[0] > 0
    assert answer.lr == sweep([0.1, 1.0], precision=precision, optimizer="momentum").best().lr
    assert [row["lr"] for row in answer.evidence] == [0.0, 0.1, 1.0]
    assert answer.evidence[0]["scores"] == [float(value) for value in initial[0]]


def test_a_lane_of_rate_0_is_the_untouched_model():
    """The minibatch losses of the baseline, computed with NumPy in float64 from its parameters."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 3)), rng.normal(size=(32, 1))
    w = rng.normal(size=(3, 1))

    model = lrlab.Model(
        lambda key, x: {"params": {"w": np.asarray(w)}},
        lambda variables, x, train, key: (x @ variables["params"]["w"], variables),
    )
    task = lrlab.Task.supervised(
        name="line", model=model, loss="mse", train=(x, y), valid=(x, y), metrics=()
    )
    result = lrlab.sweep(task, lr=[0.0, 0.01], **{**SHARED, "batch_size": "full"},
                         precision="float64")  # fmt: skip
    expected, here = [], w.copy()
    for _ in range(8):
        error = x @ here - y
        expected.append(float((error**2).mean()))
        here = here - 0.01 * 2 * x.T @ error / len(x)
    losses = result.history["train_loss"][:, :, 0]
    np.testing.assert_allclose(losses[:, 0], expected[0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(losses[:, 1], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_rates_that_float32_cannot_hold_are_said():
    result = sweep([0.0, 1e-40, 0.1, 1e30, 1e39])
    for values in result.history["valid_loss"]:
        np.testing.assert_array_equal(values[1], values[0])
    assert result.outcome[:, 0].tolist() == ["ok", "ok", "ok", "ok", "diverged"]
    assert np.isfinite(result.history["train_loss"][:, :4]).all()  # 1e30: large, and a number
    assert result.diverged_at[4].tolist() == [0, 0]
    sentence = result.best().sentence
    assert "1e-40 is too small for float32 (below 1.2e-38) and trains as 0." in sentence
    assert "1e+39 is too large for float32 (above 3.4e+38) and trains as infinity." in sentence
    assert not beyond_numbers(np.array([0.0, 1e-40, 1e39]), np.dtype("float64"))
    assert "too small" not in sweep([1e-40, 0.1], precision="float64").best().sentence
    words = beyond_numbers(10.0 ** -np.arange(40, 46), np.dtype("float32"))
    assert "and 2 more are too small" in words[0] and "train as 0" in words[0]


@pytest.mark.parametrize(
    ("lr", "words"),
    [
        ([0.1, -0.1], "must not be negative, got -0.1"),
        (float("nan"), "must be finite"),
        ([float("inf")], "must be finite"),
        ({"log": [0.0, 1.0, 5]}, r"the ends of log = \[0.0, 1.0, 5\]: must be greater than 0"),
        ({"linear": [-1.0, 1.0, 5]}, "must not be negative"),
        ([], "at least one"),
    ],
)
def test_rates_that_are_refused_name_their_place(lr, words):
    with pytest.raises(ConfigError, match=words) as found:
        sweep(lr)
    assert [problem.field for problem in found.value.problems] == ["lr"]


def test_a_search_has_no_place_for_rate_0():
    with pytest.raises(ConfigError, match="greater than 0") as found:
        lrlab.find("iris-linear", lr_range=(0.0, 1.0), progress=False)
    assert found.value.problems[0].field == "lr_range"


def test_a_grid_may_begin_at_0_and_a_group_may_stand_still():
    assert config.build({"lr": {"linear": [0.0, 1.0, 3]}, "task": "iris-linear"}, "sweep").lr
    result = sweep({"kernel": [0.0], "bias": [0.1]}, groups={"kernel": "kernel", "bias": "bias"})
    assert (result.outcome == "ok").all()


def test_duplicate_rates_are_lanes_of_their_own_with_the_same_bits():
    result = sweep([0.1, 0.01, 0.1])
    for name, values in result.history.items():
        np.testing.assert_array_equal(values[:, 0], values[:, 2], err_msg=name)
    assert result.best().lr == sweep([0.1, 0.01]).best().lr


EDGES = {
    "only rate 0": dict(lr=[0.0]),
    "rate 0 beside others": dict(lr=[0.1, 0.0, 1.0]),
    "one lane": dict(lr=[0.1], seeds=1),
    "one seed": dict(lr=[0.01, 0.1], seeds=1),
    "one step": dict(lr=[0.01, 0.1], steps=1),
    "one lane of one step": dict(lr=[0.1], seeds=1, steps=1),
    "duplicates alone": dict(lr=[0.1, 0.1]),
    "all diverged": dict(lr=[1e30, 1e39]),
    "denormal": dict(lr=[1e-40, 1e-45, 0.1]),
    "batches of one": dict(lr=[0.01, 0.1], batch_size=1),
}


@pytest.mark.parametrize("name", few(EDGES, 2))
def test_whatever_can_be_swept_can_be_shown(name, tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # a division by 0, the logarithm of 0
        result = sweep(**EDGES[name], out=tmp_path / "run")
        loaded = lrlab.load(tmp_path / "run")
        np.testing.assert_array_equal(loaded.history["train_loss"], result.history["train_loss"])
        assert command(["show", str(tmp_path / "run")]) == 0
        report.page(report.from_result(result))
        answer = json.loads((tmp_path / "run" / "summary.json").read_text())["best"]
        assert (answer["lr"] is None) == (name in ("only rate 0", "all diverged"))
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("steps", [2**31 - 1, 2**31, 2**40])
def test_step_counters_beyond_31_bits_are_refused(steps):
    with pytest.raises(ConfigError) as found:
        sweep([0.1], steps=steps)
    assert found.value.problems[0].field == "steps"


@pytest.mark.parametrize("epochs", [2**29, 1e308])
def test_epochs_that_make_too_many_updates_are_refused(epochs):
    with pytest.raises(ConfigError, match="can be counted") as found:
        sweep([0.1], steps=None, epochs=epochs)
    assert found.value.problems[0].field == "epochs"


@pytest.mark.parametrize("value", [10**22, -(2**63), [0.1, 10**22]])
def test_whole_numbers_that_no_array_holds_are_refused(value):
    with pytest.raises(ConfigError, match="below 2\\^63") as found:
        sweep([0.1], optimizer="adamw", optimizer_args={"weight_decay": value})
    assert found.value.problems[0].field == "optimizer.weight_decay"


def test_curves_that_no_disk_or_memory_holds_are_refused_before_training(monkeypatch):
    with pytest.raises(ConfigError, match="GiB are free in") as found:
        sweep({"linear": [0.0, 1.0, 500_000]}, steps=2**31 - 2)
    assert found.value.problems[0].field == "steps"
    monkeypatch.setattr("lrlab.training.limits.host_memory", lambda: 2**20)
    with pytest.raises(ConfigError, match="counting its 30,000 updates") as found:
        sweep([0.1], steps=30_000)
    assert found.value.problems[0].field == "steps"


def test_batches_at_the_last_steps_that_can_be_counted():
    from lrlab.data.batches import Batches, segment_indices

    batches, last = Batches(10, 4), 2**31 - 2
    for seed in (0, 2**31 - 1):
        rows = segment_indices(batches, seed, last - 8, 8)
        assert rows.min() >= 0 and rows.max() < 10
        np.testing.assert_array_equal(segment_indices(batches, seed, last - 4, 4), rows[4:])
        epochs = rows.reshape(4, -1)  # two updates of four examples each
        assert all(len(set(epoch.tolist())) == 8 for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4


@pytest.mark.slow
def test_rules_read_a_sweep_that_has_a_baseline(tmp_path):
    grid = np.geomspace(1e-4, 10, 24)
    found = []
    for name, lr in (("with", [0.0, *grid]), ("without", grid)):
        sweep(lr, steps=100, out=tmp_path / name)
        found.append(report.read(tmp_path / name).suggestions)
    np.testing.assert_equal(found[0], found[1])
    assert found[0]


def test_data_beyond_float32_are_refused_rather_than_trained_as_infinity(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, x=np.full((30, 3), 1e200), y=np.arange(30) % 3)
    task = {"model": "linear", "data": {"name": f"npz:{path}", "scale": "none"}}
    with pytest.raises(
        ConfigError, match=r"holds 1e[+]200, and float32 ends at 3.4e[+]38"
    ) as found:
        lrlab.sweep(task, lr=[0.1], **SHARED)
    assert found.value.problems[0].field == "task.data"
