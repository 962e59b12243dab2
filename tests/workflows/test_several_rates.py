"""`find` over several learning rates: step tasks, parameter groups, files, what can be wrong."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
from stopped_runs import equal, stopped, written

import lrlab
from lrlab import config
from lrlab.cli.app import run
from lrlab.core.errors import ConfigError, Interrupted
from lrlab.workflows import dispatch
from lrlab.workflows.dispatch import resume
from lrlab.workflows.reproduce import reproduce

RANGES = {"gen": [1e-4, 10.0], "disc": [1e-4, 10.0]}
GROUPS = """
task = "wine-mlp"
optimizer = "adam"
steps = 20
batch_size = 32
seeds = 2
budget = 14
plan = {tile_width = 4, segment_steps = 5}
[lr]
head = [1e-4, 1.0]
rest = {log = [1e-4, 1.0, 9]}
[groups]
head = "readout"
rest = "hidden*"
"""


def two_players() -> lrlab.Task:
    """Two blocks of a noisy quadratic with curvatures 1 and 100, a rate for each."""

    def init(key, hyper):
        return {"a": jax.random.normal(key, (4,)), "b": jax.random.normal(key, (4,)) / 10}

    def loss(state):
        return {"loss": (state["a"] ** 2).sum() / 2 + 50 * (state["b"] ** 2).sum()}

    def step(state, batch, hyper, key):
        noise = jax.random.normal(key, (2, 4)) * 0.3
        return {
            "a": state["a"] - hyper["lr"]["gen"] * (state["a"] + noise[0]),
            "b": state["b"] - hyper["lr"]["disc"] * 10 * (10 * state["b"] + noise[1]),
        }, loss(state)

    return lrlab.Task.step(
        name="two", init=init, step=step, evaluate=lambda state, batch, key: loss(state),
        train=np.zeros((64, 1), np.float32), valid=np.zeros((64, 1), np.float32), loss="loss",
    )  # fmt: skip


def test_a_step_of_ones_own_with_two_rates(tmp_path) -> None:
    options = dict(steps=60, batch_size=8, schedule="cosine", keep="last", progress=False)
    answer = lrlab.find(two_players(), lr=RANGES, budget=24, out=tmp_path / "run", **options)
    assert 30 < answer.lr["gen"] / answer.lr["disc"] < 300  # the curvatures' ratio is 100
    for name, (low, high) in answer.interval.items():
        assert low <= answer.lr[name] <= high
    assert answer.cost <= 24.001
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["lr"] == answer.lr
    assert summary["interval"] == {name: list(ends) for name, ends in answer.interval.items()}
    again = lrlab.find(two_players(), lr=RANGES, budget=24, out=tmp_path / "run", **options)
    assert again.lr == answer.lr and again.interval == answer.interval
    assert {name for tree in again.params().values() for name in tree} == {"a", "b"}
    assert again.schedule("disc")(0) == pytest.approx(answer.lr["disc"], rel=1e-6)
    with pytest.raises(ValueError, match=r"write schedule\(NAME\), of gen, disc"):
        again.schedule()
    assert "'gen': " in repr(answer)


@pytest.mark.slow
def test_groups_in_a_file_and_what_reads_them(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, GROUPS)
    assert run(["find", file, "--out", "run", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert set(out["lr"]) == set(out["interval"]) == {"head", "rest"}
    assert run(["show", "run"]) == 0 and run(["report", "run"]) == 0
    said = capsys.readouterr().out
    assert "rate head" in said and "lr_rest" in said
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Learning rate head" in page and "Learning rate rest" in page
    assert run(["export", "run", "--params", "weights"]) == 0
    assert "at learning rate head " in capsys.readouterr().out
    assert reproduce(tmp_path / "run", progress=False).level == "bit-identical"


def test_an_interrupted_search_continues_to_the_same_bits(tmp_path, monkeypatch) -> None:
    file = written(tmp_path, GROUPS)
    assert run(["find", file, "--out", str(tmp_path / "whole"), "--quiet"]) == 0
    with monkeypatch.context() as patch:
        stopped(patch, 5)
        experiment = config.load(file, command="find")
        with pytest.raises(Interrupted):
            dispatch.run("find", experiment, out=tmp_path / "run", progress=False)
    resume(tmp_path / "run", progress=False)
    equal(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": {"gen": 0.1, "disc": 0.1}}, "needs a range of at least one rate"),
        ({"lr": {"gen": [0.0, 0.1], "disc": 0.1}}, "rates above 0"),
        ({"lr": RANGES, "lr_range": (1e-3, 1.0)}, "each rate has its own range"),
        ({"lr": {"gen": [1e-3, 1.0]}}, "disc"),
    ],
)
def test_what_is_wrong_is_said(options, words) -> None:
    with pytest.raises((ConfigError, ValueError, KeyError)) as error:
        lrlab.find(two_players(), steps=4, batch_size=8, progress=False, **options)
    assert words in str(error.value)


def test_a_comparison_and_a_study_take_one_rate() -> None:
    task = two_players()
    with pytest.raises(ConfigError, match=r"study searches one learning rate"):
        lrlab.study(task, axis="kl", values=[1.0, 2.0], lr=RANGES, steps=4, batch_size=8)
