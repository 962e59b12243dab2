"""Whatever lrlab does, through each of the three doors, with one meaning."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from few import few
from places import ROOT
from stopped_runs import equal, stopped
from three_doors import DOORS, options_of

import lrlab
from lrlab.cli.app import run
from lrlab.core.errors import Interrupted

RATES = [0.003, 0.03, 0.3]
each_door = pytest.mark.parametrize("door", list(DOORS))
in_full_by_step = pytest.mark.parametrize("door", few(reversed(DOORS), 1))
"""By default the door that is least like the tasks of all other tests; the others slow."""


def test_all_doors_train_the_same():
    results = {
        door: lrlab.sweep(make(), lr=RATES, plan=lrlab.Plan(tile_width=1), **options_of(door))
        for door, make in DOORS.items()
    }
    one = results.pop("supervised")
    for other in results.values():
        for name in ("train_loss", "valid_loss", "learning_rate"):
            np.testing.assert_allclose(
                other.history[name], one.history[name], rtol=2e-4, atol=1e-6, err_msg=name
            )


@each_door
def test_lanes_do_not_depend_on_those_beside_them(door):
    plan = lrlab.Plan(tile_width=2)
    many = lrlab.sweep(DOORS[door](), lr=RATES, plan=plan, **options_of(door))
    one = lrlab.sweep(DOORS[door](), lr=RATES[1:2], plan=plan, **options_of(door))
    np.testing.assert_array_equal(one.history["train_loss"][:, 0], many.history["train_loss"][:, 1])


@in_full_by_step
def test_an_interrupted_run_continues_with_the_same_bits(door, tmp_path, monkeypatch):
    options = options_of(door, plan=lrlab.Plan(tile_width=2, segment_steps=5))
    lrlab.sweep(DOORS[door](), lr=RATES, out=tmp_path / "whole", **options)
    with monkeypatch.context() as patched:
        stopped(patched, after=2)
        with pytest.raises((KeyboardInterrupt, Interrupted)):
            lrlab.sweep(DOORS[door](), lr=RATES, out=tmp_path / "cut", **options)
    lrlab.sweep(DOORS[door](), lr=RATES, out=tmp_path / "cut", **options)
    equal(tmp_path / "whole", tmp_path / "cut")


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import lrlab
from three_doors import DOORS, options_of
plan = lrlab.Plan(tile_width=2, segment_steps=50)
options = options_of({door!r}, steps=4000, eval_every=500, plan=plan)
lrlab.sweep(DOORS[{door!r}](), lr={rates!r}, out={out!r}, **options)
"""


@pytest.mark.slow
@each_door
def test_a_killed_process_continues_in_another_one(door, tmp_path):
    def process(out: Path) -> subprocess.Popen[bytes]:
        text = SCRIPT.format(tests=str(ROOT / "tests"), door=door, rates=RATES, out=str(out))
        environment = {**os.environ, "LRLAB_COMMIT_EVERY": "0"}
        return subprocess.Popen([sys.executable, "-c", text], env=environment)

    assert process(tmp_path / "whole").wait() == 0
    cut = process(tmp_path / "cut")
    deadline = time.monotonic() + 300
    while not (tmp_path / "cut" / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    cut.send_signal(signal.SIGKILL)
    cut.wait()
    assert process(tmp_path / "cut").wait() == 0
    equal(tmp_path / "whole", tmp_path / "cut")


@in_full_by_step
def test_find_reports_and_reads_back(door, tmp_path):
    options = options_of(door, budget=10)
    out = tmp_path / "run"
    answer = lrlab.find(DOORS[door](), out=out, **options)
    assert answer.interval[0] <= answer.lr <= answer.interval[1]
    again = lrlab.find(DOORS[door](), out=out, **options)
    assert (again.lr, again.interval, again.cost) == (answer.lr, answer.interval, answer.cost)
    assert run(["report", str(out), "--no-figures"]) == 0
    assert (out / "report.html").stat().st_size > 50_000
    summary = json.loads((out / "summary.json").read_text())
    assert summary["lr"] == pytest.approx(answer.lr)


@in_full_by_step
def test_range_test_compare_study_and_population(door):
    options = options_of(door)
    short = {"batch_size": 8, "seeds": 2}
    ramp = lrlab.range_test(DOORS[door](), num_steps=40, progress=False, **short)
    assert np.isfinite(ramp.loss).any()
    entries = {"constant": {"schedule": "constant"}, "cosine": {"schedule": "cosine"}}
    shared = {name: value for name, value in options.items() if name != "schedule"}
    comparison = lrlab.compare(entries, task=DOORS[door](), budget=8, **shared)
    assert {row.name for row in comparison.rows} == set(entries)
    study = lrlab.study(
        DOORS[door](), axis="steps", values=[12, 24], lr=RATES,
        **{name: value for name, value in options.items() if name != "steps"},
    )  # fmt: skip
    assert len(study.groups) == 2
    own = {} if door == "step" else {"optimizer": "adam"}
    population = lrlab.population(DOORS[door](), lr=RATES, steps=24, batch_size=8, **own)
    assert np.isfinite(population.scores[-1]).any()


@in_full_by_step
def test_another_task_in_the_same_folder_is_refused(door, tmp_path):
    options = options_of(door)
    lrlab.sweep(DOORS[door](), lr=RATES, out=tmp_path / "run", **options)
    task = DOORS[door]()
    data = dict(task.data)
    data["train"] = (data["train"][0] + 1, data["train"][1])
    with pytest.raises(ValueError, match="data changed"):
        lrlab.sweep(task._replace(data=data), lr=RATES, out=tmp_path / "run", **options)
