"""The end of a stage is written beside what comes next, and in order."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from lrlab import runs
from lrlab.runs import RunError, recorder
from lrlab.runs.orbax_logging import reported_once

AXES = {"lr": np.array([0.1, 0.2]), "seed": np.array([0])}

SECONDS = 60.0
"""At most, for what another thread does; far more than it takes on the slowest machine."""


def ended(run, name, beside=True):
    """A stage of the run, trained and ended; its arrays hold no state."""
    stage = run.stage(name, 3, [3], AXES, np.arange(2))
    stage.rows("train_loss", "step", 0, np.arange(2), np.ones((3, 2)))
    lanes = {
        "outcome": np.zeros(2, np.int8), "diverged_at": np.full(2, -1),
        "steps_trained": np.full(2, 3), "last_loss": np.ones(2), "initial_train_loss": np.ones(2),
        "state_0000": np.ones((2, 5)),
    }  # fmt: skip
    stage.commit(lanes, {"cohort": 1, "step": 0, "seconds": 0.0})
    stage.finish(beside=beside)
    return stage


@pytest.fixture
def run(tmp_path):
    run = runs.create(tmp_path / "run", "test", "sweep", "steps = 3\n", {"fingerprint": "a"}, 0.0)
    yield run
    run.lock.release()


@pytest.fixture
def gate(monkeypatch):
    """Checkpoints wait for it."""
    gate, save = threading.Event(), recorder.save_checkpoint

    def waiting(*given):
        assert gate.wait(SECONDS)
        return save(*given)

    monkeypatch.setattr(recorder, "save_checkpoint", waiting)
    yield gate
    gate.set()


def test_an_end_is_written_beside_what_comes_next(run, gate):
    stage = ended(run, "")
    assert not stage.complete
    gate.set()
    stage.wait()
    assert stage.complete and stage.saved()[0]["last_loss"].tolist() == [1.0, 1.0]


def test_a_stage_is_committed_after_the_end_of_the_one_before(run, gate, monkeypatch):
    first, order = ended(run, ""), []
    write = recorder.write_sealed

    def noted(path, content):
        order.append((path.parent.name, content["complete"]))
        write(path, content)

    monkeypatch.setattr(recorder, "write_sealed", noted)
    later = threading.Timer(0.05, gate.set)
    later.start()
    second = ended(run, "stage1")
    later.join()
    second.wait()
    assert first.complete and second.complete
    assert order == [("run", False), ("run", True), ("stage1", False), ("stage1", True)]


def test_a_large_state_and_whoever_does_not_ask_for_it_wait(run, gate, monkeypatch):
    gate.set()
    assert ended(run, "", beside=False).complete
    monkeypatch.setattr(recorder, "BESIDE", 8)
    assert ended(run, "stage1").complete


NEXT = {
    "stage": lambda run: ended(run, "stage1"),
    "end": lambda run: run.finish({"lr": 0.1}),
    "close": lambda run: run.close("failed"),
}
"""What comes after the end of a stage."""


@pytest.mark.parametrize("what", NEXT)
def test_an_end_that_cannot_be_written_is_an_error_of_what_comes_next(run, what, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(recorder.Stage, "_lane_array", full)
        stage = ended(run, "")
        with pytest.raises(RunError, match="No space left"):
            NEXT[what](run)
    assert not stage.complete and stage.saved()[1]["cohort"] == 1
    stage.finish()
    assert stage.complete


def test_the_run_is_finished_after_the_ends_of_its_stages(run, gate):
    threading.Timer(0.05, gate.set).start()
    ended(run, "")
    run.finish({"lr": 0.1})
    run.close()
    _, record = runs.open_run(run.path)
    assert record.outcome_names.tolist() == [["ok"], ["ok"]]


@pytest.mark.parametrize("first", [0, 1])
def test_contexts_of_two_threads_end_in_any_order(first):
    before = sys.unraisablehook
    both = [reported_once(), reported_once()]
    for one in both:
        one.__enter__()
    hook = sys.unraisablehook
    both[first].__exit__(None, None, None)
    assert sys.unraisablehook is hook is not before
    both[1 - first].__exit__(None, None, None)
    assert sys.unraisablehook is before
