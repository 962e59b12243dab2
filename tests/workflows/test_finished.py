"""A folder that holds the finished experiment is read; paths; how a run is continued."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import flax.linen as nn
import numpy as np
import optax
import pytest
from places import FIXTURES

import lrlab
from lrlab import runs
from lrlab.cli.app import run as command
from lrlab.config import ConfigError
from lrlab.core.paths import resolved, short, shown
from lrlab.runs import RunError

SWEEP = """
steps = 6
seeds = 1
lr = [0.1, 0.2]
batch_size = 16
optimizer = "sgd"
schedule = "constant"
plan.tile_width = 2
plan.devices = 1
task.name = "iris-linear"
"""


def written(folder: Path, text: str = SWEEP) -> str:
    file = folder / "run.toml"
    file.write_text(text)
    return str(file)


def mine(scale: float = 1.0) -> lrlab.Task:
    """A task that says the same of itself whatever its loss is."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    data = (x, (x[:, 0] > 0).astype(int))

    def loss(outputs, targets):
        return scale * optax.softmax_cross_entropy_with_integer_labels(outputs, targets)

    return lrlab.Task.supervised(name="mine", model=nn.Dense(2), loss=loss, train=data, valid=data)


def sweep(out, **changes) -> lrlab.Result:
    arguments = dict(lr=[0.1, 0.2], optimizer="sgd", schedule="constant", steps=6, seeds=1,
                     batch_size=8, plan=lrlab.Plan(2, 1), progress=False)  # fmt: skip
    arguments |= changes
    return lrlab.sweep(arguments.pop("task", None) or mine(), out=out, **arguments)


def untrained(monkeypatch) -> None:
    def train(*given, **options):
        raise AssertionError("trained again")

    monkeypatch.setattr("lrlab.engine.train", train)


def equal(one, other) -> None:
    """Whether two results, or two answers, are the same but for their wall time."""
    for name in one._fields:
        values = [getattr(each, name) for each in (one, other)]
        if name == "record":
            values = [record._replace(seconds=0.0)._asdict() for record in values]
        if name != "seconds":
            np.testing.assert_equal(*values, err_msg=name)


def test_a_finished_sweep_is_read(tmp_path, monkeypatch, capsys):
    place = tmp_path / "run"
    first = sweep(place)
    before = {p: p.stat().st_mtime_ns for p in place.rglob("*") if p.is_file()}
    untrained(monkeypatch)
    capsys.readouterr()
    equal(first, sweep(place))
    assert capsys.readouterr() == ("", "")
    equal(first, sweep(place, progress=True))
    assert "read, not trained again" in capsys.readouterr().err
    assert before == {p: p.stat().st_mtime_ns for p in place.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": [0.1, 0.3]}, r"lr: \[0.1, 0.2\] -> \[0.1, 0.3\]"),
        ({"seeds": 2}, "seeds: 1 -> 2"),
        ({"task": mine(scale=2.0)}, "the code of the model"),
        ({"steps": 5}, "lowered"),
    ],
)
def test_another_experiment_in_a_finished_folder_is_refused(tmp_path, changes, words):
    sweep(tmp_path / "run")
    with pytest.raises(RunError, match=words):
        sweep(tmp_path / "run", **changes)


def test_a_finished_search_and_range_test_are_read(tmp_path, monkeypatch):
    def find():
        return lrlab.find(
            mine(), optimizer="sgd", schedule="constant", steps=6, seeds=1, batch_size=8,
            budget=4, out=tmp_path / "f", progress=False,
        )  # fmt: skip

    def test():
        return lrlab.range_test(
            mine(), optimizer="sgd", num_steps=8, seeds=2, batch_size=8, out=tmp_path / "r"
        )

    made = find(), test()
    untrained(monkeypatch)
    for one, other in zip(made, (find(), test()), strict=True):
        equal(one, other)


@pytest.mark.slow
def test_a_finished_study_is_read_and_its_groups_are_compared_by_their_code(tmp_path, monkeypatch):
    def study(scale: float):
        return lrlab.study(
            lambda value: mine(scale), axis="which", values=[1, 2], lr=[0.1, 0.2], steps=4, seeds=1,
            optimizer="sgd", batch_size=8, out=tmp_path / "s", progress=False,
        )  # fmt: skip

    first = study(1.0)
    untrained(monkeypatch)
    assert str(study(1.0)) == str(first)
    with pytest.raises(RunError, match="the code of the model"):
        study(2.0)


