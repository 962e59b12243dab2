"""`lrlab plan --on`: a tile is timed, the rest is arithmetic."""

from __future__ import annotations

import json

import pytest
from pooled import in_pieces
from stopped_runs import written

from lrlab.cli.app import run as command
from lrlab.cluster import timing
from lrlab.core.errors import WorkerError

SWEEP = """
lr = [0.001, 0.01, 0.1]
seeds = 2
steps = 40
batch_size = 16
task.name = "iris-linear"
optimizer.name = "sgd"
plan = {tile_width = 2, devices = 1, segment_steps = 10}
"""


def planned(tmp_path, monkeypatch, capsys, seconds: list[float]) -> dict:
    """The plan, where a piece of so many seconds comes back at each call."""
    in_pieces(monkeypatch)
    taken = iter(seconds)
    trained = timing._timed

    def timed(*given):
        return next(taken), trained(*given)[1]

    monkeypatch.setattr(timing, "_timed", timed)
    assert command(["plan", written(tmp_path, SWEEP), "--on", "ray", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_time_follows_from_a_tile(tmp_path, monkeypatch, capsys) -> None:
    plan = planned(tmp_path, monkeypatch, capsys, [3.0, 1.0])
    cluster = plan["on"]
    # Four tiles of a worker's one device, 10 updates of a tile in a second.
    assert cluster["lanes"] == 6 and cluster["lanes_at_once"] == 2 and cluster["workers"] == 1
    assert cluster["seconds"] - cluster["start_seconds"] == pytest.approx(16.0, abs=0.01)
    assert cluster["pieces"] == 4 and cluster["lane_bytes"] > 0
    assert plan["tile_width"] == 2 and "reasons" in plan


def test_a_short_tile_is_timed_for_longer(tmp_path, monkeypatch, capsys) -> None:
    cluster = planned(tmp_path, monkeypatch, capsys, [3.0, 0.5, 1.0])["on"]
    assert cluster["seconds"] - cluster["start_seconds"] == pytest.approx(8.0, abs=0.01)


def test_pieces_are_counted_as_they_are_dealt(tmp_path, monkeypatch, capsys) -> None:
    cluster = planned(tmp_path, monkeypatch, capsys, [99.0, 10.0])["on"]
    assert cluster["pieces"] == 4 * 8  # 5 updates in the 5 seconds of a piece


def test_a_worker_that_fails_says_why(tmp_path, monkeypatch, capsys) -> None:
    in_pieces(monkeypatch)
    monkeypatch.setattr("lrlab.cluster.inline.trained", lambda *given: 1 / 0)
    assert command(["plan", written(tmp_path, SWEEP), "--on", "ray"]) == 3
    assert "the timed tile failed: ZeroDivisionError" in capsys.readouterr().err
    assert issubclass(WorkerError, Exception)


def test_here_nothing_is_timed(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(timing, "_timed", None)
    assert command(["plan", written(tmp_path, SWEEP), "--on", "local", "--json"]) == 0
    assert "on" not in json.loads(capsys.readouterr().out)
