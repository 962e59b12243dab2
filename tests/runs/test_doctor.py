"""What is missing or changed in an unfinished run is found, and keeps it from being continued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stopped_runs import SWEEP, stopped, written

from lrlab import api, config, runs
from lrlab.cli.app import run as command
from lrlab.core.errors import Interrupted
from lrlab.runs import RunError

pytestmark = pytest.mark.usefixtures("every_segment")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("history.zarr/train_loss/c/0/0/0", "missing"),
        ("history.zarr/valid_loss/zarr.json", "missing"),
        ("config.toml", "missing"),
        ("commit.json", None),
    ],
)
def test_a_piece_missing_from_an_unfinished_run_is_found(file, words, tmp_path, monkeypatch):
    stopped(monkeypatch, after=3)
    experiment = config.load(written(tmp_path, SWEEP), command="sweep")
    with pytest.raises(Interrupted):
        api.run("sweep", experiment, out=str(tmp_path / "run"), progress=False)
    assert runs.check(tmp_path / "run") == []
    (tmp_path / "run" / file).unlink()
    findings = runs.check(tmp_path / "run")
    if words:
        assert any(words in finding.problem for finding in findings)
    monkeypatch.undo()
    if file != "commit.json":  # without it, nothing is committed: the run starts again
        with pytest.raises(RunError, match=Path(file).name):
            api.resume(tmp_path / "run", progress=False)


def test_a_number_changed_in_the_record_is_found(tmp_path, monkeypatch):
    stopped(monkeypatch, after=3)
    path = written(tmp_path, SWEEP)
    assert command(["sweep", path, "--out", str(tmp_path / "run"), "-q"]) == 130
    for name, old, new in (
        ("commit.json", '"cohort": 0', '"cohort": 1'),
        ("run.json", '"tile_width": 2', '"tile_width": 3'),
        ("config.toml", "seed = 0", "seed = 1"),
    ):
        place = tmp_path / "run" / name
        whole = place.read_text()
        changed = whole.replace(old, new)
        assert changed != whole
        place.write_text(changed)
        assert any(name in finding.file for finding in runs.check(tmp_path / "run"))
        with pytest.raises(RunError, match=name):
            api.resume(tmp_path / "run", progress=False)
        place.write_text(whole)
    place = tmp_path / "run" / "run.json"
    info = json.loads(place.read_text())
    place.write_text(json.dumps({**info, "status": "gone"}))
    assert "unknown status" in runs.check(tmp_path / "run")[0].problem
    monkeypatch.undo()
    assert command(["resume", str(tmp_path / "run"), "-q"]) == 0
