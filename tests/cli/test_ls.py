"""`lrlab ls`: the list of runs, its order, and what fits."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lrlab.cli import ls
from lrlab.cli.app import run
from lrlab.cli.ls import fitting


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, str]]:
    assert run([*arguments, "--json"]) == 2
    return json.loads(capsys.readouterr().out)["problems"]


def test_runs_in_another_order(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = {"b": ("t2", 0.5), "a": ("t1", 0.2), "c": ("t3", None)}
    for number, (name, (task, best)) in enumerate(runs.items()):
        folder = Path("runs", name)
        folder.mkdir(parents=True)
        info = {"status": "finished", "command": "find", "name": task, "metric": "valid_loss"}
        (folder / "run.json").write_text(json.dumps({**info, "modes": {"valid_loss": "min"}}))
        evidence = [{"lr": 0.1, "scores": [best, best]}, {"lr": 0.2, "scores": [None]}]
        content = {"evidence": evidence, "details": {"best_score": -1.0}}  # an estimate
        (folder / "summary.json").write_text(json.dumps(content))
        os.utime(folder / "run.json", (number, number))

    def order(*options: str) -> str:
        assert run(["ls", "runs", *options, "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)["runs"]
        return "".join(Path(row["run"]).name for row in listed)

    assert (order(), order("--sort", "date")) == ("bac", "bac")
    assert (order("--sort", "task"), order("--sort", "best")) == ("abc", "abc")
    for info in Path("runs").glob("*/run.json"):
        info.write_text(info.read_text().replace('"min"', '"max"'))
    assert order("--sort", "best") == "bac"
    assert run(["ls", "--sort", "task"]) == 0
    assert "best" in capsys.readouterr().out
    problems = refused(capsys, "ls", "--sort", "bst")
    assert "did you mean 'best'" in problems[0]["message"]
    refused(capsys, "ls", "tasks", "--sort", "best")
    refused(capsys, "ls", "tasks", "--all")


def test_a_narrow_list_leaves_out_what_matters_least() -> None:
    row = {"run": "r" * 39, "command": "find", "task": "t" * 12, "status": "interrupted", "lr": 0.1,
           "verdict": "interior", "best": 0.5, "changed": "11-30 00:36"}  # fmt: skip
    assert fitting([row], 130) == list(row)
    assert fitting([row], 100) == ["run", "status", "lr", "verdict", "best", "changed"]
    assert fitting([row], 80) == ["run", "status", "lr", "best", "changed"]
    assert fitting([row], 60) == ["run", "status", "lr"]
    assert fitting([row], 30) == ["run", "lr"]


@pytest.mark.parametrize(("options", "first"), [([], "r2"), (["--sort", "best"], "r0")])
def test_a_long_list_is_cut_where_nobody_looks(
    options: list[str], first: str, here: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(ls, "MOST_ROWS", 3)
    for number in range(5):
        folder = Path("runs", f"r{number}")
        folder.mkdir(parents=True)
        info = {"status": "finished", "command": "find", "metric": "valid_loss"}
        (folder / "run.json").write_text(json.dumps(info))
        evidence = [{"lr": 0.1, "scores": [float(number)]}]
        (folder / "summary.json").write_text(json.dumps({"evidence": evidence}))
        os.utime(folder / "run.json", (number, number))

    def listed(*more: str) -> list[str]:
        assert run(["ls", "runs", *options, *more]) == 0
        text = capsys.readouterr().out
        assert "5 runs under runs/" in text and ("--all" in text) == (not more)
        return [line.split()[0] for line in text.splitlines() if line.strip().startswith("r")][1:]

    assert len(listed()) == 3 and listed()[0] == first
    assert len(listed("--all")) == 5
    assert run(["ls", "--json"]) == 0 and len(json.loads(capsys.readouterr().out)["runs"]) == 5
