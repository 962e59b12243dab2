"""Runs of own code: trained, continued and repeated from their folders alone, read without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import optax
import pytest
from flax import linen as nn
from own_project import CODE, CONFIG, changed, experiment, train, written
from stopped_runs import equal, stopped

import lrlab
from lrlab import runs
from lrlab.cli.app import run as command_line
from lrlab.config import ConfigError
from lrlab.core.errors import Interrupted, RunError
from lrlab.workflows.dispatch import plan, resume
from lrlab.workflows.replay import replay
from lrlab.workflows.reproduce import reproduce


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return written(tmp_path)


def test_the_numbers_are_those_of_the_same_objects_in_python(project: Path) -> None:
    result = train(project)
    x = np.random.RandomState(0).randn(32, 2).astype(np.float32)
    pair = (x, x.sum(1, keepdims=True))
    task = lrlab.Task.supervised(name="line", model=nn.Dense(1), loss="mse", train=pair, valid=pair)
    same = lrlab.sweep(
        task,
        lr=[0.02, 0.1],
        seeds=2,
        steps=12,
        batch_size=8,
        optimizer=lambda hyper: optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(hyper["lr"])),
        schedule=lambda step: (1 - step / 12) ** 2.0,
        plan=lrlab.Plan(tile_width=2),
        progress=False,
    )
    for name, values in same.history.items():
        np.testing.assert_array_equal(result.history[name], values)


def test_the_source_is_in_run_json(project: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(project)]
    for words in (["init", "-q"], ["add", "own_runs"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    train(project)
    info = json.loads((project / "run" / "run.json").read_text())["own_code"]
    assert set(info) == {"task", "optimizer", "schedule"}
    assert set(info["task"]["files"]) == {"own_runs/tasks.py", "own_runs/numbers.py"}
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert info["task"]["git_commit"].rstrip("+") == head.stdout.strip()
    assert len(info["task"]["sha256"]) == 64
    assert info["optimizer"]["sha256"] == info["schedule"]["sha256"]


def test_an_interrupted_run_resumes_to_the_same_bits(project: Path, monkeypatch) -> None:
    train(project, out="whole")
    with monkeypatch.context() as patch:
        stopped(patch, 2)
        with pytest.raises(Interrupted):
            train(project)
    monkeypatch.chdir("/")
    resume(project / "run", progress=False)
    equal(project / "whole", project / "run")


def test_reproduce_and_replay(project: Path, monkeypatch) -> None:
    train(project)
    monkeypatch.chdir("/")
    assert reproduce(project / "run", progress=False).level == "bit-identical"
    assert replay(project / "run", lr=0.1, seed=1).same


@pytest.mark.slow
def test_a_project_that_moved_is_found_in_the_environment(
    project: Path, monkeypatch, capsys
) -> None:
    train(project, out="../whole")
    with monkeypatch.context() as patch:
        stopped(patch, 2)
        with pytest.raises(Interrupted):
            train(project, out="../run")
    moved, runs_folder = project.parent / "moved", project.parent
    project.rename(moved)
    with pytest.raises(ConfigError) as error:
        resume(runs_folder / "run", progress=False)
    assert "is not there any more" in str(error.value) and "PYTHONPATH=" in str(error.value)
    monkeypatch.syspath_prepend(str(moved))
    resume(runs_folder / "run", progress=False)
    equal(runs_folder / "whole", runs_folder / "run")
    assert "own code has changed" not in capsys.readouterr().err
    assert train(moved, out="../run").run == str(runs_folder / "run")


def test_a_changed_source_of_the_same_program_goes_on_and_is_said(project: Path, capsys) -> None:
    train(project)
    changed(project, "methods", "import optax", "import optax  # of 2026")
    train(project)
    said = capsys.readouterr().err
    assert "own code has changed since this run began: optimizer: own_runs/methods.py" in said
    assert said.index("own code has changed") < said.index("imports own_runs.methods", 300)


@pytest.mark.parametrize(
    ("module", "old", "new", "what"),
    [
        ("methods", "clip_by_global_norm(clip)", "clip(clip)", "the code of the model"),
        ("numbers", "RandomState(0)", "RandomState(1)", "the data"),
    ],
)
def test_a_changed_program_is_refused(module, old, new, what, project: Path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stopped(patch, 2)
        with pytest.raises(Interrupted):
            train(project)
    changed(project, module, old, new)
    with pytest.raises(RunError) as error:
        resume(project / "run", progress=False)
    assert what in str(error.value) and f"own_runs/{module}.py" in str(error.value)


def test_reproduce_says_what_changed(project: Path, capsys) -> None:
    train(project)
    changed(project, "methods", "clip_by_global_norm(clip)", "clip(clip)")
    capsys.readouterr()
    assert command_line(["reproduce", str(project / "run"), "--quiet"]) == 1
    assert capsys.readouterr().out.startswith("Different: first at train_loss, row 1, lane lr 0.02")
    again = reproduce(project / "run", progress=False)
    assert again.level == "different" and "the source of own_runs.methods:clipped" in again.changes


def test_what_only_reads_never_imports(project: Path, capsys) -> None:
    train(project)
    for name in CODE:
        (project / name).write_text("raise RuntimeError('imported')\n")
    folder = str(project / "run")
    commands = [
        ["show", folder], ["report", folder], ["doctor", folder], ["ls", "runs"],
        ["export", folder, "--format", "csv", "--out", str(project / "o.csv")],
        ["preview", str(project / "a.toml")],
    ]  # fmt: skip
    for words in commands:
        capsys.readouterr()
        assert command_line(words) == 0, capsys.readouterr().err
    assert command_line(["replay", folder, "--lr", "0.1", "--seed", "0"]) == 2
    assert "fails when it is imported: RuntimeError: imported" in capsys.readouterr().err


def test_find_says_what_it_imports_once(project: Path, capsys) -> None:
    settings = ("steps=6", "seeds=2", "lr_range=[0.01, 0.1]", "budget=6")
    assert train(project, *settings, command="find").cost <= 6
    said = capsys.readouterr().err
    assert said.count("task.python: imports own_runs.tasks") == 1
    assert said.count("imports own_runs.methods") == 1  # schedule and optimizer


@pytest.mark.slow
def test_compare_with_own_and_registered(project: Path) -> None:
    own = "[compare.own]\nsteps = 6\n[compare.plain]\noptimizer = 'sgd'\nschedule = 'constant'\n"
    (project / "a.toml").write_text(CONFIG + own)
    settings = ("steps=6", "seeds=2", "lr_range=[0.01, 0.1]", "budget=4")
    train(project, *settings, command="compare")
    tables = [
        json.loads((project / "run" / name / "run.json").read_text())["own_code"]
        for name in ("own", "plain")
    ]
    assert [set(one) for one in tables] == [{"task", "optimizer", "schedule"}, {"task"}]


@pytest.mark.slow
def test_study_over_an_option(project: Path) -> None:
    (project / "a.toml").write_text(CONFIG + "[study]\naxis = 'width'\nvalues = [1, 2]\n")
    train(project, command="study")
    places = [project / "run" / "groups" / f"width-{width}" for width in (1, 2)]
    train(project, "study={axis='width', values=[2]}", out="other", command="study")
    equal(places[1], project / "other" / "groups" / "width-2")
    assert all(runs.finished(runs.read_info(place)) for place in places)


def test_range_test(project: Path) -> None:
    settings = ("range_test.num_steps=8", "range_test.seeds=2", "range_test.batch_size=8")
    test = train(project, *settings, command="range-test")
    assert test.loss.shape == (2, 8) and np.isfinite(test.loss[:, 0]).all()


def test_preview_imports_a_task_to_count_examples_only(project: Path, capsys) -> None:
    text = CONFIG[: CONFIG.index("[schedule]")] + "[schedule]\nname = 'step'\nevery = '1 epochs'\n"
    (project / "a.toml").write_text(text)
    assert command_line(["preview", str(project / "a.toml"), "--json"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["schedules"]) == 1
    assert "imports own_runs.tasks" in printed.err and "methods" not in printed.err


def test_plan_imports(project: Path, capsys) -> None:
    assert plan(experiment(project, command="plan"))["tile_width"] == 2
    assert "imports own_runs.tasks" in capsys.readouterr().err


def test_a_model_on_registered_data(project: Path) -> None:
    table = "task={data={name='wine'}, model={python='own_runs.tasks:Net', options={width=3}}}"
    result = train(project, table)
    same = train(project, "task={name='wine-mlp', model={python='own_runs.tasks:Net'}}",
                 "task.model.options.width=3", out="other")  # fmt: skip
    np.testing.assert_array_equal(result.history["train_loss"], same.history["train_loss"])
    assert result.history["train_loss"].shape == (12, 2, 2)


def test_other_forms_of_methods(project: Path) -> None:
    before = train(project)
    made = train(project, "schedule.python=own_runs.methods:made", "schedule.options.power=2.0",
                 out="made")  # fmt: skip
    np.testing.assert_array_equal(made.history["train_loss"], before.history["train_loss"])
    kept = train(project, "optimizer.python=own_runs.methods:injected",
                 "optimizer.options.momentum=0.5", out="kept")  # fmt: skip
    rate = train(project, "optimizer.python=optax:sgd", "optimizer.options.momentum=0.5",
                 out="rate")  # fmt: skip
    np.testing.assert_allclose(
        kept.history["train_loss"], rate.history["train_loss"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_lane_axes_reach_an_own_optimizer(project: Path) -> None:
    (project / "a.toml").write_text("momentum = [0.0, 0.5]\n" + CONFIG)
    optimizer = "optimizer={python='optax:sgd', options={nesterov=true}}"
    result = train(project, optimizer, "lr=[0.1]")
    (project / "a.toml").write_text(CONFIG)
    fixed = train(project, optimizer, "optimizer.options.momentum=0.5", "lr=[0.1]", out="fixed")
    assert result.history["train_loss"].shape == (12, 1, 2, 2)
    np.testing.assert_allclose(
        result.history["train_loss"][:, :, 1], fixed.history["train_loss"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_from_the_shell(project: Path) -> None:
    def lrlab_of(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lrlab", *words, "--quiet"]
        return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)

    done = lrlab_of("sweep", str(project / "a.toml"), "--out", str(project / "run"))
    assert done.returncode == 0, done.stderr
    assert "task.python: imports own_runs.tasks" in done.stderr
    again = lrlab_of("reproduce", str(project / "run"))
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("Bit-identical")
