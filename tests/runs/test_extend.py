"""Steps raised for a run that has begun."""

from __future__ import annotations

import numpy as np
import pytest
from stopped_runs import SWEEP, written

from lrlab import runs
from lrlab.cli.app import run as command
from lrlab.runs import RunError
from lrlab.runs.reader import read_stage
from lrlab.training.continuation import longer_evaluations

pytestmark = pytest.mark.usefixtures("every_segment")


def test_steps_are_raised_where_the_schedule_permits(tmp_path, capsys):
    path = written(tmp_path, SWEEP)
    place = str(tmp_path / "run")
    assert command(["sweep", path, "--out", place, "-q"]) == 0
    assert command(["resume", place, "--set", "steps=41", "-q"]) == 0
    whole = str(tmp_path / "whole")
    at_once = ["--set", "steps=41", "--set", "eval_every=6"]
    assert command(["sweep", path, "--out", whole, "-q", *at_once]) == 0
    longer, same = read_stage(place), read_stage(whole)
    for name, values in longer.history.items():
        np.testing.assert_array_equal(values, same.history[name], err_msg=name)
    assert longer.eval_steps.tolist() == same.eval_steps.tolist()
    assert (longer.outcome == same.outcome).all() and runs.check(place) == []
    capsys.readouterr()
    assert command(["resume", place, "--set", "steps=30"]) == 2
    assert "not lowered" in capsys.readouterr().err
    assert command(["resume", place, "--set", "steps=60", "--set", "batch_size=8"]) == 2
    assert "batch_size: 16 -> 8" in capsys.readouterr().err
    cosine = written(tmp_path, SWEEP.replace("constant", "cosine"))
    assert command(["sweep", cosine, "--out", str(tmp_path / "cosine"), "-q"]) == 0
    assert command(["resume", str(tmp_path / "cosine"), "--set", "steps=60"]) == 2
    assert "the schedule depends on them: at update 1" in capsys.readouterr().err
    assert runs.check(tmp_path / "cosine") == []


@pytest.mark.slow
def test_a_crash_while_steps_are_raised_is_repaired(tmp_path, monkeypatch):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"
    assert command(["sweep", path, "--out", str(place), "-q"]) == 0
    before = read_stage(place).history["train_loss"]

    def crash(*arguments):
        raise KeyboardInterrupt

    for victim in ("resize", "fixed_files"):
        with monkeypatch.context() as patch:
            patch.setattr(f"lrlab.runs.extend.zarr_arrays.{victim}", crash)
            assert command(["resume", str(place), "--set", "steps=30", "-q"]) == 130
        assert [finding.file for finding in runs.check(place)] == ["longer.json"]
        with pytest.raises(RunError, match="lrlab resume"):
            runs.open_run(place)
    assert command(["resume", str(place), "-q"]) == 0
    after = read_stage(place).history["train_loss"]
    assert len(after) == 30
    np.testing.assert_array_equal(after[:24], before)


def test_evaluation_points_of_a_longer_run_begin_with_its_own():
    assert longer_evaluations([3, 6, 8], 3, 14) == [3, 6, 8, 9, 12, 14]
    assert longer_evaluations([1, 2, 3], None, 5) == [1, 2, 3, 4, 5]
