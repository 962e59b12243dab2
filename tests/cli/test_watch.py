"""`lrlab watch`: a run in the terminal while another process trains it."""

from __future__ import annotations

import json
import threading

import pytest
from live_run import LiveRun

from lrlab.cli import watch
from lrlab.cli.app import run


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(watch, "LOOK", 0.02)


def test_a_line_for_every_change_until_it_ends(tmp_path, capsys, monkeypatch, quick):
    """Commits come between two looks, as another process would make them."""
    written = LiveRun(tmp_path / "run")
    moves = iter([lambda: written.advance(20), lambda: None, lambda: written.advance(45),
                  written.finish])  # fmt: skip
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: next(moves)())
    assert run(["watch", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "bowl: running, nothing committed yet"
    assert lines[1].startswith("33 % done, 18 of 18 lanes alive") and "left" in lines[1]
    assert lines[2].startswith("76 % done, 16 of 18 lanes alive")
    assert lines[3:] == ["bowl: Train with learning rate 0.1."]


def test_once_says_how_it_is_and_ends(tmp_path, capsys):
    written = LiveRun(tmp_path / "run")
    written.advance(25)
    assert run(["watch", str(tmp_path / "run"), "--once"]) == 0
    out = capsys.readouterr().out
    assert "41 % done" in out and "18 training" not in out and "2 training" in out
    assert run(["watch", str(tmp_path / "run"), "--once", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "running" and (found["done"], found["total"]) == (450, 1080)
    assert found["best"]["lr"] == pytest.approx(0.1, abs=1e-9)
    written.run.close("interrupted")


@pytest.mark.parametrize(("status", "code"), [("interrupted", 130), ("failed", 3)])
def test_the_exit_status_is_the_runs(tmp_path, capsys, quick, status, code):
    written = LiveRun(tmp_path / "run")
    written.advance(25)
    written.run.close(status)
    assert run(["watch", str(tmp_path / "run")]) == code
    assert capsys.readouterr().out.startswith(f"{status} at 41 % done")


def test_a_process_that_was_killed_ends_it(tmp_path, capsys, quick):
    written = LiveRun(tmp_path / "run")
    written.advance(25)
    (tmp_path / "run" / "lock.holder").unlink()
    assert run(["watch", str(tmp_path / "run")]) == 130
    assert capsys.readouterr().out.startswith("stopped at 41 % done")
    written.run.lock.release()


def test_on_a_terminal_the_last_page_stays(tmp_path, capsys, monkeypatch, quick):
    written = LiveRun(tmp_path / "run")
    written.advance(25)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ending = threading.Timer(0.2, written.finish)
    ending.start()
    assert run(["watch", str(tmp_path / "run")]) == 0
    ending.join()
    assert "Train with learning rate 0.1." in capsys.readouterr().out


def test_no_such_run(tmp_path, capsys):
    assert run(["watch", str(tmp_path / "nothing")]) == 2
    assert "no such run" in capsys.readouterr().err
