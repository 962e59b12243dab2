"""`lrlab reproduce`: bits where nothing changed, tolerance where tiles differ, and where else."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest

from lrlab import api, config
from lrlab.core.records import Metric
from lrlab.runs import RunError
from lrlab.runs.reader import read_stage, stages
from lrlab.workflows.find import run_find
from lrlab.workflows.job import Job
from lrlab.workflows.reproduce import DIFFERENT, IDENTICAL, WITHIN, compared, reproduce

TOML = """
steps = 30
batch_size = 16
seeds = 2
lr = [1e-3, 0.05, 1e30]
optimizer.name = "momentum"
task.name = "wine-mlp"
plan.tile_width = {width}
"""


def finished(folder, width=1):
    path = folder.parent / f"{folder.name}.toml"
    path.write_text(TOML.format(width=width))
    experiment = config.load(str(path), command="sweep")
    api.run("sweep", experiment, out=str(folder), progress=False)
    return folder


@pytest.mark.slow
def test_levels(tmp_path):
    one = finished(tmp_path / "one")
    found = reproduce(one, progress=False)
    assert found.level == IDENTICAL and "same" in found.sentence
    text = (one / "config.toml").read_text()
    (one / "config.toml").write_text(text.replace("tile_width = 1", "tile_width = 4"))
    found = reproduce(one, progress=False)
    assert found.level == WITHIN and "tile_width" in found.sentence
    (one / "config.toml").write_text(text.replace("seed = 0", "seed = 5", 1))
    found = reproduce(one, progress=False)
    assert found.level == DIFFERENT and found.where


def test_an_unfinished_run_is_refused(tmp_path):
    one = finished(tmp_path / "one")
    info = json.loads((one / "run.json").read_text())
    (one / "run.json").write_text(json.dumps({**info, "status": "interrupted"}))
    with pytest.raises(RunError, match="resume"):
        reproduce(one, progress=False)


def test_the_first_difference_is_named(tmp_path):
    stage = read_stage(finished(tmp_path / "one"))
    losses = stage.history["train_loss"].copy()
    losses[7, 1, 0] *= np.float32(1.5)
    other = {**stage.metrics, "train_loss": Metric(losses, "step")}
    largest, where = compared(stage, stage._replace(metrics=other))
    assert largest > 0.1 and where == "train_loss, row 7, lane lr 0.05, seed 0"
    assert compared(stage, stage) == (0.0, "")


@pytest.mark.slow
def test_a_search_on_time_is_repeated_with_its_clock(tmp_path, monkeypatch):
    path = tmp_path / "find.toml"
    lines = [line for line in TOML.format(width=2).splitlines() if not line.startswith("lr")]
    path.write_text("\n".join([*lines, "eval_every = 3", 'budget = "20s"']))
    experiment = config.load(str(path), command="find")
    ticks = itertools.accumulate([0.0, 1.0, 12.0, *[2.0] * 99])
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    with monkeypatch.context() as patch:  # a machine that is slow at first
        patch.setattr("lrlab.training.clock.time", clock)
        api.run("find", experiment, out=str(tmp_path / "run"), progress=False)
    before = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert any("cut_for_time_to" in rung for rung in before["details"]["rungs"])
    found = reproduce(tmp_path / "run", progress=False)
    assert found.level == IDENTICAL, found


@pytest.mark.slow
def test_another_answer_from_the_same_curves_is_different(tmp_path):
    one = finished(tmp_path / "one")
    summary = json.loads((one / "summary.json").read_text())
    summary["best"]["lr"] = 7.0
    (one / "summary.json").write_text(json.dumps(summary))
    found = reproduce(one, progress=False)
    assert found.level == DIFFERENT and found.where == "answer.best.lr"


COMPARISON = """
steps = 30
batch_size = 16
seeds = 2
budget = 5
schedule.name = "constant"
task.name = "wine-linear"
compare = {sgd = {optimizer = "sgd"}, adam = {optimizer = "adam"}}
"""


@pytest.mark.slow
def test_a_comparison_and_a_search_inside_it(tmp_path):
    written = tmp_path / "two.toml"
    written.write_text(COMPARISON)
    place = tmp_path / "two"
    experiment = config.load(str(written), command="compare")
    api.run("compare", experiment, out=str(place), progress=False)
    assert read_stage(place / "sgd", stages(place / "sgd")[-1]).axes["seed"].tolist() == [
        *range(1001, 1006)  # the lanes that the comparison is made on
    ]
    inside = reproduce(place / "sgd", progress=False)
    assert inside.level == IDENTICAL, inside
    whole = reproduce(place, progress=False)
    assert whole.level == IDENTICAL and "sgd, adam" in whole.sentence
    text = (place / "adam" / "config.toml").read_text()
    (place / "adam" / "config.toml").write_text(text.replace("seed = 0", "seed = 5", 1))
    whole = reproduce(place, progress=False)
    assert whole.level == DIFFERENT and whole.where.startswith("adam, ")
    assert "sgd: Bit-identical" in whole.sentence


@pytest.mark.slow
def test_a_study(tmp_path):
    written = tmp_path / "study.toml"
    written.write_text(TOML.format(width=1) + '[study]\naxis = "batch_size"\nvalues = [8, 16]\n')
    experiment = config.load(str(written), command="study")
    api.run("study", experiment, out=str(tmp_path / "study"), progress=False)
    assert reproduce(tmp_path / "study", progress=False).level == IDENTICAL


def test_a_search_says_how_many_lanes_follow_its_answer(tmp_path):
    written = tmp_path / "one.toml"
    written.write_text(COMPARISON.replace("compare", "#") + 'optimizer.name = "sgd"\n')
    experiment = config.load(str(written), command="find")
    run_find(Job(experiment, out=tmp_path / "one"), final_seeds=3)
    info = json.loads((tmp_path / "one" / "run.json").read_text())
    assert info["final_seeds"] == 3
    last = read_stage(tmp_path / "one", stages(tmp_path / "one")[-1])
    assert len(last.axes["seed"]) == 3 and len(last.axes["lr"]) == 1
