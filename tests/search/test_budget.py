"""A budget in seconds, with a clock that is handed in: nothing here sleeps or measures time."""

from __future__ import annotations

import contextlib
import json
import time
import types

import numpy as np
import pytest
from few import few

import lrlab
from lrlab.cli.app import run
from lrlab.core.records import OK, PRUNED
from lrlab.search import Scores, find, find_axes
from lrlab.search.budget import Budget
from lrlab.search.settings import DEFAULTS

STEPS, EVALS, START = 1000, list(range(50, 1001, 50)), 2.3
DECISION = {"step", "lanes", "kept", "most"}


class World:
    """Training that costs `pace` seconds per full-length run, on the clock that it carries."""

    def __init__(self, pace, compiling=0.0):
        self.pace, self.compiling, self.now = pace, compiling, 1000.0
        self.looks, self.calls = [], []

    def clock(self):
        self.looks.append(self.now)
        return self.now

    def train(self, lr, seed, rungs=(), decide=None, further=None):
        lr, seed = np.asarray(lr, float), np.asarray(seed, int)
        first = 0 if further is None else np.asarray(further["weight_decay"])
        self.now += 0 if self.calls else self.compiling
        self.calls.append(len(lr))
        end = START - 2.0 * np.exp(-((np.log10(lr) + 2) ** 2)) + 0.01 * (seed % 3) + first
        share = np.asarray(EVALS)[:, None] / STEPS
        curve = START + (end - START) * share
        outcome = np.full(len(lr), OK)
        trained, done = np.full(len(lr), STEPS), 0
        for step in [*rungs, STEPS]:
            alive = outcome == OK
            self.now += self.pace * float(alive.sum()) * (step - done) / STEPS
            done = step
            if step == STEPS:
                break
            so_far = np.where(alive, step, trained)
            keep = decide(step, _scores(lr, seed, curve, outcome, so_far))
            cut = alive & ~keep
            outcome[cut], trained[cut] = PRUNED, step
            curve[np.ix_(np.asarray(EVALS) > step, cut)] = np.nan
        return _scores(lr, seed, curve, outcome, trained)


def _scores(lr, seed, curve, outcome, trained):
    return Scores(
        lr, seed, curve.copy(), np.asarray(EVALS), np.full(len(lr), START), outcome.copy(),
        np.full(len(lr), -1), trained, STEPS,
    )  # fmt: skip


def search(world, seconds, look=find, **more):
    return look(
        world.train, lr_range=(1e-6, 10.0), seeds=[0, 1, 2], steps=STEPS, eval_steps=EVALS,
        metric="valid_loss", budget_seconds=seconds, clock=world.clock, **more,
    )  # fmt: skip


def test_with_time_to_spare_it_is_the_search_without_a_clock():
    world = World(pace=1e-3)
    answer, free = search(world, 3600.0), search(World(pace=1e-3), None)
    assert (answer.lr, answer.interval, answer.cost) == (free.lr, free.interval, free.cost)
    found = answer.details
    assert found["budget_runs"] is None and found["budget_seconds"] == 3600.0
    assert found["runs"] == pytest.approx(answer.cost)
    assert found["seconds"] == pytest.approx(world.now - 1000.0)
    assert found["rungs"] and all(set(rung) == DECISION for rung in found["rungs"])
    assert "budget_seconds" not in free.details and free.details["budget_runs"] == 40.0


def test_a_rung_keeps_what_can_still_finish():
    """16 rates to 10 %: 1.6 runs of 10 s each. Of 30 s, 14 are left: one lane's 9, not two's."""
    world = World(pace=10.0)
    answer = search(world, 30.0)
    first, second = answer.details["rungs"]
    assert first == {"step": 100, "lanes": 16, "kept": 1, "most": 7, "cut_for_time_to": 1}
    assert second["kept"] == 1
    assert world.now - 1000.0 <= 30.0 and answer.details["seconds"] <= 30.0
    assert world.calls == [16] and answer.verdict == "noisy" and 1e-3 < answer.lr < 0.1
    first, second = search(World(pace=10.0), 40.0).details["rungs"]
    assert "cut_for_time_to" not in first  # not half the time is gone: the pace is not trusted
    assert (second["kept"], second["cut_for_time_to"]) == (1, 1)  # 10 s are left, a lane takes 7


