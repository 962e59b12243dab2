"""Runs that end badly and go on: bits, refusals that say why, old folders, nothing elsewhere."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from few import few
from places import FIXTURES

import lrlab
from lrlab import api, config, runs
from lrlab.cli.app import run as command
from lrlab.engine import cache
from lrlab.engine.loop import Interrupted
from lrlab.runs import RunError, Unwritable, recorder, zarr_arrays
from lrlab.runs.reader import read_stage
from lrlab.training.clock import clock_of
from lrlab.training.continuation import longer_evaluations
from lrlab.workflows import find

pytestmark = pytest.mark.usefixtures("without_figures")


SWEEP = """
steps = 24
eval_every = 6
batch_size = 16
seeds = 2
lr = [0.05, 1e38]
task.name = "iris-linear"
optimizer.name = "momentum"
schedule.name = "constant"
plan = {tile_width = 2, segment_steps = 5}
"""

COMPARE = """
steps = 24
batch_size = 16
seeds = 2
budget = 4
task.name = "iris-linear"
plan.tile_width = 1
compare = {a = {optimizer = "sgd"}, b = {optimizer = "sgd", lr_range = [0.1, 1.0]}}
"""


@pytest.fixture(autouse=True)
def every_segment(monkeypatch):
    """A commit at every segment's end."""
    monkeypatch.setattr(recorder, "INTERVAL", 0.0)


def stopped(monkeypatch, after: int, error: type[BaseException] | None = None):
    """Ctrl-C once after so many segments (or, with `error`, an accident then)."""
    asked: list[int] = []

    def ask() -> bool:
        asked.append(1)
        if error is not None and len(asked) > after:
            raise error
        return len(asked) > after

    monkeypatch.setattr(find, "interruptible", lambda *_: contextlib.nullcontext(ask))


def written(place: Path, text: str, name: str = "c.toml") -> str:
    (place / name).write_text(text)
    return str(place / name)


def equal(one: Path, other: Path) -> None:
    assert runs.stages(one) == runs.stages(other)
    for name in runs.stages(one):
        a, b = read_stage(one, name), read_stage(other, name)
        for kind in ("axes", "history", "evaluated", "initial"):
            assert getattr(a, kind).keys() == getattr(b, kind).keys()
            for key, values in getattr(a, kind).items():
                np.testing.assert_array_equal(values, getattr(b, kind)[key], err_msg=key)
        for kind in ("outcome", "diverged_at", "steps_trained", "last_loss"):
            np.testing.assert_array_equal(getattr(a, kind), getattr(b, kind), err_msg=kind)


@pytest.mark.parametrize("stored", ["format-1", "format-2"])
def test_old_runs_open(stored, tmp_path, capsys):
    folder = str(FIXTURES / stored)
    result = lrlab.load(folder)
    assert result.history["train_loss"].shape == (12, 3, 2)
    assert 0.05 < result.best().lr < 0.2  # newer rules read the same numbers
    assert runs.check(folder) == []
    assert command(["doctor", folder, "--json"]) == 0
    assert command(["show", folder]) == 0
    assert command(["report", folder, "--out", str(tmp_path), "--no-figures"]) == 0
    assert "stored" in (tmp_path / "report.html").read_text()
    capsys.readouterr()
    assert command(["resume", folder]) == 0
    assert "is done" in capsys.readouterr().out
    assert command(["resume", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["best"]["lr"] == 0.1


def test_an_unfinished_run_of_an_older_format_is_not_gone_on_with(tmp_path):
    shutil.copytree(FIXTURES / "format-1", tmp_path / "old")
    path = tmp_path / "old" / "run.json"
    path.write_text(path.read_text().replace('"finished"', '"interrupted"'))
    with pytest.raises(RunError, match="older lrlab"):
        with runs.opened(tmp_path / "old") as folder:
            folder.writer()


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
    zarr_arrays.put(array, committed, [(committed, np.arange(4), late)])
    values = read_stage(place).history["train_loss"]
    assert np.isfinite(values[:committed, 0]).all() and np.isnan(values[committed:]).all()
    monkeypatch.undo()
    assert command(["resume", str(place), "-q"]) == 0
    assert command(["sweep", path, "--out", str(tmp_path / "whole"), "-q"]) == 0
    equal(place, tmp_path / "whole")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("history.zarr/train_loss/c/0/0/0", "missing"),
        ("history.zarr/valid_loss/zarr.json", "missing"),
        ("config.toml", "missing"),
        ("commit.json", None),
    ],
)
def test_a_piece_missing_from_an_unfinished_run_is_found(file, words, tmp_path, monkeypatch):
    stopped(monkeypatch, after=3)
    with pytest.raises(Interrupted):
        experiment = config.load(written(tmp_path, SWEEP), command="sweep")
        api.run("sweep", experiment, out=str(tmp_path / "run"), progress=False)
    assert runs.check(tmp_path / "run") == []
    (tmp_path / "run" / file).unlink()
    found = runs.check(tmp_path / "run")
    if words:
        assert any(words in finding.problem for finding in found)
    monkeypatch.undo()
    if file != "commit.json":  # without it, nothing is committed: the run starts again
        with pytest.raises(RunError, match=Path(file).name):
            api.resume(tmp_path / "run", progress=False)


