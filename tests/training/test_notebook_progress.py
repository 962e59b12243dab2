from __future__ import annotations

import sys
import types

import pytest

from lrlab.training import notebook
from lrlab.training.progress import bar
from lrlab.types import Progress


class Handle:
    def __init__(self) -> None:
        self.shown = []

    def update(self, line) -> None:
        self.shown.append(line)


@pytest.fixture
def handle(monkeypatch):
    """A process that answers a notebook, as far as progress can tell."""
    one = Handle()

    def display(line, display_id):
        assert display_id is True
        one.shown.append(line)
        return one

    shell = types.SimpleNamespace(kernel=object())
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    module.display = types.ModuleType("IPython.display")
    module.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    monkeypatch.setattr(notebook, "OFTEN_SECONDS", 0.0)
    return one


def test_one_line_changes_and_says_when_it_is_done(handle, capsys) -> None:
    with bar(True, "a <title>") as listener:
        listener(Progress(10, 100, 7, 8, 0.25, 0.01, 1234.0))
    assert [repr(line).split(",")[0] for line in handle.shown[:2]] == [
        "a <title>: compiling", "a <title>: 7 of 8 lanes alive",
    ]  # fmt: skip
    assert repr(handle.shown[-1]).startswith("a <title>: done in ")
    assert 'value="0.100"' in handle.shown[1]._repr_html_()
    assert "&lt;title&gt;" in handle.shown[1]._repr_html_()
    assert capsys.readouterr().err == ""


def test_an_end_by_an_error_is_said(handle) -> None:
    with pytest.raises(KeyboardInterrupt), bar(True):
        raise KeyboardInterrupt
    assert "ended after" in repr(handle.shown[-1])


def test_elsewhere_there_is_no_notebook(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not notebook.in_notebook()
