"""Runs that are stopped and continued: the same bits, refusals that say why, nothing elsewhere."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import flax.linen as nn
import numpy as np
import optax
import pytest
from few import few
from stopped_runs import SWEEP, equal, stopped, written

import lrlab
from lrlab import api, runs
from lrlab.cli.app import run as command
from lrlab.core.errors import Interrupted
from lrlab.core.paths import shown
from lrlab.runs import RunError, Unwritable, zarr_arrays
from lrlab.runs.reader import read_stage
from lrlab.training.clock import clock_of

pytestmark = pytest.mark.usefixtures("every_segment")


@pytest.mark.slow
def test_rows_past_the_commit_are_discarded_by_every_reader(tmp_path, monkeypatch):
    path = written(tmp_path, SWEEP)
    stopped(monkeypatch, after=2)
    assert command(["sweep", path, "--out", str(tmp_path / "run"), "-q"]) == 130
    place = tmp_path / "run"
    committed = int(json.loads((place / "commit.json").read_text())["info"]["step"])
    store = place / "history.zarr"
    array = zarr_arrays.create(store, "train_loss", (24, 2, 2), np.float32, ["step", "lr", "seed"])
    late = np.full((3, 4), 7.0, np.float32)
    zarr_arrays.put(array, [(committed, np.arange(4), late)])
    values = read_stage(place).history["train_loss"]
    assert np.isfinite(values[:committed, 0]).all() and np.isnan(values[committed:]).all()
    monkeypatch.undo()
    assert command(["resume", str(place), "-q"]) == 0
    assert command(["sweep", path, "--out", str(tmp_path / "whole"), "-q"]) == 0
    equal(place, tmp_path / "whole")


def mine(scale=1.0, data=0.0):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) + data
    y = (x[:, 0] > 0).astype(int)

    def loss(outputs, targets):
        return scale * optax.softmax_cross_entropy_with_integer_labels(outputs, targets)

    return lrlab.Task.supervised(
        name="mine", model=nn.Dense(2), loss=loss, train=(x, y), valid=(x, y)
    )


def test_a_task_made_in_python_is_continued_and_another_is_refused(tmp_path, monkeypatch, capsys):
    options = dict(lr=[0.1, 0.01], optimizer="sgd", steps=20, batch_size=8, seeds=1,
                   progress=False, plan=lrlab.Plan(2, None, 4))  # fmt: skip
    whole = lrlab.sweep(mine(), **options)
    place = tmp_path / "run"
    with monkeypatch.context() as patch:
        stopped(patch, after=2)
        with pytest.raises(Interrupted):
            lrlab.sweep(mine(), out=place, **options)
    assert command(["resume", str(place)]) == 2
    assert "made in Python" in capsys.readouterr().err
    with pytest.raises(RunError, match="another experiment: the code of the model, loss"):
        lrlab.sweep(mine(scale=2.0), out=place, **options)
    with pytest.raises(RunError, match="the data changed since the run began"):
        lrlab.sweep(mine(data=0.5), out=place, **options)
    with pytest.raises(RunError, match=r"another experiment: the configuration \(lr: "):
        lrlab.sweep(mine(), out=place, **{**options, "lr": [0.1, 0.02]})
    resumed = lrlab.sweep(mine(), out=place, **options)
    for name, values in whole.history.items():
        np.testing.assert_array_equal(resumed.history[name], values, err_msg=name)


COMPARE = """
steps = 24
batch_size = 16
seeds = 2
budget = 4
task.name = "iris-linear"
plan.tile_width = 1
compare = {a = {optimizer = "sgd"}, b = {optimizer = "sgd", lr_range = [0.1, 1.0]}}
"""


@pytest.mark.slow
def test_a_comparison_is_continued_from_its_folder(tmp_path, monkeypatch, capsys):
    path = written(tmp_path, COMPARE)
    place, whole = tmp_path / "run", tmp_path / "whole"
    assert command(["compare", path, "--out", str(whole), "-q"]) == 0
    with monkeypatch.context() as patch:
        stopped(patch, after=25)
        assert command(["compare", path, "--out", str(place), "-q"]) == 130
    assert f"lrlab resume {shown(place)}" in capsys.readouterr().err
    assert runs.check(place) == []
    assert command(["show", str(place)]) == 0
    assert command(["resume", str(place), "-q"]) == 0
    for entry in ("a", "b"):
        equal(place / entry, whole / entry)
    capsys.readouterr()
    assert command(["resume", str(place)]) == 0 and "is done" in capsys.readouterr().out
    assert runs.check(place) == []
    assert command(["report", str(place), "--no-figures"]) == 0
    (place / "b" / "summary.json").write_text("{}")
    assert any(f.file == "b/summary.json" for f in runs.check(place))


FIND = """
steps = 24
eval_every = 2
batch_size = 16
seeds = 2
budget = 14
confidence = "none"
task.name = "iris-linear"
optimizer.name = "sgd"
plan = {tile_width = 4, segment_steps = 3}
"""


@pytest.mark.slow
@pytest.mark.parametrize("budget", few(["14", '"40s"'], 1))
def test_a_search_is_continued_to_the_same_answer_in_every_field(budget, tmp_path, monkeypatch):
    path = written(tmp_path, FIND.replace("budget = 14", f"budget = {budget}"))
    place, whole = tmp_path / "run", tmp_path / "whole"

    def answer(folder: Path) -> dict:
        summary = json.loads((folder / "summary.json").read_text())
        return {k: v for k, v in summary.items() if k not in ("seconds", "run")}

    def ticking() -> None:  # the machine's pace must not decide what this test sees
        ticks = itertools.count(1.0, 1.5)
        clock = SimpleNamespace(monotonic=lambda: next(ticks))
        monkeypatch.setattr("lrlab.training.clock.time", clock)

    ticking()
    assert command(["find", path, "--out", str(whole), "-q"]) == 0
    expected = answer(whole)
    assert len(expected["details"]["rungs"]) == 2
    for after in (1, 6, 14, 26):  # after the first rung, after the second, in later stages
        ticking()
        with monkeypatch.context() as patch:
            stopped(patch, after=after, error=KeyboardInterrupt)
            assert command(["find", path, "--out", str(place), "-q"]) == 130
        assert command(["resume", str(place), "-q"]) == 0
        equal(place, whole)
        assert answer(place) == expected, after
        shutil.rmtree(place)


def test_two_ctrl_c_end_at_once_and_say_how_to_continue(tmp_path, monkeypatch, capsys):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"
    with monkeypatch.context() as patch:
        stopped(patch, after=2, error=KeyboardInterrupt)
        assert command(["sweep", path, "--out", str(place), "-q"]) == 130
    assert f"continue with: lrlab resume {shown(place)}" in capsys.readouterr().err
    assert json.loads((place / "run.json").read_text())["status"] == "interrupted"
    assert command(["resume", str(place), "-q"]) == 0


def test_a_full_disk_ends_with_status_3_and_the_run_is_continued(tmp_path, monkeypatch, capsys):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lrlab.runs.recorder.save_checkpoint", full)
        assert command(["sweep", path, "--out", str(place), "-q"]) == 3
    text = capsys.readouterr().err
    assert "No space left" in text and f"lrlab resume {shown(place)}" in text
    assert command(["resume", str(place), "-q"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr("lrlab.core.files.os.replace", full)
        with pytest.raises(Unwritable, match="No space left"):
            runs.write_text(place / "x", "text")
    assert not (place / "x").exists()


@pytest.mark.slow
def test_what_cannot_be_written_is_reported_in_one_sentence(tmp_path):
    """Files that may not grow fail where a full disk does: in the threads of orbax and tensorstore,
    which print tracebacks of their own."""
    pytest.importorskip("resource")
    path = written(tmp_path, SWEEP.replace('"iris-linear"', '"wine-mlp"').replace("1e38", "0.1"))
    environment = {**os.environ, "LRLAB_CACHE": str(tmp_path / "cache")}
    wide = ["--set", "task.model.width=256"]
    # Set by the child itself: between fork and exec, JAX's threads could wait for each other.
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, 1 << 15)); "
        "from lrlab.cli import main; main(sys.argv[1:])"
    )
    started = [sys.executable, "-c", limited, "sweep", path, "--out", "run", "-q", *wide]
    done = subprocess.run(started, cwd=tmp_path, env=environment, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 3 and len(lines) == 1, done.stderr
    assert "File too large" in lines[0] and "lrlab resume run" in lines[0]
    assert command(["resume", str(tmp_path / "run"), "-q"]) == 0


def test_the_second_process_is_refused_before_anything_is_loaded(tmp_path, monkeypatch, capsys):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"
    with monkeypatch.context() as patch:
        stopped(patch, after=1)
        assert command(["sweep", path, "--out", str(place), "-q"]) == 130
    with runs.opened(place) as folder:
        held = folder.writer()
    monkeypatch.setattr(api, "run", None)  # not to be reached
    capsys.readouterr()
    for arguments in (["resume", str(place)], ["sweep", path, "--out", str(place)]):
        assert command(arguments) == 2
        assert "in use by process" in capsys.readouterr().err
    held.close("interrupted")


@pytest.mark.slow
def test_nothing_is_written_but_the_run_and_the_cache(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(), work.mkdir()
    path = written(tmp_path, SWEEP)
    hidden = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LRLAB_CACHE", "MPLCONFIGDIR")
    environment = {k: v for k, v in os.environ.items() if k not in hidden} | {"HOME": str(home)}
    started = [sys.executable, "-m", "lrlab.cli", "sweep", path, "--out", "run", "--quiet"]
    done = subprocess.run(started, cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [entry.name for entry in work.iterdir()] == ["run"]
    files = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert all(name.startswith(".cache/lrlab/") for name in files), files


@pytest.mark.slow
def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"
    now = itertools.count(10**9, -(10**6))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    assert command(["sweep", path, "--out", str(place), "-q"]) == 0
    monkeypatch.undo()
    assert runs.check(place) == []


def test_a_search_on_time_decides_again_as_it_did(tmp_path):
    run = runs.create(tmp_path / "run", "x", "find", "", {})
    first = clock_of(run)
    readings = [first() for _ in range(3)]
    again = clock_of(run)
    assert [again() for _ in range(3)] == readings
    assert again() >= readings[-1]
    run.close()
