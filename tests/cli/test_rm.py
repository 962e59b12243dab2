"""`lrlab rm`: shows first, removes with --yes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from places import FIXTURES

from lrlab.cli.app import run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        shutil.copytree(FIXTURES / "format-2", tmp_path / "runs" / name)
    return tmp_path / "runs"


def test_a_dry_run_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rm", "one", "runs/two", "one"]) == 0
    shown = capsys.readouterr().out
    assert "Would remove runs/one" in shown and "2 runs, " in shown
    assert "lrlab rm runs/one runs/two runs/one --yes" in shown
    assert {path.name for path in here.iterdir()} == {"one", "two"}
    assert run(["rm", "one", "--yes"]) == 0
    assert "Removed runs/one" in capsys.readouterr().out
    assert {path.name for path in here.iterdir()} == {"two"}
    assert run(["rm", "two", "--yes", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["removed"] is True and made["runs"][0]["run"] == "runs/two" and made["bytes"] > 0
    assert not list(here.iterdir())


def test_where_one_cannot_go_none_does(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "two" / "notes.txt").write_text("mine")
    Path("mine").mkdir()
    for other in ("two", "mine", "absent", ".", "/", ""):
        assert run(["rm", "one", other, "--yes", "--json"]) == 2, other
        assert json.loads(capsys.readouterr().out)["problems"]
    assert (here / "one" / "run.json").exists() and (here / "two" / "notes.txt").exists()
