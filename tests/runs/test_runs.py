"""Run folders: whole or absent, resumable, locked, and honest about damage."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from places import TESTS

from lrlab import runs
from lrlab.runs import RunError, zarr_arrays
from lrlab.runs.reader import read_stage

AXES = {"lr": np.array([0.1, 0.3, 0.2]), "seed": np.array([4, 7])}
EVALS = [5, 10]


def make(path, interval=0.0):
    return runs.create(path, "test", "sweep", "steps = 10\n", {"fingerprint": "abc"}, interval)


def fill(stage, first, count, commit=True, value=1.0):
    lanes = np.arange(6)
    for start in range(first, first + count):
        stage.rows("train_loss", "step", start, lanes, np.full((1, 6), value * start, np.float32))
    if commit:
        stage.commit(arrays(), {"cohort": 0, "step": first + count, "seconds": 0.5})


def arrays():
    return {
        "outcome": np.array([0, 1, 0, 2, 3, 0], np.int8),
        "diverged_at": np.array([-1, 3, -1, -1, -1, -1]),
        "steps_trained": np.full(6, 10),
        "last_loss": np.linspace(0, 1, 6),
        "lanes": np.empty(0, np.int64),
        "state_0000": np.arange(12, dtype=np.float32).reshape(6, 2),
        "state_0001": np.array(3, np.int32),
    }


def reopened(path):
    """An unfinished run, to be continued."""
    with runs.opened(path) as folder:
        return folder.writer()


def stage_of(run):
    return run.stage("", 10, EVALS, AXES, np.arange(6))


@pytest.fixture
def finished(tmp_path):
    run = make(tmp_path / "run")
    stage = stage_of(run)
    fill(stage, 0, 10)
    stage.wait()
    stage.rows("valid_loss", "eval_step", 1, np.arange(6), np.full((1, 6), 0.25, np.float32))
    stage.commit(arrays(), {"cohort": 1, "step": 0, "seconds": 1.0})
    stage.finish()
    run.finish({"lr": 0.1, "bad": float("nan")})
    run.close()
    return tmp_path / "run"


def test_what_is_recorded_comes_back(finished):
    stage = read_stage(finished)
    assert stage.history["train_loss"].shape == (10, 3, 2)
    assert stage.history["train_loss"].dtype == np.float32
    assert stage.history["train_loss"][7].tolist() == [[7.0, 7.0]] * 3
    assert np.isnan(stage.evaluated["valid_loss"][0]).all()
    assert stage.outcome_names.tolist() == [["ok", "diverged"], ["ok", "pruned"], ["not_run", "ok"]]
    assert json.loads((finished / "summary.json").read_text())["bad"] is None
    assert runs.check(finished) == []
    data = runs.dataset(finished)
    assert data["train_loss"].dims == ("step", "lr", "seed")
    assert data["lr"].values.tolist() == [0.1, 0.3, 0.2]


def test_zarr_and_xarray_open_the_history(finished):
    import xarray

    data = xarray.open_zarr(finished / "history.zarr", consolidated=False, zarr_format=3)
    assert data["train_loss"].dims == ("step", "lr", "seed")
    assert data["train_loss"].sel(step=3, seed=7).values.tolist() == [3.0, 3.0, 3.0]


def test_rows_after_the_last_commit_are_written_again(tmp_path):
    run = make(tmp_path / "run")
    stage = stage_of(run)
    fill(stage, 0, 4)
    fill(stage, 4, 2, commit=False)
    run.close("interrupted")
    again = reopened(tmp_path / "run")
    stage = stage_of(again)
    saved, info = stage.saved()
    assert info["step"] == 4
    for name, values in arrays().items():
        assert saved[name].dtype == values.dtype
        assert np.array_equal(saved[name], values), name
    metrics = stage.metrics()
    assert np.isnan(metrics["train_loss"].values[4:]).all()
    fill(stage, 4, 6)
    stage.wait()
    assert stage.metrics()["train_loss"].values[:, 0].tolist() == list(range(10))
    again.close()


def test_a_finished_run_is_done_and_a_second_one_is_refused(finished, tmp_path):
    with pytest.raises(RunError, match="done"):
        reopened(finished)
    make(tmp_path / "other").close("interrupted")
    with pytest.raises(RunError, match="holds a run already"):
        make(tmp_path / "other")


def test_the_second_writer_is_refused_and_a_dead_one_leaves_no_lock(tmp_path):
    run = make(tmp_path / "run")
    code = f"import sys; sys.path[:0] = {[str(TESTS), os.path.dirname(__file__)]!r}; "
    code += f"import test_runs; run = test_runs.reopened({str(tmp_path / 'run')!r})"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "in use by process" in second.stderr
    run.close("interrupted")
    code = f"{code}; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    reopened(tmp_path / "run").close("interrupted")


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
def test_a_kill_at_any_instant_leaves_the_last_commit(tmp_path, delay):
    script = textwrap.dedent(f"""
        import sys; sys.path[:0] = {[str(TESTS), os.path.dirname(__file__)]!r}
        import numpy as np, test_runs as t
        run = t.make({str(tmp_path / "run")!r})
        stage = t.stage_of(run)
        print("ready", flush=True)
        for k in range(10):
            t.fill(stage, k, 1)
            stage.wait()
            print(k, flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "3":
            break
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)
    process.kill()
    process.wait()
    again = reopened(tmp_path / "run")
    stage = stage_of(again)
    saved = stage.saved()
    assert saved is not None and saved[1]["step"] >= 4
    rows = stage.metrics()["train_loss"].values[: saved[1]["step"], 0]
    assert rows.tolist() == list(range(saved[1]["step"]))
    again.close("interrupted")


