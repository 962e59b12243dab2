"""Several lane axes at once: the best combination, what it costs, and how the axes go together."""

from __future__ import annotations

import json

import numpy as np
import pytest
from axes_world import World, search

import lrlab
from lrlab.cli.app import run


def test_the_best_combination_with_its_learning_rate() -> None:
    world = World(
        best=lambda weight_decay: 0.01 / (1 + 30 * weight_decay),
        floor=lambda weight_decay: 0.2 + np.abs(weight_decay - 0.1),
        noise=0.005,
        breaks=30,
    )
    answer = search(world, {"weight_decay": [0.0, 0.03, 0.1, 0.3]})
    assert answer.details["at"] == {"weight_decay": 0.1}
    assert 0.01 / 4 / 2 < answer.lr < 0.01 / 4 * 2
    assert answer.verdict == "interior" and answer.sentence.startswith("With weight_decay 0.1: ")
    assert answer.details["correlation"]["weight_decay"] < -0.7
    assert "A larger weight_decay goes with a smaller learning rate" in answer.sentence
    rows = answer.details["combinations"]
    assert [row["weight_decay"] for row in rows] == [0.0, 0.03, 0.1, 0.3]
    assert sum(row["cost"] for row in rows) == pytest.approx(answer.cost)


def test_two_axes_and_a_budget() -> None:
    world = World(
        best=lambda momentum, weight_decay: 0.1 * (1 - momentum),
        floor=lambda momentum, weight_decay: 0.5 - 0.2 * momentum + weight_decay,
    )
    answer = search(
        world, {"momentum": [0.0, 0.5, 0.9], "weight_decay": [0.0, 0.1]}, budget_runs=30
    )
    assert answer.details["at"] == {"momentum": 0.9, "weight_decay": 0.0}
    assert answer.cost <= 30 and 0.005 < answer.lr < 0.02
    assert answer.details["correlation"]["momentum"] < -0.7


def test_a_combination_that_is_as_good_is_called_so() -> None:
    world = World(
        best=lambda weight_decay: 0.01 + 0 * weight_decay,
        floor=lambda weight_decay: 0.2 + 0 * weight_decay,
        noise=0.01,
    )
    answer = search(world, {"weight_decay": [0.0, 0.1]})
    assert "weight_decay 0 and 0.1 are as good, each at its own rate" in answer.sentence
    assert answer.details["correlation"] == {"weight_decay": None}


def test_the_correlation_is_of_sizes_where_values_span_a_decade() -> None:
    """The best rate is 0.1 / multiplier exactly: -1 in decades, -0.8 in plain numbers."""
    world = World(
        best=lambda multiplier_readout: 0.1 / multiplier_readout,
        floor=lambda multiplier_readout: 0.2 + 0.1 * np.abs(np.log10(multiplier_readout)),
    )
    answer = search(world, {"multiplier_readout": [0.01, 0.1, 1.0, 10.0]}, budget_runs=80)
    assert answer.details["at"] == {"multiplier_readout": 1.0}
    assert answer.details["correlation"]["multiplier_readout"] < -0.97
    assert "A larger multiplier_readout goes with a smaller learning rate" in answer.sentence


def test_nothing_trains() -> None:
    world = World(
        best=lambda weight_decay: 1e-12 + 0 * weight_decay,
        floor=lambda weight_decay: 0.2,
        breaks=0,
    )
    answer = search(world, {"weight_decay": [0.0, 0.1]})
    assert answer.verdict == "none" and answer.lr is None and answer.details["at"] == {}


@pytest.mark.slow
def test_from_python_and_from_the_command_line(tmp_path, capsys) -> None:
    answer = lrlab.find(
        "iris-linear", optimizer="adamw", weight_decay=[0.0, 1.0], steps=30, batch_size=16,
        seeds=2, budget=12, progress=False,
    )  # fmt: skip
    assert set(answer.details["at"]) == {"weight_decay"} and answer.cost <= 12
    assert [row["weight_decay"] for row in answer.details["ridge"]] == [0.0, 1.0]
    assert answer.verdict == "none" or 0 < answer.confidence < 1
    config = tmp_path / "joint.toml"
    config.write_text(
        'steps = 30\nbatch_size = 16\nseeds = 2\nbudget = 12\n[task]\nname = "iris-linear"\n'
        '[optimizer]\nname = "momentum"\nmomentum = [0.0, 0.9]\n'
    )
    status = run(["find", str(config), "--out", str(tmp_path / "run"), "--json", "--quiet"])
    payload = json.loads(capsys.readouterr().out)
    assert status == 0 and set(payload["at"]) == {"momentum"} and payload["lr"] > 0
    assert [row["momentum"] for row in payload["ridge"]] == [0.0, 0.9]
    assert all(row["within"] is None or 0 < row["within"] < 1 for row in payload["ridge"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<h2>The best rate at each value</h2>" in page and "its best costs" in page
    again = run(["find", str(config), "--out", str(tmp_path / "run"), "--json", "--quiet"])
    assert again == 0 and json.loads(capsys.readouterr().out)["ridge"] == payload["ridge"]
