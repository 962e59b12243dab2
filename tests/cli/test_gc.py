"""`lrlab gc`: old runs, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from places import FIXTURES

from lrlab.cli.app import run
from lrlab.runs.lock import Lock

DAY = 86400


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of 1, 40 and 90 days; the oldest failed."""
    monkeypatch.chdir(tmp_path)
    for name, days in (("new", 1), ("old", 40), ("ancient", 90)):
        folder = tmp_path / "runs" / name
        shutil.copytree(FIXTURES / "format-2", folder)
        if name == "ancient":
            info = json.loads((folder / "run.json").read_text())
            (folder / "run.json").write_text(json.dumps({**info, "status": "failed"}))
        for path in [*folder.rglob("*"), folder]:
            os.utime(path, (time.time() - days * DAY,) * 2)
    return tmp_path / "runs"


def found(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert run(["gc", *options, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["runs"]
    return [Path(row["run"]).name for row in rows]


def test_old_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys) == ["ancient", "old"]
    assert found(capsys, "--days", "60") == ["ancient"]
    assert found(capsys, "--days", "0") == ["ancient", "old", "new"]
    assert found(capsys, "--status", "failed") == ["ancient"]
    assert found(capsys, "--status", "interrupted") == []
    info = json.loads((here / "old" / "run.json").read_text())
    (here / "old" / "run.json").write_text(json.dumps({**info, "status": "stopped"}))
    os.utime(here / "old" / "run.json", (time.time() - 40 * DAY,) * 2)
    assert found(capsys) == ["ancient", "old"]  # a callback ended it
    assert found(capsys, "--status", "stopped") == ["old"]
    assert found(capsys, "--out", "elsewhere") == []
    assert run(["gc", "--days", "60"]) == 0
    assert "lrlab gc --days 60 --yes" in capsys.readouterr().out
    assert {path.name for path in here.iterdir()} == {"new", "old", "ancient"}
    assert found(capsys, "--yes") == ["ancient", "old"]
    assert {path.name for path in here.iterdir()} == {"new"}


def test_what_stays(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "old" / "notes.txt").write_text("mine")
    os.utime(here / "old" / "notes.txt", (0, 0))
    shutil.move(here / "new", tmp_path / "outside")
    (here / "link").symlink_to(tmp_path / "outside")
    (here / "folder").mkdir()
    (here / "folder" / "run.json").write_text('{"status": "finished"}')
    lock = Lock(here / "ancient")
    try:
        assert run(["gc", "--days", "0", "--yes"]) == 0
    finally:
        lock.release()
    said = capsys.readouterr().out
    assert "in use" in said and "notes.txt" in said and "Nothing to remove" in said
    assert {path.name for path in here.iterdir()} == {"old", "link", "folder", "ancient"}
    assert (tmp_path / "outside" / "run.json").exists()


@pytest.mark.parametrize("options", [("--days", "-1"), ("--days", "nan"), ("--status", "done")])
def test_bad_input(options, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gc", *options, "--yes", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["problems"][0]["file"] == options[0]
