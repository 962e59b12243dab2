"""`lrlab study` at the terminal: its table, its sentence and its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrlab.cli.app import run

CONFIG = """\
steps = 6
seeds = 1
lr = [0.01, 0.1]

[task]
name = "wine-linear"

[study]
axis = "batch_size"
values = [8, 16]
"""


def test_a_study_prints_its_groups_and_writes_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(CONFIG)
    for _ in range(2):  # trained, then read
        assert run(["study", "study.toml", "--out", "out"]) == 0
        printed = capsys.readouterr().out
        assert "best rate" in printed and "batch_size" in printed and "Report:" in printed
    assert Path("out/report.html").exists()
    assert run(["study", "study.toml", "--out", "out", "--quiet"]) == 0
    assert "learning rate" in capsys.readouterr().out
