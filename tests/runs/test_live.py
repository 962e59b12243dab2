"""Runs that are read while another process writes them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from live_run import RATES, STEPS, LiveRun, losses

from lrlab import runs
from lrlab.core.errors import RunError
from lrlab.report.content import standing, summary
from lrlab.report.content.reading import read_live
from lrlab.runs import live
from lrlab.runs.lock import holder_lives


def test_nothing_is_committed_yet(tmp_path):
    written = LiveRun(tmp_path / "run")
    with pytest.raises(RunError, match="nothing is committed yet"):
        runs.read_live(tmp_path / "run")
    assert runs.status_of(tmp_path / "run")[1] == "running"
    written.run.close("interrupted")
    assert runs.status_of(tmp_path / "run")[1] == "interrupted"


def test_lanes_under_way_are_shown_as_far_as_they_are(tmp_path):
    written = LiveRun(tmp_path / "run")
    written.advance(25)
    data = read_live(tmp_path / "run")
    assert set(data.outcome.ravel()) == {"training"} and data.status == "running"
    assert data.standing == data.standing._replace(done=18 * 25, total=18 * STEPS, alive=18)
    assert data.standing.left == pytest.approx(2.5 * 35 / 25, abs=1e-9)
    best = standing.best_so_far(data)
    assert best is not None and best.lr == pytest.approx(0.1, abs=1e-9)
    np.testing.assert_allclose(
        data.record.history["train_loss"][:25, :, 0], losses(RATES, np.arange(25)), atol=1e-12
    )
    assert np.isnan(data.record.history["train_loss"][25:]).all()
    written.advance(45)
    data = read_live(tmp_path / "run")
    assert {"training", "diverged"} == set(data.outcome.ravel())
    assert data.standing.alive == 16 and summary.diverged_from(data) == pytest.approx(10, abs=1e-6)
    assert standing.line(data).startswith("76 % done, 16 of 18 lanes alive, best valid_loss")
    written.finish()
    data = read_live(tmp_path / "run")
    assert data.status == "" and data.answer is not None and data.standing is None


def test_lanes_that_do_not_fill_the_grid_stand_where_they_belong(tmp_path):
    """As in a search: other seeds for other rates."""
    cells = np.array([4, 0, 9])
    written = LiveRun(tmp_path / "run", "find", cells)
    written.advance(20)
    data = read_live(tmp_path / "run")
    ran = np.flatnonzero(data.outcome.ravel() != "not_run")
    assert ran.tolist() == sorted(cells)
    np.testing.assert_allclose(
        data.record.initial["valid_loss"].ravel()[cells], np.full(3, 3.0), atol=0
    )
    # A crash here: what is read of the folder later is the same.
    written.run.close("failed")
    record = runs.read_stage(tmp_path / "run")
    np.testing.assert_array_equal(record.history["train_loss"], data.record.history["train_loss"])


def test_several_stages_are_one_grid(tmp_path):
    written = LiveRun(tmp_path / "run", "find", np.array([0, 2, 4]))
    written.advance(20)
    written.advance(STEPS)
    written.stage.finish()
    written.cells, written.lr = np.array([6, 8]), np.repeat(RATES, 2)[[6, 8]]
    written.begin("2")
    written.done = 0
    written.begin = lambda name="2": written.stage
    written.advance(20)
    data = read_live(tmp_path / "run")
    assert data.standing.stage == 2 and data.standing.total == 2 * STEPS
    assert data.outcome.ravel()[[0, 2, 4, 6, 8]].tolist() == ["ok"] * 3 + ["training"] * 2
    assert "of stage 2" in standing.sentence(data)
    written.run.close("interrupted")
    assert standing.sentence(read_live(tmp_path / "run")).startswith("Interrupted, at 33 %")


def test_a_commit_that_comes_in_between_is_read_whole(tmp_path, monkeypatch):
    """The checkpoint that was named is gone when its arrays are asked for."""
    written = LiveRun(tmp_path / "run")
    written.advance(10)
    some, reads = live.some_arrays, []

    def late(folder, commit, names):
        reads.append(commit["number"])
        if len(reads) == 1:
            written.advance(20)
            written.advance(30)
        return some(folder, commit, names)

    monkeypatch.setattr(live, "some_arrays", late)
    found = runs.read_live(tmp_path / "run")
    assert reads == [1, 3] and found.standing.done == 18 * 30


def test_looking_takes_no_lock_and_writes_nothing(tmp_path):
    written = LiveRun(tmp_path / "run")
    written.advance(25)
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    read_live(tmp_path / "run")
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before
    written.finish()  # the writer was not disturbed


def test_a_killed_process_is_told_from_one_that_runs(tmp_path):
    written = LiveRun(tmp_path / "run")
    assert holder_lives(tmp_path / "run") is True
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    holder = tmp_path / "run" / "lock.holder"
    holder.write_text(holder.read_text().replace(str(os.getpid()), str(ended.pid)))
    assert runs.status_of(tmp_path / "run")[1] == "stopped"
    holder.write_text("process 1 on another machine\n")
    assert runs.status_of(tmp_path / "run")[1] == "running"
    written.run.lock.release()


def test_the_version_changes_with_every_commit(tmp_path):
    written = LiveRun(tmp_path / "run")
    seen = [runs.version(tmp_path / "run")]
    for end in (10, 20):
        written.advance(end)
        seen.append(runs.version(tmp_path / "run"))
    written.finish()
    seen.append(runs.version(tmp_path / "run"))
    assert len(set(seen)) == 4
