"""One process writes a run folder: the lock, who is named, and what frees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import filelock
import pytest
from places import FIXTURES

import lrlab
from lrlab import runs
from lrlab.runs import RunError, Unwritable
from lrlab.runs.lock import HOLDER, LOCK, Lock, refuse_in_use


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_second_process_is_refused_by_the_number_of_the_first(tmp_path):
    lock = Lock(tmp_path)
    code = (
        f"from pathlib import Path; from lrlab.runs.lock import Lock; Lock(Path({str(tmp_path)!r}))"
    )
    second = run_python(code)
    words = f"in use by process {os.getpid()} on "
    assert second.returncode == 1 and words in second.stderr, second.stderr
    for _ in range(2):  # whoever is refused leaves the name where it is
        with pytest.raises(RunError, match=words):
            refuse_in_use(tmp_path)
    lock.release()
    lock.release()
    refuse_in_use(tmp_path)
    assert not (tmp_path / HOLDER).exists()
    assert run_python(code).returncode == 0


def test_a_killed_process_leaves_no_lock(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from lrlab.runs.lock import Lock
lock = Lock(Path({str(tmp_path)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python(code).returncode == -signal.SIGKILL
    assert (tmp_path / HOLDER).read_text().startswith("process ")
    refuse_in_use(tmp_path)
    Lock(tmp_path).release()


def test_a_lock_without_a_name_holds(tmp_path):
    (tmp_path / HOLDER).mkdir()  # what cannot be written
    lock = Lock(tmp_path)
    with pytest.raises(RunError, match="in use by another process"):
        Lock(tmp_path)
    lock.release()


def test_what_cannot_be_locked_says_so(tmp_path):
    (tmp_path / LOCK).mkdir()
    with pytest.raises(Unwritable, match="cannot be locked"):
        Lock(tmp_path)


def test_reading_takes_no_lock(monkeypatch, tmp_path):
    """So a run can be read where nothing can be written."""

    def refused(*arguments, **options):
        raise AssertionError

    monkeypatch.setattr(filelock, "FileLock", refused)
    folder = FIXTURES / "format-2"
    assert lrlab.load(folder).history["train_loss"].shape == (12, 3, 2)
    assert runs.check(folder) == []
    with pytest.raises(AssertionError):
        Lock(tmp_path)


def test_runs_are_imported_where_there_is_no_fcntl():
    """As on Windows."""
    code = "import sys; sys.modules['fcntl'] = None; import lrlab.runs, filelock; filelock.FileLock"
    done = run_python(code)
    assert done.returncode == 0, done.stderr
