"""`lrlab reproduce`: bits where nothing changed, tolerance where tiles differ, and where else."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest

from lrlab import api, config
from lrlab.api.reproducing import DIFFERENT, IDENTICAL, WITHIN, compared, reproduce
from lrlab.runs import RunError
from lrlab.runs.stored import read_stage

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
    largest, where = compared(
        stage, stage._replace(history={**stage.history, "train_loss": losses})
    )
    assert largest > 0.1 and where == "train_loss, row 7, lane lr 0.05, seed 0"
    assert compared(stage, stage) == (0.0, "")


def test_a_search_on_time_is_repeated_with_its_clock(tmp_path, monkeypatch):
    path = tmp_path / "find.toml"
    lines = [line for line in TOML.format(width=2).splitlines() if not line.startswith("lr")]
    path.write_text("\n".join([*lines, "eval_every = 3", 'budget = "20s"']))
    experiment = config.load(str(path), command="find")
    ticks = itertools.accumulate([0.0, 1.0, 12.0, *[2.0] * 99])
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    with monkeypatch.context() as patch:  # a machine that is slow at first
        patch.setattr("lrlab.api.recording.time", clock)
        api.run("find", experiment, out=str(tmp_path / "run"), progress=False)
    before = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert any("cut_for_time_to" in rung for rung in before["details"]["rungs"])
    found = reproduce(tmp_path / "run", progress=False)
    assert found.level == IDENTICAL, found


COMPARE = """
steps = 16
batch_size = 16
seeds = 2
budget = 3
task.name = "iris-linear"
plan.tile_width = 1
compare = {a = {optimizer = "sgd"}, b = {optimizer = "adam"}}
"""


def test_a_comparison_s_entries_are_repeated_with_their_fresh_seeds(tmp_path):
    (tmp_path / "c.toml").write_text(COMPARE)
    experiment = config.load(str(tmp_path / "c.toml"), command="compare")
    api.run("compare", experiment, out=str(tmp_path / "run"), progress=False)
    with pytest.raises(RunError, match="holds no lanes itself; its runs are .*run/a"):
        reproduce(tmp_path / "run", progress=False)
    found = reproduce(tmp_path / "run" / "a", progress=False)
    assert found.level == IDENTICAL, found


def test_another_answer_from_the_same_curves_is_different(tmp_path):
    one = finished(tmp_path / "one")
    summary = json.loads((one / "summary.json").read_text())
    summary["best"]["lr"] = 7.0
    (one / "summary.json").write_text(json.dumps(summary))
    found = reproduce(one, progress=False)
    assert found.level == DIFFERENT and found.where == "answer.best.lr"
