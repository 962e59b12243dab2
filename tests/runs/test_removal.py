"""Removing run folders: nothing but runs, none that is in use, nothing behind a link."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from places import FIXTURES

from lrlab import runs
from lrlab.cli import export_formats
from lrlab.core.errors import RunError
from lrlab.report.figures import FORMATS
from lrlab.runs import weights
from lrlab.runs.lock import Lock
from lrlab.runs.removal import FIGURES, LEFT_BY_LRLAB
from lrlab.training import callbacks, logs, session


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(FIXTURES / "format-2", tmp_path / "runs" / "one"))


def test_a_run_goes_whole(run: Path) -> None:
    for name in ("export.csv", "report.html", ".run.json.123"):
        (run / name).write_text("x")
    found = runs.removable(run)
    files = [path for path in run.rglob("*") if path.is_file()]
    assert (found.files, found.size) == (len(files), sum(path.stat().st_size for path in files))
    assert found.others == () and run.exists()
    assert runs.remove(run) == found._replace(files=found.files, size=found.size)
    assert not run.exists() and list(run.parent.iterdir()) == []


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"name": "mine", "version": 1}', '{"format": 2}']
)
def test_what_is_no_run_stays(text: str | None, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    for act in (runs.removable, runs.remove):
        with pytest.raises(RunError):
            act(tmp_path)
    with pytest.raises(RunError):
        runs.remove(tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_files_of_others_stay(run: Path) -> None:
    (run / "notes.txt").write_text("mine")
    (run / ".git").mkdir()
    assert runs.removable(run).others == (".git", "notes.txt")
    with pytest.raises(RunError, match=r"notes\.txt"):
        runs.remove(run)
    assert (run / "run.json").exists() and (run / "notes.txt").exists()


def test_a_run_in_use_stays(run: Path) -> None:
    lock = Lock(run)
    try:
        for act in (runs.removable, runs.remove):
            with pytest.raises(RunError, match="in use"):
                act(run)
    finally:
        lock.release()
    assert (run / "summary.json").exists()
    runs.remove(run)
    assert not run.exists()


def test_a_comparison_with_a_run_in_use_stays(run: Path) -> None:
    whole = run.parent / "whole"
    shutil.copytree(run, whole / "adam")
    (whole / "run.json").write_text(json.dumps({"format": 2, "command": "compare"}))
    with pytest.raises(RunError, match="is a part of"):
        runs.remove(whole / "adam")
    lock = Lock(whole / "adam")
    try:
        with pytest.raises(RunError, match="in use"):
            runs.remove(whole)
    finally:
        lock.release()
    assert (whole / "adam" / "summary.json").exists()
    runs.remove(whole)
    assert not whole.exists() and run.exists()


def test_links_are_not_followed(run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(run, outside / "two")
    (outside / "kept.txt").write_text("mine")
    (run.parent / "link").symlink_to(outside / "two")
    (tmp_path / "way").symlink_to(outside)
    for path in (run.parent / "link", tmp_path / "way" / "two"):
        with pytest.raises(RunError, match="symbolic link"):
            runs.remove(path)
    (run / "log").mkdir()
    (run / "log" / "way").symlink_to(outside)  # inside a run: the link goes, not its target
    runs.remove(run)
    assert (outside / "two" / "run.json").exists() and (outside / "kept.txt").exists()


def test_everything_that_modules_write_goes(run: Path) -> None:
    written = {
        logs.FOLDER, callbacks.FILE, session.WORKER_ERROR, weights.FROZEN, f"{weights.FROZEN}.json",
        *(one.file for one in export_formats.FORMATS.values()),
    }  # fmt: skip
    assert written <= set(LEFT_BY_LRLAB)
    assert {f".{ending}" for ending in FORMATS} == set(FIGURES)
    (run / "figures" / "1-adam").mkdir(parents=True)  # of a comparison's first run
    (run / "figures" / "1-adam" / "loss_vs_lr.eps").write_text("x")
    for name in (*written, ".DS_Store", "frozen.orbax-checkpoint-tmp-1"):
        (run / name).write_text("x")
    assert runs.removable(run).others == ()


@pytest.mark.parametrize(
    "name",
    ["export.tex", "checkpoint_notes.md", "frozen.txt", "figures/mine.tex", "figures/1-a/mine.tex",
     "groups/notes.txt",     "groups/one/notes.txt", "sgd/mine.csv"],
)  # fmt: skip
def test_a_file_of_a_user_stays_wherever_it_lies(name: str, run: Path) -> None:
    for part in ("sgd", "groups/one"):
        shutil.copytree(FIXTURES / "format-2", run / part)
    (run / "figures" / "1-a").mkdir(parents=True, exist_ok=True)
    (run / name).write_text("mine")
    assert runs.removable(run).others == (name,)
    with pytest.raises(RunError, match="did not write"):
        runs.remove(run)
    assert (run / name).read_text() == "mine"