def test_a_number_changed_in_the_record_is_found(tmp_path, monkeypatch):
    stopped(monkeypatch, after=3)
    path = written(tmp_path, SWEEP)
    assert command(["sweep", path, "--out", str(tmp_path / "run"), "-q"]) == 130
    for name, old, new in (
        ("commit.json", '"cohort": 0', '"cohort": 1'),
        ("run.json", '"tile_width": 2', '"tile_width": 3'),
        ("config.toml", "seed = 0", "seed = 1"),
    ):
        place = tmp_path / "run" / name
        whole = place.read_text()
        changed = whole.replace(old, new)
        assert changed != whole
        place.write_text(changed)
        assert any(name in finding.file for finding in runs.check(tmp_path / "run"))
        with pytest.raises(RunError, match=name):
            api.resume(tmp_path / "run", progress=False)
        place.write_text(whole)
    place = tmp_path / "run" / "run.json"
    info = json.loads(place.read_text())
    place.write_text(json.dumps({**info, "status": "gone"}))
    assert "unknown status" in runs.check(tmp_path / "run")[0].problem
    monkeypatch.undo()
    assert command(["resume", str(tmp_path / "run"), "-q"]) == 0


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
def test_a_crash_while_steps_are_raised_is_mended(tmp_path, monkeypatch):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"
    assert command(["sweep", path, "--out", str(place), "-q"]) == 0
    before = read_stage(place).history["train_loss"]

    def crash(*given):
        raise KeyboardInterrupt

    for victim in ("resize", "fixed_files"):
        with monkeypatch.context() as patch:
            patch.setattr(f"lrlab.runs.extend.history.{victim}", crash)
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


def mine(scale=1.0, data=0.0):
    import flax.linen as nn

    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) + data
    y = (x[:, 0] > 0).astype(int)

    def loss(outputs, targets):
        import optax

        return scale * optax.softmax_cross_entropy_with_integer_labels(outputs, targets)

    return lrlab.Task.supervised(
        name="mine", model=nn.Dense(2), loss=loss, train=(x, y), valid=(x, y)
    )


def test_a_task_made_in_python_goes_on_and_another_is_refused(tmp_path, monkeypatch, capsys):
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


@pytest.mark.slow
def test_a_comparison_goes_on_from_its_folder(tmp_path, monkeypatch, capsys):
    path = written(tmp_path, COMPARE)
    place, whole = tmp_path / "run", tmp_path / "whole"
    assert command(["compare", path, "--out", str(whole), "-q"]) == 0
    with monkeypatch.context() as patch:
        stopped(patch, after=25)
        assert command(["compare", path, "--out", str(place), "-q"]) == 130
    assert f"lrlab resume {place}" in capsys.readouterr().err
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
task.name = "iris-linear"
optimizer.name = "sgd"
plan = {tile_width = 4, segment_steps = 3}
"""


@pytest.mark.slow
@pytest.mark.parametrize("budget", few(["14", '"40s"'], 1))
def test_a_search_goes_on_to_the_same_answer_in_every_field(budget, tmp_path, monkeypatch):
    path = written(tmp_path, FIND.replace("budget = 14", f"budget = {budget}"))
    place, whole = tmp_path / "run", tmp_path / "whole"

    def answer(folder: Path) -> dict:
        found = json.loads((folder / "summary.json").read_text())
        return {k: v for k, v in found.items() if k not in ("seconds", "run")}

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


def test_two_ctrl_c_end_at_once_and_say_how_to_go_on(tmp_path, monkeypatch, capsys):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"
    with monkeypatch.context() as patch:
        stopped(patch, after=2, error=KeyboardInterrupt)
        assert command(["sweep", path, "--out", str(place), "-q"]) == 130
    assert f"continue with: lrlab resume {place}" in capsys.readouterr().err
    assert json.loads((place / "run.json").read_text())["status"] == "interrupted"
    assert command(["resume", str(place), "-q"]) == 0


def test_a_full_disk_ends_with_status_3_and_the_run_goes_on(tmp_path, monkeypatch, capsys):
    path, place = written(tmp_path, SWEEP), tmp_path / "run"

    def full(*given):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lrlab.runs.recorder.save_checkpoint", full)
        assert command(["sweep", path, "--out", str(place), "-q"]) == 3
    told = capsys.readouterr().err
    assert "No space left" in told and f"lrlab resume {place}" in told
    assert command(["resume", str(place), "-q"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr("lrlab.runs.seals.os.replace", full)
        with pytest.raises(Unwritable, match="No space left"):
            runs.write_text(place / "x", "text")
    assert not (place / "x").exists()


@pytest.mark.slow
def test_what_cannot_be_written_is_told_in_one_sentence(tmp_path):
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


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    import itertools
    import time

    path, place = written(tmp_path, SWEEP), tmp_path / "run"
    now = itertools.count(10**9, -(10**6))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    assert command(["sweep", path, "--out", str(place), "-q"]) == 0
    monkeypatch.undo()
    assert runs.check(place) == []


def test_a_search_on_time_decides_again_as_it_did(tmp_path):
    run = runs.create(tmp_path / "run", "x", "find", "", {})
    first = clock_of(run)
    told = [first() for _ in range(3)]
    again = clock_of(run)
    assert [again() for _ in range(3)] == told
    assert again() >= told[-1]
    run.close()


def test_programs_in_the_cache_that_others_may_write_are_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    cache.keep_program("p", b"program")
    assert cache.kept_program("p") == b"program"
    path = tmp_path / "compiled" / "p"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert cache.kept_program("p") is None
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    path.parent.chmod(0o777)
    assert cache.kept_program("p") is None
    path.parent.chmod(0o700)
    path.chmod(0o666)
    assert cache.kept_program("p") is None