@pytest.mark.slow
def test_a_finished_comparison_is_read(tmp_path, monkeypatch, capsys):
    text = SWEEP.replace("lr = [0.1, 0.2]", "budget = 3") + "[compare.a]\n[compare.b]\nsteps = 7\n"
    path, place = written(tmp_path, text), str(tmp_path / "run")
    assert command(["compare", path, "--out", place, "--json", "--quiet"]) == 0
    first = json.loads(capsys.readouterr().out)
    untrained(monkeypatch)
    assert command(["compare", path, "--out", place, "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == first


def test_the_command_line_reads_too_and_says_so(tmp_path, monkeypatch, capsys):
    path, place = written(tmp_path), str(tmp_path / "run")
    assert command(["sweep", path, "--out", place, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    untrained(monkeypatch)
    assert command(["sweep", path, "--out", place, "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == first and "read, not trained again" in told.err
    assert command(["sweep", path, "--out", place, "--set", "seeds=2"]) == 2
    assert "seeds: 1 -> 2" in capsys.readouterr().err
    assert command(["resume", place]) == 0 and "is done" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_finished_run_is_read_from_where_nothing_can_be_written(tmp_path):
    place = tmp_path / "run"
    first = sweep(place)
    for path in (*place.rglob("*"), place):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        equal(first, sweep(place))
        runs.refuse_in_use(place)
    finally:
        for path in (place, *place.rglob("*")):
            path.chmod(0o755)


def test_a_run_of_unknown_origin_is_not_taken_for_an_experiment(tmp_path):
    result = sweep(None)
    result.save(tmp_path / "saved")
    with pytest.raises(RunError, match="does not say of what experiment"):
        sweep(tmp_path / "saved")
    with pytest.raises(RunError, match="holds a run already"):
        result.save(tmp_path / "saved")
    old = shutil.copytree(FIXTURES / "format-1", tmp_path / "old")
    with pytest.raises(RunError, match="does not say of what experiment"):
        sweep(old)


@pytest.mark.slow
def test_a_run_in_epochs_is_extended_in_either_unit(tmp_path, capsys):
    text = SWEEP.replace("steps = 6", "epochs = 1")
    path, whole = written(tmp_path, text), tmp_path / "whole"
    assert command(["sweep", path, "--out", str(whole), "-q", "--set", "epochs=3"]) == 0
    expected = runs.read_stage(whole).history["train_loss"]
    assert len(expected) == 21  # 120 examples make 7 batches of 16
    place = tmp_path / "run"
    assert command(["sweep", path, "--out", str(place), "-q"]) == 0
    assert len(runs.read_stage(place).steps) == 7
    assert command(["resume", str(place), "-q", "--set", "epochs=2"]) == 0
    assert command(["resume", str(place), "-q", "--set", "steps=21"]) == 0
    np.testing.assert_array_equal(runs.read_stage(place).history["train_loss"], expected)
    capsys.readouterr()
    assert command(["resume", str(place), "-q", "--set", "epochs=1"]) == 2
    assert "not lowered, and this run has 21" in capsys.readouterr().err
    assert command(["resume", str(place), "-q", "--set", "epochs=3"]) == 0  # as long as it is


def test_an_extension_says_where_the_schedule_forbids_it(tmp_path, capsys):
    text = SWEEP.replace("steps = 6", "epochs = 1").replace('"constant"', '"linear"')
    path, place = written(tmp_path, text), str(tmp_path / "run")
    assert command(["sweep", path, "--out", place, "-q"]) == 0
    capsys.readouterr()
    assert command(["resume", place, "-q", "--set", "epochs=2"]) == 2
    assert "at update 1 it is" in capsys.readouterr().err


def test_paths_are_resolved_once(tmp_path, monkeypatch):
    home, work = tmp_path / "home", tmp_path / "work"
    for folder in (home, work / "deep", tmp_path / "real"):
        folder.mkdir(parents=True)
    (work / "link").symlink_to(tmp_path / "real")
    (work / "dangling").symlink_to(tmp_path / "later")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    places = {
        "../up": tmp_path / "up", "~/in home": home / "in home", "runs/../runs/a": work / "runs/a",
        "link/ü": tmp_path / "real/ü", "dangling": tmp_path / "later",
    }  # fmt: skip
    first = sweep("../up")
    shutil.copytree("../up", home / "in home")
    for given, place in places.items():
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            shutil.copytree(first.run, place)
        assert resolved(given) == place
        assert sweep(given).run == str(place) == lrlab.load(given).run
        monkeypatch.chdir(work / "deep")
        np.testing.assert_array_equal(lrlab.load(sweep(place).run).lr, first.lr)
        monkeypatch.chdir(work)
    replayed = sweep("link/new")  # trained, through a link
    assert (tmp_path / "real/new/run.json").is_file() and replayed.run == str(tmp_path / "real/new")


@pytest.mark.slow
def test_a_run_goes_on_through_another_name(tmp_path, monkeypatch, capsys):
    path = written(tmp_path)
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert command(["sweep", path, "--out", "runs/../runs/a", "-q"]) == 0
    told = capsys.readouterr().out
    assert "Run folder: runs/a\n" in told
    assert command(["resume", "runs/../runs/a", "-q", "--set", "steps=9"]) == 0
    assert command(["replay", "runs/../runs/a", "--lr", "0.1", "-q"]) == 0
    assert "bit for bit" in capsys.readouterr().out


@pytest.mark.parametrize("out", ["", "a\0b", 3, ["x"]])
def test_what_is_no_path_is_refused(out):
    with pytest.raises(ConfigError, match="out: must be the path of a folder"):
        sweep(out)


def test_a_file_in_the_way_is_bad_input(tmp_path, capsys):
    path = written(tmp_path)
    for out in (path, f"{path}/run"):
        assert command(["sweep", path, "--out", out, "-q"]) == 2
        assert capsys.readouterr().err.startswith(short(out))


def interrupted(place: Path, **changes) -> None:
    """A run as Ctrl-C before its first commit leaves it."""
    sweep(place, **changes)
    info = json.loads((place / "run.json").read_text())
    (place / "run.json").write_text(json.dumps({**info, "status": "interrupted"}))


def test_the_right_call_is_shown_for_a_run_made_in_python(tmp_path, capsys):
    place = tmp_path / "my run"
    interrupted(place)
    call = f"call lrlab.sweep(..., out={short(place)!r}) again"
    assert call in runs.onward(place)
    assert command(["show", str(place)]) == 0 and call in capsys.readouterr().out
    assert command(["doctor", str(place), "--json"]) == 0
    assert call in json.dumps(json.loads(capsys.readouterr().out), ensure_ascii=False)
    assert command(["resume", str(place)]) == 2 and call in capsys.readouterr().err


def test_lrlab_resume_is_shown_for_a_run_from_names(tmp_path):
    place = tmp_path / "my run"
    interrupted(place, task="iris-linear")
    assert runs.onward(place) == f"continue with: lrlab resume {shown(place)}"
    assert shown(place) == f"'{short(place)}'"


def test_the_exception_says_how_a_run_is_continued(tmp_path, monkeypatch):
    def stops(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("lrlab.engine.train", stops)
    with pytest.raises(KeyboardInterrupt) as caught:
        sweep(tmp_path / "run")
    assert "call lrlab.sweep(" in " ".join(caught.value.__notes__)


def test_a_group_of_a_study_is_continued_with_the_study(tmp_path):
    place = tmp_path / "s" / "groups" / "width-3"
    place.mkdir(parents=True)
    (place / "run.json").write_text('{"command": "find"}')
    (tmp_path / "s" / "run.json").write_text('{"command": "study"}')
    (tmp_path / "s" / "config.toml").write_text("[task]\nexternal = true\n")
    assert f"lrlab.study(..., out={short(tmp_path / 's')!r})" in runs.onward(place)


def test_an_optimizer_made_in_python_is_not_taken_for_a_registered_one(tmp_path):
    def adam(hyper):
        return optax.sgd(hyper["lr"])

    sweep(tmp_path / "run", optimizer=adam, task="iris-linear")
    from lrlab.workflows.reproduce import reproduce

    with pytest.raises(ConfigError, match="'adam' was made in Python"):
        reproduce(tmp_path / "run", progress=False)