def test_damage_is_found_wherever_it_is(finished, tmp_path):
    import shutil

    random = np.random.default_rng(0)
    files = [
        path
        for path in sorted(finished.rglob("*"))
        if path.is_file() and path.name not in ("lock", "checksums.json") and path.stat().st_size
    ]
    for case in range(40):
        copy = tmp_path / f"copy{case}"
        shutil.copytree(finished, copy)
        victim = copy / files[random.integers(len(files))].relative_to(finished)
        content = bytearray(victim.read_bytes())
        kind = case % 3
        if kind == 0:
            content = content[: random.integers(len(content))]
        elif kind == 1:
            content[random.integers(len(content))] ^= 1 << random.integers(8)
        if kind == 2:
            victim.unlink()
        else:
            victim.write_bytes(bytes(content))
        try:
            found = runs.check(copy)
        except RunError:
            continue
        assert found, (victim, kind)
        shutil.rmtree(copy)


def test_a_flipped_bit_in_an_unfinished_history_is_an_error(tmp_path):
    run = make(tmp_path / "run")
    stage = stage_of(run)
    fill(stage, 0, 4)
    run.close("interrupted")
    store = tmp_path / "run" / "history.zarr" / "train_loss" / "c"
    chunk = next(path for path in store.rglob("*") if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 4
    chunk.write_bytes(bytes(content))
    with pytest.raises(RunError, match="train_loss"):
        read_stage(tmp_path / "run")


def test_a_disk_that_refuses_is_a_clear_error_and_the_commit_before_stands(tmp_path, monkeypatch):
    run = make(tmp_path / "run")
    stage = stage_of(run)
    fill(stage, 0, 4)
    stage.wait()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lrlab.runs.recorder.save_checkpoint", full)
        fill(stage, 4, 2)
        with pytest.raises(RunError, match="No space left"):
            stage.wait()
    run.close("failed")
    again = reopened(tmp_path / "run")
    assert stage_of(again).saved()[1]["step"] == 4
    again.close("interrupted")


def test_stages_of_a_search_become_one_grid(tmp_path):
    run = make(tmp_path / "run")
    for name, axes in (
        ("", {"lr": np.array([0.1, 0.2]), "seed": np.array([0])}),
        ("stage1", {"lr": np.array([0.15]), "seed": np.array([0, 1])}),
    ):
        stage = run.stage(name, 10, EVALS, axes, np.arange(2))
        stage.rows("train_loss", "step", 0, np.arange(2), np.ones((10, 2)))
        lanes = {
            "outcome": np.zeros(2, np.int8), "diverged_at": np.full(2, -1),
            "steps_trained": np.full(2, 10), "last_loss": np.ones(2),
        }  # fmt: skip
        stage.commit(lanes, {"cohort": 1, "step": 0, "seconds": 0.0})
        stage.finish()
    run.close()
    _, whole = runs.open_run(tmp_path / "run")
    assert whole.axes["lr"].tolist() == [0.1, 0.15, 0.2]
    assert whole.outcome_names.tolist() == [["ok", "not_run"], ["ok", "ok"], ["ok", "not_run"]]


def test_folders_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        runs.open_run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 99}')
    with pytest.raises(RunError, match="newer"):
        runs.open_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        runs.open_run(tmp_path)


def test_names_cannot_leave_the_runs_folder():
    from lrlab.runs.folder import fresh_path

    for name in ("../../etc", "/abs", "a/b", "..", "x" * 500):
        path = fresh_path(name)
        assert path.parent.as_posix() == "runs" and len(path.name) < 100


def test_catalogue_lists_damaged_runs_too(finished):
    (finished.parent / "broken").mkdir()
    (finished.parent / "broken" / "run.json").write_text("{")
    rows = runs.catalogue(finished.parent)
    assert {row["status"] for row in rows} == {"finished", "damaged"}


def test_chunks_of_a_million_lanes_stay_small():
    sizes = zarr_arrays.chunks((100, 1024, 1024, 1))
    assert np.prod(sizes) <= zarr_arrays.ROWS_VALUES and np.prod(sizes[1:]) <= 4096


def test_a_commit_rewrites_little():
    for shape in ((60_000, 3, 2), (5, 7), (10**7,), (2, 0, 3)):
        sizes = zarr_arrays.chunks(shape)
        assert all(1 <= size <= max(1, most) for size, most in zip(sizes, shape, strict=True))
        assert np.prod(sizes) <= zarr_arrays.ROWS_VALUES


def test_commits_keep_to_their_share_of_the_time(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from lrlab.runs import recorder as module

    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    real = module.save_checkpoint

    def slow(*given):
        now[0] += 0.5
        return real(*given)

    monkeypatch.setattr(module, "save_checkpoint", slow)
    axes = {"lr": np.array([0.1]), "seed": np.array([0])}
    stage = module.Stage(tmp_path, 4, [4], axes, np.arange(1), interval=3.0)
    for at in (3.0, 6.0):  # the first one loads libraries and does not count
        now[0] = at
        assert stage.due()
        stage.commit({"steps_trained": np.array([1])}, {"cohort": 0, "step": 1, "seconds": 1.0})
        stage.wait()
    for at, due in ((9.0, False), (15.9, False), (16.0, True)):  # 20 times half a second
        now[0] = at
        assert stage.due() is due, at
    stage.interval = 0.0
    now[0] = 6.1
    assert stage.due()
