from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lrlab
from lrlab import runs
from lrlab.cli.app import run as command
from lrlab.core.errors import ConfigError, RunError

PLAN = lrlab.Plan(tile_width=2)


def trained(folder, lr, seeds=1, **changes):
    given = {"optimizer": "sgd", "steps": 6, "batch_size": 16, "plan": PLAN, **changes}
    lrlab.sweep("iris-linear", lr=lr, seeds=seeds, out=folder, progress=False, **given)
    return folder


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    place = tmp_path_factory.mktemp("parts")
    a = trained(place / "a", [0.01, 1.0])
    b = trained(place / "b", [0.1, 1.0], seeds=[0, 5])
    return a, b


def test_lanes_stand_beside_each_other(parts, tmp_path) -> None:
    result = lrlab.merge(parts, tmp_path / "m")
    assert result.lr.tolist() == [0.01, 0.1, 1.0] and result.seeds.tolist() == [0, 5]
    assert (result.outcome == [["ok", "not_run"], ["ok", "ok"], ["ok", "ok"]]).all()
    a, b = map(lrlab.load, parts)
    for name, values in result.history.items():
        assert_array_equal(values[:, 0, 0], a.history[name][:, 0, 0])
        assert_array_equal(values[:, 2, 1], b.history[name][:, 1, 1])
    assert lrlab.load(tmp_path / "m").best().lr == result.best().lr
    assert [part["lanes"] for part in runs.read_info(tmp_path / "m")["merged"]] == [2, 4]


def test_a_merged_run_is_a_run(parts, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["merge", *map(str, parts), "--out", "m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lanes"] == 5
    for words in (["show", "m"], ["export", "m"], ["report", "m", "--no-figures"], ["doctor", "m"]):
        assert command(words) == 0, words
    for words in (["reproduce", "m"], ["resume", "m"], ["replay", "m"]):
        assert command(words) == 2, words
        assert "merged from" in capsys.readouterr().err
    assert command(["merge", "m", str(parts[0]), "--out", "again"]) == 0  # and merges further
    assert lrlab.load("again").outcome.shape == (3, 2)


def test_what_differs_is_named_field_by_field(parts, tmp_path) -> None:
    other = trained(tmp_path / "c", [0.3], steps=7, optimizer="momentum")
    with pytest.raises(ConfigError) as caught:
        lrlab.merge([parts[0], other])
    fields = [problem.field for problem in caught.value.problems]
    assert "steps" in fields and "optimizer.name" in fields and "lr" not in fields


def test_other_data_are_named(parts, tmp_path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

    def folder(name, y):
        task = lrlab.Task.supervised(
            name="own", model=lrlab.models.make("linear", num_outputs=2),
            loss="softmax_cross_entropy", train=(x, y), valid=(x, y),
        )  # fmt: skip
        lrlab.sweep(task, lr=[0.1], seeds=1, steps=3, batch_size=8, out=name, progress=False)
        return name

    one, two = (
        folder(tmp_path / "1", np.arange(40) // 20),
        folder(tmp_path / "2", np.arange(40) % 2),
    )
    with pytest.raises(ConfigError) as caught:
        lrlab.merge([one, two])
    assert caught.value.problems


def test_a_lane_with_other_numbers_is_refused(parts, tmp_path) -> None:
    result = lrlab.load(parts[0])
    changed = result.record.metrics["train_loss"].values.copy()
    changed[3, 1, 0] += 1e-6
    metrics = {**result.record.metrics}
    metrics["train_loss"] = metrics["train_loss"]._replace(values=changed)
    result._replace(record=result.record._replace(metrics=metrics)).save(tmp_path / "x")
    with pytest.raises(ConfigError, match=r"the lane with lr 1, seed 0 .* train_loss at step 3"):
        lrlab.merge([parts[0], tmp_path / "x"])
    assert not (tmp_path / "m").exists()


def test_of_a_pruned_lane_the_longer_counts(parts, tmp_path) -> None:
    result = lrlab.load(parts[0])
    metrics = {
        name: one._replace(values=np.where(
            np.arange(len(one.values))[:, None, None] < 3,
            one.values, np.nan))
        for name, one in result.record.metrics.items()
    }  # fmt: skip
    short = result.record._replace(
        metrics=metrics, outcome=np.full((2, 1), 2, np.int8), steps_trained=np.full((2, 1), 3)
    )
    result._replace(record=short).save(tmp_path / "short")
    for pair in ([tmp_path / "short", parts[0]], [parts[0], tmp_path / "short"]):
        merged = lrlab.merge(pair, tmp_path / f"m{pair[0].name}")
        assert (merged.outcome == "ok").all()
        assert_array_equal(merged.history["train_loss"], result.history["train_loss"])


def test_what_cannot_be_merged(parts, tmp_path) -> None:
    with pytest.raises(ConfigError, match="two runs at least"):
        lrlab.merge(parts[:1])
    with pytest.raises(RunError, match="not a run folder"):
        lrlab.merge([parts[0], tmp_path])
    lrlab.range_test("iris-linear", num_steps=4, seeds=1, out=tmp_path / "r", progress=False)
    with pytest.raises(RunError, match="a range-test has no lanes to merge"):
        lrlab.merge([parts[0], tmp_path / "r"])
