"""From run folders to what reports are made of."""

from __future__ import annotations

import numpy as np
from report_sample import build

import lrlab
from lrlab import report, runs
from lrlab.cli.app import run
from lrlab.core.records import Metric
from lrlab.report.content.data import direction_of, metric_of, of_record

CONFIG = """
steps = 6
seeds = 1
lr = [0.01, 0.1]
optimizer.name = "sgd"
task.name = "wine-linear"
"""


def test_a_command_reads_the_history_once(tmp_path, monkeypatch, capsys):
    (tmp_path / "sweep.toml").write_text(CONFIG)
    read: list[str] = []

    def counted(path, lazy=False):
        read.append(str(path))
        return whole(path, lazy)

    whole = runs.open_run
    monkeypatch.setattr(runs, "open_run", counted)
    assert run(["sweep", str(tmp_path / "sweep.toml"), "--out", str(tmp_path / "run")]) == 0
    assert "learning rate" in capsys.readouterr().out and (tmp_path / "run/report.html").exists()
    assert len(read) == 1


def test_a_folder_and_the_result_in_memory_give_the_same_page(tmp_path):
    result = lrlab.sweep(
        "wine-linear", lr=[0.01, 0.1, 1.0], steps=8, seeds=2, optimizer="sgd", progress=False,
        out=tmp_path / "run",
    )  # fmt: skip
    there, here = report.read(tmp_path / "run"), report.from_result(result)
    assert there.record.metrics.keys() == here.record.metrics.keys()
    for name, metric in here.record.metrics.items():
        stored = there.record.metrics[name]
        np.testing.assert_array_equal(stored.values, metric.values)
        assert stored[1:] == metric[1:]
    assert metric_of(there) == metric_of(here) == "valid_loss"
    assert there.answer is not None and here.answer is not None
    assert there.answer["lr"] == here.answer["lr"]


def test_a_direction_that_was_not_recorded_is_that_of_the_name():
    loss = np.ones((2, 1, 1))
    record = build(title="", lr=[0.1], seeds=[0], steps=[0, 1], train_loss=loss).record
    metrics = {
        **record.metrics,
        "valid_accuracy": Metric(loss, "step"),
        "valid_score": Metric(loss, "step", "min"),
    }
    data = of_record("", record._replace(metrics=metrics))
    names = ("train_loss", "valid_accuracy", "valid_score")
    assert [direction_of(data, name) for name in names] == ["min", "max", "min"]
