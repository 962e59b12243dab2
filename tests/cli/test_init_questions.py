"""What `lrlab init` asks in a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from lrlab.cli.init_questions import Said, asked


def said(*answers: str, target=None, model=None, optimizer=None, python=False) -> Said:
    waiting = list(answers)
    result = asked(target, model, optimizer, python, lambda question: waiting.pop(0))
    assert not waiting, "not everything was asked"
    return result


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text("a,b,y\n1,2,0\n3,4,1\n")


def test_enter_takes_what_stands_in_brackets() -> None:
    assert said("", "", "") == Said("digits-mlp", None, None, None, "adam", False)
    assert said("d.csv", "", "", "", "y") == Said(None, "d.csv", "y", "mlp", "adam", True)


def test_a_wrong_answer_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    given = said("dd.csv", "d.csv", "z", "b", "mpl", "linear", "sgd", "n")
    assert given == Said(None, "d.csv", "b", "linear", "sgd", False)
    shown = capsys.readouterr().err
    assert "no such file" in shown and "did you mean 'mlp'" in shown


def test_what_an_option_says_is_not_asked() -> None:
    given = said("d.csv", target="b", model="linear", optimizer="sgd", python=True)
    assert given == Said(None, "d.csv", "b", "linear", "sgd", True)


def test_the_end_of_the_input_is_no_answer() -> None:
    def ended(question: str) -> str:
        raise EOFError

    with pytest.raises(typer.Abort):
        asked(None, None, None, False, ended)