def test_it_stops_after_the_rung_at_which_the_time_is_over():
    """The lanes under way may overrun the budget; no further stage begins."""
    world = World(pace=10.0)
    answer = search(world, 5.0)
    assert answer.details["rungs"][0]["cut_for_time_to"] == 1
    assert len(answer.details["stages"]) == 1 and world.calls == [16]
    assert world.now - 1000.0 == pytest.approx(16.0 + 9.0)  # the scout, and the lane that goes on
    assert answer.cost == pytest.approx(2.5)


def test_the_clock_is_looked_at_between_rungs_and_between_stages():
    world = World(pace=1.0)
    answer = search(world, 60.0)
    assert answer.details["seconds"] <= 60.0
    places = {round(look - 1000.0, 6) for look in world.looks}
    assert {0.0, 1.6} <= places  # at the start, and at the first rung: 16 lanes to 10 %
    rung = answer.details["rungs"][1]
    assert (
        round(1.6 + answer.details["rungs"][0]["kept"] * (rung["step"] - 100) / STEPS, 6) in places
    )
    assert len(places) >= 2 + len(answer.details["stages"])


def test_compilation_is_not_taken_for_the_pace():
    """20 s of compilation in a budget of 60 would leave 2.4 runs at the first look's pace."""
    slow = search(World(pace=0.5, compiling=20.0), 60.0)
    assert all("cut_for_time_to" not in rung for rung in slow.details["rungs"])
    assert slow.verdict == "interior" and slow.details["seconds"] <= 60.0
    hopeless = search(World(pace=0.5, compiling=59.0), 60.0)
    assert hopeless.details["rungs"][0]["cut_for_time_to"] == 1


@pytest.mark.slow
def test_several_axes_keep_to_their_seconds():
    axes = {"weight_decay": [0.0, 0.3, 0.6, 0.9]}
    ample = search(World(pace=1e-3), 3600.0, find_axes, axes=axes)
    assert ample.details["at"] == {"weight_decay": 0.0}
    assert all(set(rung) == DECISION for rung in ample.details["rungs"])
    assert sum(stage["cost"] for stage in ample.details["stages"]) == pytest.approx(ample.cost)
    free = search(World(pace=1e-3), None, find_axes, axes=axes)
    assert (ample.lr, ample.cost) == (free.lr, free.cost) and free.details["budget_runs"] == 48.0
    world = World(pace=10.0)
    tight = search(world, 90.0, find_axes, axes=axes)
    rung = tight.details["rungs"][0]
    assert rung["cut_for_time_to"] < rung["most"] and rung["kept"] <= rung["cut_for_time_to"]
    assert world.now - 1000.0 <= 90.0 and tight.details["at"] == {"weight_decay": 0.0}
    over = search(World(pace=10.0), 5.0, find_axes, axes=axes)
    assert over.details["rungs"][0]["kept"] == 1 and len(over.details["stages"]) == 1


def test_what_is_left():
    now = [0.0]
    budget = Budget(None, 60.0, STEPS, lambda: now[0], DEFAULTS.default_budget)
    part = search_part(10)
    assert budget.left([]) == 40.0
    now[0] = 29.0  # ten runs in 29 s, of which compilation may be most: not trusted yet
    assert budget.left([part]) == 30.0
    now[0] = 49.0  # ten more in 20 s: 11 s pay for 5.5
    assert budget.left([part, part]) == pytest.approx(5.5)
    now[0] = 54.0
    assert budget.left([part, part]) == pytest.approx(3.0)
    now[0] = 70.0
    assert budget.left([part, part]) == 0.0


