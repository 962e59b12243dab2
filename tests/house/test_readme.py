"""The README's Python and the code of the three doors run."""

from __future__ import annotations

import numpy as np
import pytest
from places import ROOT
from site_blocks import DOCS, blocks

import lrlab

SHORT = {"steps": 6, "batch_size": 8, "seeds": 1, "progress": False}


@pytest.fixture
def _short(monkeypatch):
    for name in ("sweep", "find"):
        usual = getattr(lrlab, name)
        monkeypatch.setattr(
            lrlab, name, lambda task, usual=usual, **given: usual(task, **{**given, **SHORT}),
            raising=False,
        )  # fmt: skip


@pytest.mark.usefixtures("_short")
def test_the_first_python_of_the_readme_answers():
    (first, *_) = (b for b in blocks((ROOT / "README.md").read_text("utf-8")) if b[0] == "python")
    names: dict = {}
    exec(compile(first.text, "README.md", "exec"), names)
    assert names["answer"].sentence


@pytest.mark.slow
@pytest.mark.usefixtures("_short")
def test_the_code_of_each_door_trains(monkeypatch):
    monkeypatch.delitem(SHORT, "batch_size")  # an objective has none
    names: dict = {}
    trained = []
    for block in blocks((DOCS / "tutorials" / "any-training.md").read_text("utf-8")):
        assert block.language == "python"
        exec(compile(block.text, f"any-training.md:{block.line}", "exec"), names)
        trained.append(names.get("task"))
    names_seen = [task.name for task in trained if task is not None]
    assert names_seen == ["supervised", "vae", "own", "own"]
    assert np.isfinite(names["result"].final["valid_loss"]).all() and names["answer"].sentence
