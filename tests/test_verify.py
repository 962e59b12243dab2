"""`lrlab verify`: every light case passes, and what the command gives back."""

from __future__ import annotations

import json

import pytest

from lrlab import verify
from lrlab.cli.app import run as command


@pytest.mark.parametrize("name", ["schedule-bound", "linear-decay", "noise-scale", "catapult"])
def test_light_cases(name: str) -> None:
    verdict = verify.run(name)[0]
    assert verdict.name == name and verdict.passed, verdict.measured


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["quadratic-laws", "deepobs-sgd", "fractal", "noisy-quadratic", "batch-linear", "mup-transfer"],
)
def test_heavier_cases(name: str) -> None:
    verdict = verify.run(name)[0]
    assert verdict.passed, verdict.measured


def test_command(tmp_path, capsys) -> None:
    assert command(["verify", "--only", "schedule-bound", "--json", "--out", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] and set(found["cases"][0]) == {
        "name", "claim", "published", "measured", "tolerance", "passed", "seconds",
    }  # fmt: skip
    page = (tmp_path / "verify.html").read_text()
    assert "1 of 1 published" in page and "data:image/png" in page


def test_failure_is_status_1(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(verify.CASES, "schedule-bound", "lrlab.verify.catapult:absent")
    assert command(["verify", "--only", "schedule-bound", "--out", str(tmp_path)]) == 1
    assert "AttributeError" in (tmp_path / "verify.html").read_text()


def test_unknown_case() -> None:
    with pytest.raises(ValueError, match="did you mean 'fractal'"):
        verify.run("fractl")
    assert command(["verify", "--only", "fractl"]) == 2
