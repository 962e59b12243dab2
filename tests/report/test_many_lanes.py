"""Runs with very many lanes: a report reads and shows some of them, an export all."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab import report, runs
from lrlab.cli import export_formats
from lrlab.cli.app import run as command
from lrlab.core.records import DIVERGED, OK, LaneRecord, blank_record
from lrlab.report.content import selection, summary
from lrlab.report.content.data import of_record

RATES, DECAYS, STEPS = 200, 30, 8


def record_of(seeds: int = 1) -> LaneRecord:
    """A grid whose loss is lowest at rate 1e-2 and decay 3e-4; rates from 1 on diverge."""
    rates = np.geomspace(1e-5, 10, RATES)[::-1]
    axes = {"lr": rates, "weight_decay": np.geomspace(1e-6, 1e-1, DECAYS)}
    axes["seed"] = np.arange(seeds)
    lanes = {"cell": np.arange(RATES * DECAYS * seeds)}
    record = blank_record(lanes, STEPS, [4, 8]).grid(axes)
    rate, decay = np.log10(rates)[:, None, None], np.log10(axes["weight_decay"])[:, None]
    loss = np.broadcast_to((rate + 2) ** 2 + 0.1 * (decay + 3.5) ** 2, record.outcome.shape)
    fade = np.linspace(2, 1, STEPS).reshape(-1, 1, 1, 1)
    values = {"train_loss": loss * fade, "learning_rate": np.ones_like(loss) * fade,
              "valid_loss": loss * fade[[3, 7]]}  # fmt: skip
    values = {name: one.astype(np.float32) for name, one in values.items()}
    lost = np.broadcast_to(rates[:, None, None] >= 1, record.outcome.shape)
    from lrlab.core.records import Metric

    for one in values.values():
        one[-1][lost] = np.nan
    metrics = {
        name: Metric(one, "eval_step" if name == "valid_loss" else "step")
        for name, one in values.items()
    }
    return record._replace(
        metrics=metrics,
        outcome=np.where(lost, DIVERGED, OK).astype(np.int8),
        diverged_at=np.where(lost, STEPS - 1, -1),
        steps_trained=np.where(lost, STEPS - 1, STEPS),
        initial={"valid_loss": np.full(record.outcome.shape, 30.0, np.float32)},
    )


@pytest.fixture
def folder(tmp_path):
    run = runs.create(tmp_path / "run", "many", "sweep", "", {"metric": "valid_loss"})
    runs.write_record(run, record_of())
    answer = {
        "lr": 1e-2,
        "interval": [8e-3, 1.2e-2],
        "verdict": "interior",
        "sentence": "Use it.",
        "metric": "valid_loss",
        "cost": None,
        "details": {"at": {"weight_decay": 3e-4}},
    }
    run.finish(answer)
    run.close()
    return tmp_path / "run"


def test_few_lanes_are_left_alone() -> None:
    data = of_record("few", record_of().take("lr", np.arange(100)))
    assert selection.sampled(data) is data


def test_many_are_spread_over_every_axis(folder) -> None:
    data, whole = report.read(folder), report.read(folder, every_lane=True)
    assert whole.record.outcome.size == RATES * DECAYS and not whole.lanes
    assert data.lanes == RATES * DECAYS
    shown = data.record.outcome.size
    assert 1000 < shown < 1.2 * selection.SHOWN_LANES
    assert {data.lr.min(), data.lr.max()} == {whole.lr.min(), whole.lr.max()}
    for wanted in (1e-2, 8e-3, 1.2e-2):  # the answer's own neighbours
        nearest = whole.lr[np.argmin(np.abs(whole.lr - wanted))]
        assert nearest in data.lr
    assert np.all(np.diff(data.lr) < 0)  # in the order of the run
    place = np.searchsorted(-whole.lr, -data.lr)
    decays = np.searchsorted(whole.extra["weight_decay"], data.extra["weight_decay"])
    for name, metric in data.record.metrics.items():
        wanted = whole.record.metrics[name].values[:, place][:, :, decays]
        np.testing.assert_array_equal(metric.values, wanted)


def test_the_costs_are_of_all(folder) -> None:
    rows = {what: value for what, value, _ in summary.costs(report.read(folder))}
    assert rows["Lanes trained"] == f"{RATES * DECAYS:,}"
    assert rows["Lanes shown"].endswith(f" of {RATES * DECAYS:,}")
    every = summary.costs(report.read(folder, every_lane=True))
    assert rows["Lane-steps"] == {what: value for what, value, _ in every}["Lane-steps"]
    assert "Lanes shown" not in str(every)


def test_long_runs_show_fewer(monkeypatch) -> None:
    monkeypatch.setattr(selection, "SHOWN_VALUES", STEPS * 100)
    data = selection.sampled(of_record("long", record_of()))
    assert data.record.outcome.size <= 100


@pytest.mark.slow
def test_the_page_of_many_lanes_is_written(folder, capsys) -> None:
    assert command(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert f" of {RATES * DECAYS:,}" in page and len(page) < 8e6
    assert command(["show", str(folder)]) == 0
    assert f"of {RATES * DECAYS:,}" in capsys.readouterr().out


@pytest.mark.parametrize("format", ["csv", "parquet", "curves"])
def test_an_export_in_parts_has_every_row(folder, tmp_path, format, monkeypatch) -> None:
    pandas = pytest.importorskip("pandas")
    whole, parts = tmp_path / f"whole.{format}", tmp_path / f"parts.{format}"
    per = [] if format == "curves" else ["--per", "step"]
    assert command(["export", str(folder), "-f", format, *per, "-o", str(whole)]) == 0
    monkeypatch.setattr(export_formats, "PART_VALUES", 20_000)
    assert command(["export", str(folder), "-f", format, *per, "-o", str(parts)]) == 0
    if format == "parquet":
        one, other = pandas.read_parquet(whole), pandas.read_parquet(parts)
        pandas.testing.assert_frame_equal(one, other)
    else:
        assert whole.read_bytes() == parts.read_bytes()
