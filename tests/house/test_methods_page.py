"""The page of all methods and the short table of them are what the registries say."""

from __future__ import annotations

from pathlib import Path

import methods
import pytest
from places import ROOT

from lrlab import optimizers, schedules


def test_writing_them_again_changes_nothing():
    choose = (ROOT / methods.CHOOSE).read_text(encoding="utf-8")
    again = "run `python docs/methods.py`"
    assert methods.with_table(choose) == choose, again
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == methods.page(), again


def test_every_entry_is_there_once_with_its_source():
    kinds = methods.kinds()
    named = [method.name for kind in kinds.values() for method in kind]
    assert sorted(named) == sorted([*schedules.NAMES, *optimizers.names()])
    for kind in kinds.values():
        for method in kind:
            assert method.summary.endswith((".", ":")) and method.source, method
    linked = "[arXiv 2306.06101](https://arxiv.org/abs/2306.06101)"
    assert linked in next(line for line in methods.page().splitlines() if "`prodigy`" in line)


def test_it_is_written_in_place(tmp_path: Path):
    choose = tmp_path / methods.CHOOSE
    choose.parent.mkdir(parents=True)
    choose.write_text(f"before\n{methods.BEGIN}\nold\n{methods.END}\nafter\n")
    methods.main([str(tmp_path)])
    text = choose.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert f"| schedules | {len(schedules.NAMES)} |" in text
    assert (tmp_path / "docs" / "methods.md").read_text() == methods.page()
    with pytest.raises(ValueError, match="must hold the lines"):
        methods.with_table("no markers")
