from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from report_sample import build

from lrlab.core.frames import data_frame, write_parquet
from lrlab.report.content import tidy
from lrlab.search.comparison import compared
from lrlab.search.range_test import range_test
from lrlab.types import Answer


def sample():
    """Two rates, two schedules by name, one seed; the second rate ends at step 2."""
    loss = np.arange(4.0).reshape(4, 1, 1, 1) * np.ones((4, 2, 2, 1))
    loss[2:, 1] = np.nan
    return build(
        title="t", lr=[0.1, 1.0], extra={"schedule": np.array(["cosine", "linear"])}, seeds=[7],
        steps=range(4), train_loss=loss, eval_steps=[2, 4],
        evaluated={"valid_loss": np.array([5.0, 6.0]).reshape(2, 1, 1, 1) * np.ones((2, 2, 2, 1))},
        initial={"valid_loss": np.full((2, 2, 1), 9.0)},
        outcome=[[["ok"], ["ok"]], [["diverged"], ["diverged"]]],
    )  # fmt: skip


def axes(data):
    return {"lr": data.lr, **data.extra, "seed": data.seeds}


def test_one_row_per_lane() -> None:
    data = sample()
    frame = data_frame(tidy.table(data.record, axes(data)))
    assert frame[["lr", "schedule", "seed", "outcome"]].values.tolist() == [
        [0.1, "cosine", 7, "ok"], [0.1, "linear", 7, "ok"],
        [1.0, "cosine", 7, "diverged"], [1.0, "linear", 7, "diverged"],
    ]  # fmt: skip
    assert frame.final_valid_loss.tolist() == [6.0] * 4 and frame.initial_valid_loss[0] == 9.0
    assert list(frame.columns[:4]) == ["lr", "schedule", "seed", "outcome"]


def test_one_row_per_lane_and_step() -> None:
    data = sample()
    frame = data_frame(tidy.table(data.record, axes(data), "step"))
    slow = frame[(frame.lr == 0.1) & (frame.schedule == "cosine")]
    assert slow.step.tolist() == [0, 1, 2, 3, 4]
    assert_allclose(slow.train_loss, [0, 1, 2, 3, np.nan], atol=0)
    assert_allclose(slow.valid_loss, [9, np.nan, 5, np.nan, 6], atol=0)
    assert "learning_rate" not in frame  # nothing was recorded of it
    fast = frame[frame.lr == 1.0]
    assert_allclose(fast.train_loss.dropna(), [0, 1, 0, 1], atol=0)


def test_another_kind_of_row_is_refused() -> None:
    data = sample()
    with pytest.raises(ValueError, match=r'per must be "lane" or "step", got \'seed\''):
        tidy.table(data.record, axes(data), "seed")


def answer(lr=0.1, scores=(1.0, 2.0), **fields) -> Answer:
    row = {
        "lr": lr, "seeds": [0, 1], "scores": list(scores), "steps": [9, 9],
        "outcome": ["ok", "pruned"],
    }  # fmt: skip
    ends = {name: (v / 2, v * 2) for name, v in lr.items()} if isinstance(lr, dict) else (0.05, 0.2)
    return Answer(lr, ends, "interior", "Train.", "valid_loss", 2.0, (row,), **fields)


def test_what_an_answer_rests_on() -> None:
    frame = answer(scores=(1.0, None)).to_pandas()
    assert frame.columns.tolist() == ["lr", "seed", "score", "steps", "outcome"]
    assert frame.outcome.tolist() == ["ok", "pruned"] and math.isnan(frame.score[1])
    several = answer({"gen": 0.1, "disc": 0.3}).to_pandas()
    assert several[["lr_gen", "lr_disc"]].values.tolist() == [[0.1, 0.3]] * 2


def test_a_comparison() -> None:
    several = answer(
        {"gen": 0.1, "disc": 0.3}, details={"final": {"seeds": [0, 1], "scores": [3.0, 3.1]}}
    )
    found = compared({"a": answer(), "b": answer(scores=(2.0, 3.5))}, "valid_loss", "min")
    frame = found.to_pandas()
    assert frame.setting.tolist() == ["a", "b"] and frame.low.tolist() == [0.05] * 2
    assert np.isnan(frame.difference[0]) and frame.difference[1] == pytest.approx(-1.25, abs=1e-12)
    assert found.to_pandas("seed").score.tolist() == [1.0, 2.0, 2.0, 3.5]
    with pytest.raises(ValueError, match=r'per must be "setting" or "seed"'):
        found.to_pandas("lane")
    assert several.details  # a setting with several rates has a column for each
    rates = tidy._rate({"lr": several.lr, "interval": several.interval})
    assert rates["lr_disc"] == 0.3 and rates["high_gen"] == 0.2


def test_a_study_that_found_nothing_in_a_group() -> None:
    group = {
        "value": 8, "parametrization": "standard", "lr": None, "interval": None, "verdict": "none",
        "best_mean": None, "initial": 1.0, "cost": 2.0, "run": None, "rates": np.array([0.1, 1.0]),
        "means": np.array([1.0, np.nan]),
    }  # fmt: skip
    payload = {"axis": "width", "groups": [group, {**group, "value": 16, "lr": 0.1}]}
    frame = data_frame(tidy.groups(payload))
    assert frame.width.tolist() == [8, 16] and np.isnan(frame.lr[0]) and frame.lr[1] == 0.1
    assert data_frame(tidy.groups(payload, "rate")).shape == (4, 4)


def test_a_range_test() -> None:
    lr, loss = np.geomspace(1e-3, 1.0, 4), np.array([[3.0, 2.0, 1.0, np.nan]] * 2)
    curves = range_test(lr, loss, np.array([3, 5]), "ramp", "train")
    table = tidy.range_table(curves)
    assert table["seed"].tolist() == [3] * 4 + [5] * 4 and table["loss"][2] == 1.0
    rules = data_frame(tidy.range_table(curves, "rule"))
    assert set(rules.seed) == {3, 5} and {"suggestion", "reason"} < set(rules.columns)


def test_parquet_keeps_types_and_has_null_for_no_number(tmp_path) -> None:
    columns = {
        "lr": np.array([0.1, np.nan]), "seed": np.array([1, 2]),
        "outcome": np.array(["ok", "diverged"], object), "loss": np.array([1, 2], np.float32),
    }  # fmt: skip
    write_parquet([columns], tmp_path / "a.parquet")
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert frame.outcome.tolist() == ["ok", "diverged"] and frame.loss.dtype == np.float32
    assert frame.lr.isna().tolist() == [False, True] and frame.seed.dtype == np.int64
