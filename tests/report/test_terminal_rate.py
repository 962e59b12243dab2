"""`lrlab show RUN --lr RATE`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from places import FIXTURES

import lrlab
from lrlab.cli.app import run
from lrlab.report.terminal.rate import nearest

RUN = str(FIXTURES / "format-2")


def test_the_nearest_rate_says_which_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    data = lrlab.report.read(RUN)
    for rate in data.lr:
        found, lanes, _ = nearest(data, float(rate) * 1.01)
        assert found == rate and {lane.seed for lane in lanes} == {*data.seeds.tolist()}
    rate = float(sorted(data.lr)[0])
    assert run(["show", RUN, "--lr", str(rate * 1.1)]) == 0
    shown = capsys.readouterr().out
    assert "the nearest to" in shown and "valid_loss" in shown
    assert run(["show", RUN, "--lr", f"{rate!r}"]) == 0
    assert "the nearest to" not in capsys.readouterr().out


def test_the_json_object_has_the_curves(capsys: pytest.CaptureFixture[str]) -> None:
    data = lrlab.report.read(RUN)
    assert run(["show", RUN, "--lr", "1e31", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["asked"], made["lr"]) == (1e31, float(np.max(data.lr)))
    at = int(np.argmax(data.lr))
    for lane in made["lanes"]:
        seed = data.seeds.tolist().index(lane["seed"])
        place = (at, *(0 for _ in data.extra), seed)
        assert lane["outcome"] == str(data.outcome[place])
        curve = np.asarray(data.record.metrics["train_loss"].values[(slice(None), *place)], float)
        values = lane["history"]["train_loss"]["values"]
        np.testing.assert_allclose(values, curve[np.isfinite(curve)], rtol=0, atol=0)


@pytest.mark.parametrize("rate", ["-1", "nan", "inf"])
def test_what_is_no_rate(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", RUN, f"--lr={rate}", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["problems"][0]["file"] == "--lr"


def test_what_has_no_lanes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text('{"command": "study", "status": "failed"}')
    assert run(["show", str(tmp_path), "--lr", "0.1", "--json"]) == 2
    assert "has no lanes" in json.loads(capsys.readouterr().out)["problems"][0]["message"]
    assert run(["show", RUN, "--lr", "0.1", "--all", "--json"]) == 2