def search_part(runs):
    lr = np.ones(runs)
    outcome = np.full(runs, OK)
    return _scores(
        lr, np.zeros(runs, int), np.ones((len(EVALS), runs)), outcome, np.full(runs, STEPS)
    )


@pytest.fixture
def ticking(monkeypatch):
    """lrlab's clock goes on by `step` seconds whenever it is read."""
    made = types.SimpleNamespace(now=0.0, step=0.0, looks=0)

    def monotonic():
        made.now, made.looks = made.now + made.step, made.looks + 1
        return made.now

    clock = types.SimpleNamespace(monotonic=monotonic, perf_counter=time.perf_counter)
    for module in ("training.clock", "workflows.find"):
        monkeypatch.setattr(f"lrlab.{module}.time", clock)
    return made


GIVEN = dict(optimizer="sgd", steps=40, batch_size=16, seeds=2, progress=False)


def test_through_find(ticking, tmp_path):
    ticking.step = 1.0
    ample = lrlab.find("wine-linear", budget="1h", **GIVEN)
    assert ample.details["budget_seconds"] == 3600.0 and ticking.looks > 5
    assert ample.details["seconds"] == ticking.looks - 1
    ticking.step = 40.0
    hurried = lrlab.find("wine-linear", budget="60s", out=tmp_path / "run", **GIVEN)
    first = hurried.details["rungs"][0]
    assert first["cut_for_time_to"] < first["most"] and hurried.cost < ample.cost
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["details"]["rungs"] == hurried.details["rungs"]
    assert summary["details"]["budget_seconds"] == 60.0
    assert 'budget = "60s"' in (tmp_path / "run" / "config.toml").read_text()
    readings = json.loads((tmp_path / "run" / "clock.json").read_text())["seconds"]
    assert readings[:3] == [40.0, 80.0, 120.0]


@pytest.mark.slow
@pytest.mark.parametrize(("budget", "presses"), few([("60s", 12), (20, 12), (20, 45)], 1))
def test_a_search_that_goes_on_decides_as_it_did(ticking, tmp_path, monkeypatch, budget, presses):
    """The clock of the second process is far faster; the decisions made come again as they were,
    whether the first stage was under way or finished."""
    from lrlab.core.errors import Interrupted
    from lrlab.runs import recorder

    monkeypatch.setattr(recorder, "INTERVAL", 0.0)
    ticking.step = 40.0
    given = GIVEN | {"plan": lrlab.Plan(tile_width=4, segment_steps=5), "budget": budget}
    whole = lrlab.find("wine-linear", out=tmp_path / "whole", **given)
    pressed = []

    def press():
        pressed.append(1)
        return len(pressed) > presses

    with monkeypatch.context() as patch:
        patch.setattr("lrlab.workflows.job.interruptible", lambda *_: contextlib.nullcontext(press))
        with pytest.raises(Interrupted):
            lrlab.find("wine-linear", out=tmp_path / "cut", **given)
    ticking.step = 1e-6
    again = lrlab.find("wine-linear", out=tmp_path / "cut", **given)
    assert len(whole.details["rungs"]) == 2
    assert again.details["rungs"] == whole.details["rungs"]
    assert ("cut_for_time_to" in again.details["rungs"][0]) == (budget == "60s")
    if budget == 20:
        assert again.details["stages"] == whole.details["stages"] and again.lr == whole.lr


def test_from_the_command_line(ticking, tmp_path, capsys):
    ticking.step = 40.0
    config = tmp_path / "find.toml"
    config.write_text('steps = 40\nbatch_size = 16\nseeds = 2\ntask.name = "wine-linear"\n')
    asked = ["find", str(config), "--out", str(tmp_path / "run"), "--json", "--quiet"]
    assert run([*asked, "--set", "budget=60s"]) == 0
    made = json.loads(capsys.readouterr().out)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert made["cost"] == summary["cost"] == summary["details"]["runs"]
    assert "cut_for_time_to" in summary["details"]["rungs"][0]
    assert run([*asked, "--set", "budget=60 parsecs"]) == 2
