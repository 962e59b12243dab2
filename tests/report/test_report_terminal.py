"""Runs, range tests and comparisons on the terminal."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from report_sample import KINDS, build, run, sample
from rich.console import Console, Group

from lrlab import report
from lrlab.report.content.summary import lr_rows
from lrlab.report.terminal.blocks import CROSS
from lrlab.report.terminal.run import valley
from lrlab.search.range_test import range_test


def printed(thing, width):
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    console.print(thing)
    return console.export_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [60, 100, 200])
def test_terminal(kind, width):
    text = printed(report.renderable(run(kind)), width)
    assert "Train with 0.03." in text and "valid_loss against learning rate" in text
    assert all(len(line) <= width for line in text.splitlines()) and "\x1b" not in text
    assert (
        "▲" in text and "━" in text and (CROSS in text) == (run(kind).outcome == "diverged").any()
    )


def test_the_terminal_puts_alike_rates_together_and_leaves_some_out():
    data = sample(lrs=60, seeds=2, steps=30, evals=3)
    short, whole = (printed(report.renderable(data, every), 100) for every in (False, True))
    assert "more rows: lrlab show RUN --all" in short and len(whole.splitlines()) > 60
    assert re.search(r"[\d.]+ to 10 .* diverged \(step \d+ to \d+\)", short)


def test_the_valley_marks_the_pick_where_it_lies():
    lr = np.geomspace(1e-4, 1.0, 9)
    loss = np.broadcast_to(((np.log10(lr) + 2) ** 2 + 0.1)[:, None], (9, 1))
    data = build(title="", lr=lr, seeds=[0], steps=[0], train_loss=loss[None],
                        answer={"lr": 0.01, "interval": [0.005, 0.02]})  # fmt: skip
    _, blocks, axis, names = printed(valley_of(data), 68).splitlines()
    assert axis.index("▲") == 2 + 32 and names.split() == ["0.0001", "0.01", "1"]
    assert blocks[2] == blocks[65] == "█" and blocks[axis.index("▲")] == "▁"


def valley_of(data):
    return Group(*valley(data, lr_rows(data), 68))


def test_rules_and_comparison_on_the_terminal():
    lr = np.geomspace(1e-6, 1.0, 80)
    loss = 2.3 - 2 / (1 + np.exp(-3 * (np.log10(lr) + 2))) + np.array([[0.0], [0.1]])
    test = range_test(lr, loss, np.array([0, 1]), "ramp", "train")
    for width in (60, 120):
        text = printed(report.rules_table(test), width)
        assert "valley" in text and "●" in text and "the loss still falls at the end" in text
    found = {
        "metric": "valid_loss", "winner": "a", "sentence": "a wins.",
        "entries": [
            {"name": "a", "lr": 0.1, "interval": [0.1, 0.2], "mean": 1.0, "verdict": "interior"},
            {"name": "b", "lr": None, "interval": None, "mean": None, "verdict": "none"},
        ],
        "versus": {"b": {"interval": [-0.5, -0.25]}},
    }  # fmt: skip
    assert "0.25 to 0.5" in printed(report.comparison(found), 120)
    assert "a wins." in printed(report.comparison(found), 60)
