"""What the progress line says, and when."""

from __future__ import annotations

import pytest

from lrlab.core import compiling
from lrlab.training import progress
from lrlab.types import Progress

NOW = Progress(10, 100, 7, 8, 0.25, 0.01, 1234.0)


def test_the_facts_beside_a_bar_follow_the_compiler() -> None:
    facts = progress._Facts(["starting"])
    assert str(facts) == f"{facts}" == "starting"
    with compiling.under_way():
        assert str(facts) == "compiling (0 s)"
        with compiling.under_way():
            pass
        assert compiling.seconds() is not None
    assert compiling.seconds() is None and str(facts) == "starting"


def test_a_compilation_that_fails_is_over() -> None:
    with pytest.raises(ValueError, match="no"), compiling.under_way():
        raise ValueError("no")
    assert compiling.seconds() is None


def test_lines_without_a_terminal(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar(True, "training") as listener:
        assert listener is not None
        listener(NOW)
    assert capsys.readouterr().err == ""  # ten seconds have not passed
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    with progress.bar(True, "training") as listener:
        assert listener is not None
        listener(NOW)
    assert "training: 7 of 8 lanes alive" in capsys.readouterr().err


def test_a_long_compilation_is_said(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.01)
    said = ""
    with progress.bar(True, "training"), compiling.under_way():
        for _ in range(6000):  # until the thread has come by, a minute at most
            said += capsys.readouterr().err
            if said:
                break
            progress.time.sleep(0.01)
    assert said.startswith("training: compiling (0 s)")
