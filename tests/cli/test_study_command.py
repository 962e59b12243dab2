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


OWN = """\
steps = 3
seeds = 1
lr = [0.01, 0.1]

[task]
python = "ours:made"

[study]
axis = "AXIS"
values = [1, 2]
"""

CODE = """\
import jax.numpy as jnp
import lrlab

def made(width=4):
    return lrlab.Task.objective(
        name="o", init=lambda key: jnp.ones(width), loss=lambda p, key: (p**2).sum()
    )
"""


@pytest.mark.parametrize("axis", ["width", "wdth", "batchsize"])
def test_an_argument_with_a_default_is_an_axis(
    axis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(OWN.replace("AXIS", axis))
    Path("ours.py").write_text(CODE)
    status = run(["study", "study.toml", "--out", "out", "--json"])
    said = capsys.readouterr()
    if axis == "width":
        assert status == 0 and '"axis": "width"' in said.out
        return
    words = {"wdth": "did you mean 'width'", "batchsize": "did you mean 'batch_size'"}
    assert status == 2 and words[axis] in said.err


@pytest.mark.slow
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
