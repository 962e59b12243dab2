"""Lanes that several devices share: what is cut, what is refused, and the numbers of one device."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import tiny
from eight_devices import run
from few import few
from stopped_runs import equal

import lrlab
from lrlab.config import ConfigError
from lrlab.config.resolved import digest
from lrlab.core.errors import FieldError
from lrlab.engine import places
from lrlab.engine.estimate import planned_waves
from lrlab.engine.plan import make_plan
from lrlab.types import Lanes, Plan


@pytest.mark.parametrize(
    ("shape", "count", "axis"),
    [
        ((64, 256), 2, 1),
        ((256, 64), 2, 0),
        ((64, 64), 2, 1),
        ((3, 3, 64, 128), 4, 3),
        ((1023, 64), 2, 1),
        ((1023, 65), 2, None),
        ((1000,), 2, None),
        ((2048,), 2, 0),
        ((), 2, None),
        ((0, 4096), 2, None),
        ((64, 256), 1, None),
    ],
)
def test_the_largest_axis_that_divides_is_cut(shape, count, axis):
    assert places.cut_axis(shape, count) == axis


@pytest.mark.parametrize(("shared", "words"), [(3, "does not divide"), (16, "but there are"),
                                               (0, "must be at least 1")])  # fmt: skip
def test_rows_that_are_not_whole_are_refused(shared, words):
    with pytest.raises(FieldError, match=rf"plan\.model_devices.* {words}"):
        places.check_rows(8, shared)


def test_more_devices_than_there_are_is_refused_before_anything_compiles():
    plan = Plan(devices=len(jax.devices()), model_devices=len(jax.devices()) + 1)
    with pytest.raises(FieldError, match=r"plan\.model_devices"):
        make_plan(tiny.problem(), tiny.data(), ("lr",), 4, 1, plan)
    with pytest.raises(ConfigError, match=r"plan\.model_devices"):
        lrlab.sweep("iris-linear", lr=[0.1], steps=2, progress=False, plan=plan)
    with pytest.raises(ConfigError, match=r"plan\.model_devices"):
        lrlab.sweep("iris-linear", lr=[0.1], steps=2, progress=False, plan=Plan(model_devices=0))


def test_the_number_is_part_of_the_identity_and_one_is_what_it_was():
    usual = lrlab.config.from_arguments("sweep", task="iris-linear", lr=[0.1], steps=2)

    def of(shared: int) -> str:
        plan = usual.plan.model_copy(update={"model_devices": shared})
        return digest(usual.model_copy(update={"plan": plan}))

    assert digest(usual) == of(1) != of(2) != of(4)


def test_waves_count_rows_of_devices():
    lanes = Lanes({"lr": np.ones(8)}, np.zeros(8, np.int64))
    assert planned_waves(lanes, Plan(1, 8)) == 1
    assert planned_waves(lanes, Plan(1, 8, model_devices=4)) == 4


@pytest.mark.slow
def test_rows_of_two_devices_give_the_numbers_of_one():
    found = run("small")
    assert found["apart"] < 1e-5 and found["rows"] == 2
    assert found["one_row_is_equal"]  # rows do not talk to each other
    assert found["shares"] == {"params": 0.5, "optimizer": 0.5}
    assert found["plan"]["model_devices"] == 2 and found["plan"]["devices"] == 4
    assert any("2 devices for each lane" in reason for reason in found["plan"]["reasons"])


@pytest.mark.slow
def test_the_transformer_on_rows_of_two_and_four_devices():
    found = run("wide")
    assert found["float32"] < 1e-5 and found["float64"] < 1e-10 and found["four"] < 1e-10
    assert found["params"] == found["optimizer"] == 0.25
    assert found["temp_bytes"][1] < 0.7 * found["temp_bytes"][0]  # activations are cut, too


@pytest.mark.slow
def test_find_answers_as_on_one_device_each():
    found = run("searched")
    np.testing.assert_allclose(found["shared"]["lr"], found["alone"]["lr"], rtol=1e-3, atol=0)
    assert found["shared"]["verdict"] == found["alone"]["verdict"]
    assert found["shared"]["cost"] == found["alone"]["cost"]


@pytest.mark.slow
def test_probes_averages_objectives_and_further_precisions():
    found = run("kinds")
    assert found.pop("mixed") < 0.05  # bfloat16 rounds at 1 in 256
    assert max(found.values()) < 1e-3, found


@pytest.mark.slow
@pytest.mark.parametrize("after", few([2, 5], 1))
def test_a_killed_run_is_resumed_to_the_same_bits(after, tmp_path):
    assert run("killed", str(tmp_path / "whole"), "sweep", "0") == {"status": 0}
    run("killed", str(tmp_path / "run"), "sweep", str(after), status=-9)
    assert run("killed", str(tmp_path / "run"), "resume", "0") == {"status": 0}
    equal(tmp_path / "run", tmp_path / "whole")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["plan"]["model_devices"] == 2 and info["claim"] == "tolerance"


@pytest.mark.slow
def test_memory_counts_what_each_device_holds():
    found, frozen = run("planned"), 4 << 20
    # Two seeds' frozen parameters: once, on each of four devices, a quarter on each of a row.
    assert 2 * frozen < found["one"] < 2.1 * frozen
    assert 8 * frozen < found["four"] < 8.1 * frozen
    assert 2 * frozen < found["row"] < 4 * frozen
