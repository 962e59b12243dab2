"""What a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrlab.cli import completion


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.toml", "b.csv", "c.csv.gz", "d.npz", "e.txt", ".hidden.toml", "sub/x.toml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    for number, name in enumerate(("older", "newer")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        os.utime(folder / "run.json", (number, number))
    return tmp_path


def test_configurations(here: Path) -> None:
    every = completion.configurations("")
    assert {"a.toml", "b.csv", "c.csv.gz", "d.npz", "sub/", "digits-mlp", "quadratic"} <= {*every}
    assert not {"e.txt", ".hidden.toml"} & {*every} and len(every) == len({*every})
    assert completion.configurations("sub/") == ["sub/x.toml"]
    assert completion.configurations(".h") == [".hidden.toml"]
    assert completion.configurations("nowhere/") == [] == completion.configurations("a\0")
    assert completion.data_files("d") == ["d.npz"]
    assert "digits-mlp" in completion.task_names("dig")


def test_runs(here: Path) -> None:
    assert completion.runs("") == ["newer", "older", "last"]
    assert completion.runs("o") == ["older"]
    assert completion.runs("su") == ["sub/"]


def test_fields() -> None:
    assert "steps=" in completion.fields("st") and "task.data.path=" in completion.fields("task.d")
    assert completion.kinds("sch") == ["schedules"]


SHELL = {
    "lrlab find digits-m": "digits-mlp",
    "lrlab find a.toml --set optimizer.n": "optimizer.name=",
    "lrlab f": "find",
    "lrlab sweep a": "a.toml",
    "lrlab show n": "newer",
    "lrlab rm old": "older",
    "lrlab ls sched": "schedules",
    "lrlab init --task quad": "quadratic",
}
"""What is typed -> one of what is offered. Each is a process, so that most are slow tests."""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(*pair, marks=[pytest.mark.slow] if number > 1 else [])
        for number, pair in enumerate(SHELL.items())
    ],
)
def test_the_shell_asks(words: str, expected: str, here: Path) -> None:
    count = str(len(words.split()) - 1)
    asked = {"_LRLAB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": count}
    code = "import sys; from lrlab.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in ran.stdout.split(), ran.stderr
