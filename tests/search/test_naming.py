"""Values that are names, in sentences, JSON, evidence and tables: never numbers that count them."""

from __future__ import annotations

import json

import flax.linen as nn
import numpy as np
import pytest

import lrlab
from lrlab.cli.app import run
from lrlab.config.groups import show_value
from lrlab.core.text import number
from lrlab.schedules import labels
from lrlab.search.naming import in_words

X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
SCHEDULES = ["linear", {"name": "wsd", "cooldown": 0.1}, {"name": "wsd", "cooldown": 0.5}]
NAMES = ("linear", "wsd, cooldown 0.1", "wsd, cooldown 0.5")


def task() -> lrlab.Task:
    return lrlab.Task.supervised(
        model=nn.Dense(2), loss="softmax_cross_entropy", train=(X, Y), valid=(X, Y)
    )


def test_a_search() -> None:
    answer = lrlab.find(
        task(), optimizer="sgd", steps=10, schedule=SCHEDULES, budget=5, progress=False
    )
    chosen = answer.details["at"]["schedule"]
    assert chosen in NAMES
    assert answer.sentence.startswith(f"With {in_words({'schedule': chosen})}: ")
    assert [row["schedule"] for row in answer.details["combinations"]] == list(NAMES)
    assert answer.details["correlation"] == {"schedule": None} and "A larger" not in answer.sentence


@pytest.mark.slow
def test_a_sweep_says_which_combination_is_best() -> None:
    result = lrlab.sweep(
        task(), lr=[0.03, 0.3], optimizer="momentum", momentum=[0.0, 0.9], steps=20, seeds=1,
        schedule=SCHEDULES, progress=False,
    )  # fmt: skip
    answer = result.best()
    finals = result.final["valid_loss"].mean(-1)
    _, momentum, schedule = np.unravel_index(finals.argmin(), finals.shape)
    at = {"momentum": [0.0, 0.9][momentum], "schedule": NAMES[schedule]}
    assert answer.details["at"] == at
    assert answer.sentence.startswith(f"With {in_words(at)}: ")
    page = result.plot(interactive=True).text
    assert all(json.dumps(name) in page for name in NAMES)
    assert "at" not in lrlab.sweep(
        task(), lr=[0.03, 0.3], optimizer="sgd", steps=5, seeds=1, progress=False
    ).best().details  # fmt: skip


@pytest.mark.slow
def test_from_the_command_line(tmp_path, capsys) -> None:
    config = tmp_path / "names.toml"
    config.write_text(
        'steps = 6\nseeds = 1\nbudget = 4\noptimizer.name = "sgd"\n'
        'schedule = ["linear", {name = "wsd", cooldown = 0.5}]\n'
        '[task]\nname = "wine-linear"\n'
    )
    assert run(["find", str(config), "--json", "--out", str(tmp_path / "run")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["at"]["schedule"] in ("linear", "wsd, cooldown 0.5")
    assert "schedule 0" not in found["sentence"] and "schedule 1" not in found["sentence"]


@pytest.mark.slow
def test_a_comparison_names_what_an_entry_chose() -> None:
    found = lrlab.compare(
        {"several": {"schedule": SCHEDULES[:2]}, "one": {"schedule": "cosine"}}, task=task(),
        optimizer="sgd", steps=6, budget=4, progress=False,
    )  # fmt: skip
    several = next(row for row in found.rows if row.name == "several")
    chosen = several.answer.details["at"]["schedule"]
    assert chosen in NAMES[:2] and several.title == f"several with {in_words({'schedule': chosen})}"
    assert several.title in found.sentence and chosen in str(found)
    entries = {entry["name"]: entry for entry in found.payload()["entries"]}
    assert entries["several"]["at"] == {"schedule": chosen} and "at" not in entries["one"]


def test_labels() -> None:
    assert labels(["linear", "linear", {"name": "wsd"}]) == ("linear", "linear (2)", "wsd")
    assert labels(SCHEDULES) == NAMES
    assert show_value({"name": "wsd", "cooldown": 0.3}) == "wsd, cooldown 0.3"
    assert number(np.array(NAMES)[1]) == "wsd, cooldown 0.1"
