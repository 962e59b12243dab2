"""Run folders of older versions: they open, and are not continued."""

from __future__ import annotations

import json
import shutil

import pytest
from places import FIXTURES

import lrlab
from lrlab import runs
from lrlab.cli.app import run as command
from lrlab.runs import RunError


@pytest.mark.parametrize("stored", ["format-1", "format-2"])
def test_old_runs_open(stored, tmp_path, capsys):
    folder = str(FIXTURES / stored)
    result = lrlab.load(folder)
    assert result.history["train_loss"].shape == (12, 3, 2)
    assert 0.05 < result.best().lr < 0.2  # newer rules read the same numbers
    assert runs.check(folder) == []
    assert command(["doctor", folder, "--json"]) == 0
    assert command(["show", folder]) == 0
    assert command(["report", folder, "--out", str(tmp_path), "--no-figures"]) == 0
    assert "stored" in (tmp_path / "report.html").read_text()
    capsys.readouterr()
    assert command(["resume", folder]) == 0
    assert "is done" in capsys.readouterr().out
    assert command(["resume", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["best"]["lr"] == 0.1


def test_an_unfinished_run_of_an_older_format_is_not_continued(tmp_path):
    shutil.copytree(FIXTURES / "format-1", tmp_path / "old")
    path = tmp_path / "old" / "run.json"
    path.write_text(path.read_text().replace('"finished"', '"interrupted"'))
    with pytest.raises(RunError, match="older lrlab"), runs.opened(tmp_path / "old") as folder:
        folder.writer()
