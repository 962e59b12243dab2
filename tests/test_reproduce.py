"""`lrlab reproduce`: bits where nothing changed, tolerance where tiles differ, and where else."""

from __future__ import annotations

import json

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
