"""Where lrlab keeps what it may lose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from lrlab.core import paths

WITHOUT_A_HOME = """
import pathlib, sys
def home(cls=None):
    raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = classmethod(home)
from lrlab.core.paths import cache_folder
from lrlab.cli.app import run
status = run(["ls", "--out", sys.argv[1]])
print(cache_folder())
sys.exit(status)
"""


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRLAB_CACHE", "/own")
    assert paths.cache_folder() == Path("/own")
    monkeypatch.delenv("LRLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/all")
    assert paths.cache_folder() == Path("/all/lrlab")


def test_a_user_without_a_home_has_a_cache_for_each_process(tmp_path: Path) -> None:
    without = ("HOME", "LRLAB_CACHE", "XDG_CACHE_HOME", "MPLCONFIGDIR")
    environment = {k: v for k, v in os.environ.items() if k not in without}
    environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_HOME, str(tmp_path / "runs")],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1])
    assert folder.parent == tmp_path and folder.name.startswith("lrlab-cache-")
    assert not folder.exists()  # removed at the end
