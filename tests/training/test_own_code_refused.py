"""Mistakes in tables that name own code: each one sentence with its place, before training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from own_project import CONFIG, train, written

from lrlab.cli.app import run as command_line
from lrlab.config import ConfigError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        (["task.python=own_runs.task:make_task"], "task.python", "did you mean 'own_runs.tasks'?"),
        (["task.python=own_runs.tasks:makes"], "task.python", "has no 'makes'"),
        (["task.python=own_runs.tasks:np"], "task.python", "is of type module"),
        (["task.python=own_runs.tasks:three"], "task.python", "must give an lrlab.Task, it gave 3"),
        (["task.options.widht=3"], "task.options.widht", "did you mean 'width'?"),
        (["task.options.width='a'"], "task.python", "make_task fails: "),
        (["optimizer.options.klip=3"], "optimizer.options.klip", "did you mean 'clip'?"),
        (["optimizer.python=own_runs.tasks:three"], "optimizer.python", "it gave 3"),
        (["optimizer.python=own_runs.tasks:makes_nothing"], "optimizer", "gave 'nothing'"),
        (["optimizer.python=own_runs.methods:injected"], "optimizer.options", "needs momentum"),
        (["optimizer.python=optax:sgdd"], "optimizer.python", "did you mean 'sgd'?"),
        (["schedule.options.powr=3"], "schedule.options.powr", "did you mean 'power'?"),
        (["schedule.python=own_runs.tasks:three"], "schedule.python", "it gave 3"),
        (["task={data='wine', model={python='own_runs.tasks:three'}}"], "task.model", "got int"),
        (
            ["task={data='wine', model={python='own_runs.tasks:Net', options={b=1}}}"],
            "task.model.options.b",
            "has no option 'b'",
        ),
    ],
)
def test_one_sentence_with_its_place(settings, field, words, project: Path) -> None:
    with pytest.raises(ConfigError) as error:
        train(project, *settings)
    (one,) = error.value.problems
    assert one.field == field and words in one.message
    assert not (project / "run").exists()


def test_mistakes_of_the_file_have_its_line(project: Path, capsys) -> None:
    (project / "a.toml").write_text(CONFIG.replace("{width = 2}", "{widht = 2}"))
    assert command_line(["sweep", str(project / "a.toml"), "--json"]) == 2
    (one,) = json.loads(capsys.readouterr().out)["problems"]
    assert (one["line"], one["field"]) == (8, "task.options.widht")
