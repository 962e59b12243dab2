"""Functions called at evaluations: what they see, what they may end, and that it comes again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import lrlab
from lrlab import runs
from lrlab.cli.app import run as command
from lrlab.core.records import OUTCOMES
from lrlab.runs import RunError
from lrlab.training import callbacks
from lrlab.workflows.reproduce import IDENTICAL, reproduce

RATES = [0.01, 0.1, 1.0, 1e38]


def swept(**arguments: Any) -> lrlab.Result:
    shared: dict[str, Any] = {
        "optimizer": "sgd", "lr": RATES, "steps": 40, "seeds": 2, "batch_size": 16,
        "eval_every": 10, "progress": False, "plan": lrlab.Plan(4), "schedule": "constant",
    }  # fmt: skip
    return lrlab.sweep("wine-linear", **{**shared, **arguments})


def smallest_rate(event: lrlab.Event) -> Any:
    return event.lr == 0.01 if event.step == 20 else None


def end_at_20(event: lrlab.Event) -> Any:
    return "stop" if event.step == 20 else None


def test_what_a_callback_sees_and_what_it_ends():
    seen: list[lrlab.Event] = []
    result = swept(callbacks=[seen.append, smallest_rate])
    assert [event.step for event in seen] == [10, 20, 30, 40]
    first = seen[0]
    assert first.lr.tolist() == np.repeat(RATES, 2).tolist() and first.seed.tolist() == [0, 1] * 4
    assert first.outcome.tolist() == ["ok"] * 6 + ["diverged"] * 2
    assert seen[2].outcome[:2].tolist() == ["pruned"] * 2
    for number, event in enumerate(seen):
        for name in ("valid_loss", "valid_accuracy"):
            expected = result.history[name][number].ravel()
            np.testing.assert_array_equal(event.metrics[name], expected)
        expected = result.history["train_loss"][event.step - 1].ravel()
        np.testing.assert_array_equal(event.metrics["train_loss"], expected)
    assert result.outcome[:, 0].tolist() == ["pruned", "ok", "ok", "diverged"]
    assert result.steps_trained[:3, 0].tolist() == [20, 40, 40]


def test_what_others_decide_changes_no_bit_of_a_lane_that_stays():
    alone, some = swept(), swept(callbacks=smallest_rate)
    for name, values in alone.history.items():
        np.testing.assert_array_equal(values[:, 1:], some.history[name][:, 1:])
        rows = 20 if len(values) == 40 else 2
        np.testing.assert_array_equal(values[:rows, 0], some.history[name][:rows, 0])
        assert np.isnan(some.history[name][rows:, 0]).all()


def test_an_array_that_a_callback_writes_into_is_its_own():
    def scribble(event: lrlab.Event) -> None:
        event.metrics["valid_loss"][:] = 7.0
        event.lr[:] = 7.0

    np.testing.assert_array_equal(
        swept(callbacks=[scribble]).final["valid_loss"], swept().final["valid_loss"]
    )


def test_stop_is_a_finished_run_that_says_so(tmp_path):
    result = swept(callbacks=[end_at_20], out=tmp_path / "run")
    assert set(result.outcome[:3].ravel()) == {"pruned"}
    assert runs.read_info(tmp_path / "run")["status"] == "stopped"
    summary = runs.read_summary(tmp_path / "run")
    assert summary.sentence is not None
    assert summary.sentence.startswith("Stopped by a callback after 20 of 40 updates. ")
    assert not runs.check(tmp_path / "run")
    assert command(["show", str(tmp_path / "run")]) == 0
    assert command(["resume", str(tmp_path / "run")]) == 0  # says that it is done
    again = swept(callbacks=[end_at_20], out=tmp_path / "run")  # read, not trained
    np.testing.assert_array_equal(again.history["valid_loss"], result.history["valid_loss"])


@pytest.mark.parametrize("callback", [smallest_rate, end_at_20])
def test_reproduce_repeats_what_was_decided_without_the_function(tmp_path, callback):
    swept(callbacks=[callback], out=tmp_path / "run")
    found = reproduce(tmp_path / "run", progress=False)
    assert found.level == IDENTICAL, found.sentence


class Accident(Exception):
    pass


def accident_at(step: int, inner: Any) -> Any:
    def callback(event: lrlab.Event) -> Any:
        if event.step == step:
            raise Accident
        return inner(event)

    return callback


def test_a_continued_run_asks_only_for_what_is_not_decided(tmp_path):
    whole = swept(callbacks=[smallest_rate])
    with pytest.raises(Accident):
        swept(callbacks=[accident_at(30, smallest_rate)], out=tmp_path / "run")
    stages = json.loads((tmp_path / "run" / callbacks.FILE).read_text())["stages"]
    assert stages == {"": {"10": None, "20": [0, 1]}}
    seen: list[int] = []
    result = swept(callbacks=[lambda event: seen.append(event.step)], out=tmp_path / "run")
    assert seen == [30, 40]
    np.testing.assert_array_equal(result.outcome, whole.outcome)
    for name, values in whole.history.items():
        np.testing.assert_array_equal(values, result.history[name])


@pytest.mark.slow
def test_resume_goes_as_far_as_was_decided_and_says_what_the_rest_needs(tmp_path, capsys):
    with pytest.raises(Accident):
        swept(callbacks=[accident_at(30, smallest_rate)], out=tmp_path / "run")
    assert command(["resume", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert "accident" not in told and "needs the functions" in told and "30 updates" in told
    assert "call lrlab.sweep(..., out=" in told
    assert swept(callbacks=[smallest_rate], out=tmp_path / "run").outcome[0, 0] == "pruned"


def test_resume_needs_no_function_where_all_is_decided(tmp_path):
    with pytest.raises(Accident):
        swept(callbacks=[end_at_20, accident_at(20, end_at_20)], out=tmp_path / "run")
    run = tmp_path / "run"
    content = {"format": runs.FORMAT, "stages": {"": {"10": None, "20": "stop"}}}
    callbacks.write_sealed(run / callbacks.FILE, content)
    assert command(["resume", str(run), "-q"]) == 0
    assert runs.read_info(run)["status"] == "stopped"


def test_a_run_with_callbacks_is_another_experiment_than_one_without(tmp_path):
    swept(out=tmp_path / "without")
    with pytest.raises(RunError, match="it has no callbacks"):
        swept(out=tmp_path / "without", callbacks=[smallest_rate])
    swept(out=tmp_path / "with", callbacks=[smallest_rate])
    with pytest.raises(RunError, match=r"it had callbacks \(smallest_rate\)"):
        swept(out=tmp_path / "with")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([True] * 3, r"bool\[8\], True for each lane to stop; got bool\[3\]"),
        (np.zeros(8), r"got float64\[8\]"),
        (np.zeros((4, 2), bool), r"got bool\[4, 2\]"),
        (True, r"got bool\[\]"),
        ("halt", "got 'halt'"),
        (object(), "got <object"),
    ],
)
def test_an_answer_that_is_none(given, words):
    event = lrlab.Event(10, np.ones(8), np.zeros(8), {}, np.array(["ok"] * 8))
    with pytest.raises(ValueError, match=words) as error:
        callbacks.answer_of(lambda event: given, event)
    assert "callback '<lambda>' at update 10" in str(error.value)


def test_what_is_no_list_of_functions():
    with pytest.raises(lrlab.config.ConfigError, match=r"callbacks\[1\]: must be a function"):
        swept(callbacks=[print, 3])
    with pytest.raises(lrlab.config.ConfigError, match=r"callbacks: must be a list of functions"):
        swept(callbacks="early")
    with pytest.raises(lrlab.config.ConfigError, match=r"callbacks: unknown argument of compare"):
        lrlab.compare({"a": {}, "b": {}}, task="wine-linear", callbacks=[print], progress=False)
    with pytest.raises(lrlab.config.ConfigError, match=r"a.callbacks: unknown argument of find"):
        lrlab.compare({"a": {"callbacks": [print]}, "b": {}}, task="wine-linear", progress=False)


def found(**arguments: Any) -> lrlab.Answer:
    shared: dict[str, Any] = {
        "optimizer": "sgd", "steps": 40, "seeds": 2, "batch_size": 16, "budget": 16,
        "progress": False, "plan": lrlab.Plan(4),
    }  # fmt: skip
    return lrlab.find("wine-linear", **{**shared, **arguments})


@pytest.mark.slow
def test_a_search_judges_what_callbacks_leave(tmp_path):
    def largest_rates(event: lrlab.Event) -> Any:
        return event.lr > 2.0

    answer = found(callbacks=[largest_rates], out=tmp_path / "run")
    _, record = runs.open_run(tmp_path / "run")
    rates = record.axes["lr"] > 2.0
    ended = np.isin(np.asarray(OUTCOMES)[record.outcome], ("pruned", "diverged", "not_run"))
    assert rates.any() and ended[rates].all() and (record.steps_trained[rates] <= 2).all()
    assert answer.lr is not None and answer.lr <= 2.0
    assert reproduce(tmp_path / "run", progress=False).level == IDENTICAL


@pytest.mark.slow
@pytest.mark.parametrize("further", [{}, {"momentum": [0.0, 0.9]}], ids=["rate", "axes"])
def test_stop_ends_a_search_with_what_there_is(tmp_path, further):
    calls: list[int] = []

    def second_stage(event: lrlab.Event) -> Any:
        calls.append(event.step)
        return "stop" if calls.count(20) == 2 and event.step == 20 else None

    more = {"optimizer": "momentum", **further} if further else {}
    answer = found(callbacks=[second_stage], out=tmp_path / "run", **more)
    assert answer.sentence.startswith("Stopped by a callback after 20 of 40 updates. ")
    assert runs.read_info(tmp_path / "run")["status"] == "stopped"
    assert len(runs.stages(tmp_path / "run")) == 2
    assert reproduce(tmp_path / "run", progress=False).level == IDENTICAL
