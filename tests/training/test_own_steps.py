"""Runs of tasks with steps of their own: no optimizer is named, and folders stand alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import three_doors
from few import few
from own_project import experiment, train
from stopped_runs import equal, stopped

import lrlab
from lrlab.cli.app import run as command_line
from lrlab.core.errors import Interrupted
from lrlab.core.text import OWN_STEP
from lrlab.workflows.dispatch import resume, run
from lrlab.workflows.replay import replay
from lrlab.workflows.report import write_report
from lrlab.workflows.reproduce import reproduce

CODE = """\
import jax.numpy as jnp
import lrlab


def make(start=1.0):
    def step(w, batch, hyper, key):
        return w - hyper["lr"] * 2 * w, {"loss": w**2}

    def evaluate(w, batch, key):
        return {"loss": w**2}

    return lrlab.Task.step(
        init=lambda key, hyper: jnp.float32(start), step=step, evaluate=evaluate, name="bowl")
"""
CONFIG = """\
steps = 12
seeds = 2
lr = [0.02, 0.1]
plan = {tile_width = 2, segment_steps = 3}
[task]
python = "own_steps.bowls:make"
options = {start = 2.0}
"""
STUDY = """
[study]
axis = "task.options.start"
values = [1.0, 2.0]
"""
COMPARE = """
[compare.constant]
schedule = "constant"
[compare.cosine]
schedule = "cosine"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "own_steps").mkdir()
    (tmp_path / "own_steps" / "bowls.py").write_text(CODE)
    (tmp_path / "a.toml").write_text(CONFIG)
    return tmp_path


def said(folder: Path) -> str:
    """The configuration in a folder; it names no optimizer and says why."""
    text = (folder / "config.toml").read_text()
    assert "optimizer" not in tomllib.loads(text) and OWN_STEP in text and "adam" not in text
    return text


def test_a_preview_shows_no_optimizer(project: Path, capsys) -> None:
    assert command_line(["preview", str(project / "a.toml")]) == 0
    text = capsys.readouterr().out
    assert "optimizer" not in tomllib.loads(text) and OWN_STEP in text and "adam" not in text
    (project / "a.toml").write_text(CONFIG.replace("options = {start = 2.0}", "") + STUDY)
    assert command_line(["preview", str(project / "a.toml")]) == 0
    assert "[optimizer]" not in capsys.readouterr().out


def test_a_folder_names_no_optimizer_and_stands_alone(project: Path, monkeypatch) -> None:
    train(project, out="whole")
    with monkeypatch.context() as patch:
        stopped(patch, 2)
        with pytest.raises(Interrupted):
            train(project)
    monkeypatch.chdir("/")
    resume(project / "run", progress=False)
    equal(project / "whole", project / "run")
    said(project / "run")
    write_report(project / "run", figures=False)
    page = (project / "run" / "report.html").read_text()
    assert "own step, no optimizer" in page and "adam" not in page
    assert reproduce(project / "run", progress=False).level == "bit-identical"
    assert replay(project / "run", lr=0.1, seed=1).same


def test_a_run_made_longer_names_no_optimizer_either(project: Path) -> None:
    constant = "schedule.name=constant"
    train(project, constant)
    assert train(project, constant, "steps=20").steps[-1] == 19
    assert "steps = 20" in said(project / "run")


@pytest.mark.parametrize("command", few(["find", "range-test", "study", "compare"], 2))
def test_every_command_that_trains_writes_it_so(command: str, project: Path, monkeypatch) -> None:
    more = {"study": STUDY, "compare": COMPARE}.get(command, "")
    (project / "a.toml").write_text(CONFIG.replace("lr = [0.02, 0.1]\n", "budget = 4\n") + more)
    if command in ("study", "compare"):
        with monkeypatch.context() as patch:
            stopped(patch, 2)
            with pytest.raises(Interrupted):
                train(project, command=command)
        resume(project / "run", progress=False)
    else:
        train(project, command=command)
    configs = [*(project / "run").rglob("config.toml")]
    assert len(configs) == (3 if more else 1)
    for one in configs:
        said(one.parent)


def test_an_optimizer_that_is_given_is_refused(project: Path) -> None:
    with pytest.raises(ValueError, match="optimizer is not for a task with a step of its own"):
        run("sweep", experiment(project, "optimizer.name=adam"), progress=False)


def test_a_rate_that_nothing_reads_is_the_steps_own(tmp_path: Path) -> None:
    def still(state, batch, hyper, key):
        return state + 0.01, {"loss": state}

    task = lrlab.Task.step(
        init=lambda key, hyper: 1.0, step=still, evaluate=lambda s, b, k: {"loss": s}
    )
    options = {"steps": 5, "progress": False}
    with pytest.warns(UserWarning, match="all rates will train alike"):
        best = lrlab.sweep(task, lr=[0.1, 1.0], seeds=2, **options).best()
    with pytest.warns(UserWarning, match="all rates will train alike"):
        sentences = [best.sentence, lrlab.find(task, budget=4, **options).sentence]
    sentences.append(str(lrlab.range_test(task, num_steps=5, progress=False).remark))
    for one in sentences:
        assert "The task's own step does not read" in one and "adam" not in one


@pytest.mark.slow
def test_a_study_of_tasks_from_python_names_no_optimizer(tmp_path: Path) -> None:
    lrlab.study(
        lambda size: three_doors.step(), axis="size", values=[1, 2], lr=[0.01, 0.1],
        out=tmp_path / "run", **three_doors.options_of("step"),
    )  # fmt: skip
    for one in (tmp_path / "run").rglob("config.toml"):
        said(one.parent)
