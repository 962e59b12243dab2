"""Runs on data that stream, stopped and continued: the same bits, whatever the source."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from places import TESTS
from sources import BATCH, LOADERS, NUMBERED, Stateful, arrays, batches, endless, mapped, task
from stopped_runs import equal, stopped

import lrlab
from lrlab.cli import failures
from lrlab.core.errors import Interrupted, StreamError
from lrlab.data import stream
from lrlab.runs import RunError
from lrlab.tasks import streams

pytestmark = pytest.mark.usefixtures("every_segment")

OPTIONS: dict = dict(
    lr=[0.03, 0.3, 1e38], seeds=[1], steps=24, batch_size=BATCH, progress=False,
    eval_every=6, plan=lrlab.Plan(2, None, 5),
)  # fmt: skip

SOURCES = {**NUMBERED, **LOADERS}


BY_DEFAULT = ("a collection", "again", "an iterator with a state")
"""One of each way to go on: by number, from the start, from a state."""


@pytest.mark.parametrize("kind", [
    pytest.param(kind, marks=() if kind in BY_DEFAULT else pytest.mark.slow) for kind in SOURCES
])  # fmt: skip
def test_a_run_that_was_interrupted_goes_on(kind, tmp_path, monkeypatch, capsys):
    lrlab.sweep(task(stream(SOURCES[kind]())), out=tmp_path / "whole", **OPTIONS)
    with monkeypatch.context() as patch:
        stopped(patch, after=2)
        with pytest.raises(Interrupted):
            lrlab.sweep(task(stream(SOURCES[kind]())), out=tmp_path / "run", **OPTIONS)
    capsys.readouterr()
    lrlab.sweep(task(stream(SOURCES[kind]())), out=tmp_path / "run", **OPTIONS)
    equal(tmp_path / "run", tmp_path / "whole")
    again = "batches again in" in capsys.readouterr().err
    assert again == (kind in LOADERS and kind != "an iterator with a state")


@pytest.mark.slow
def test_an_array_in_a_file_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "HELD_BYTES", 0)
    pair = tuple(mapped(tmp_path, part, name) for part, name in zip(arrays(), "xy", strict=True))
    lrlab.sweep(task(pair, pair), out=tmp_path / "whole", **OPTIONS)
    with monkeypatch.context() as patch:
        stopped(patch, after=2)
        with pytest.raises(Interrupted):
            lrlab.sweep(task(pair, pair), out=tmp_path / "run", **OPTIONS)
    lrlab.sweep(task(pair, pair), out=tmp_path / "run", **OPTIONS)
    equal(tmp_path / "run", tmp_path / "whole")


def test_an_iterator_with_a_state_reads_no_batch_again(tmp_path, monkeypatch):
    made: list[int] = []

    def source(seed, epoch):
        return Stateful(seed, epoch, lambda: made.append(1))

    stopped(monkeypatch, after=2)
    with pytest.raises(Interrupted):
        lrlab.sweep(task(stream(source)), out=tmp_path / "run", **OPTIONS)
    monkeypatch.undo()
    this = task(stream(source))
    made.clear()
    lrlab.sweep(this, out=tmp_path / "run", **OPTIONS)
    # An epoch is seven batches and one that is left out: after eleven updates (the segments end at
    # 5, 6 and 11), thirteen batches are to come, and the smaller ones at the end of two epochs.
    assert len(made) == 13 + 2


KILLED = """
import os, signal, sys, time
sys.path.insert(0, {tests!r})
import pytest
from sources import *
from lrlab.runs import recorder
from lrlab.workflows import job
import contextlib
recorder.INTERVAL = 0.0
asked = []

def ask():
    asked.append(1)
    if len(asked) > 2:
        while not os.path.exists({out!r} + "/commit.json"):  # which a thread writes
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    return False

job.interruptible = lambda *_: contextlib.nullcontext(ask)
OPTIONS = dict(lr=[0.03, 0.3, 1e38], seeds=[1], steps=24, batch_size=BATCH, progress=False,
               eval_every=6, plan=lrlab.Plan(2, None, 5))
lrlab.sweep(task(lrlab.data.stream({{**NUMBERED, **LOADERS}}[{kind!r}]())), out={out!r}, **OPTIONS)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOURCES)
def test_a_run_that_was_killed_goes_on(kind, tmp_path):
    run = tmp_path / "run"
    script = KILLED.format(tests=str(TESTS), kind=kind, out=str(run))
    ended = subprocess.run([sys.executable, "-c", script], timeout=600, check=False)
    assert ended.returncode == -signal.SIGKILL and (run / "commit.json").exists()
    for out in (run, tmp_path / "whole"):
        lrlab.sweep(task(stream(SOURCES[kind]())), out=out, **OPTIONS)
    equal(run, tmp_path / "whole")


def short(seed):
    return (batch for number, batch in zip(range(13), endless(seed), strict=False))


def broken(seed):
    for number, batch in enumerate(endless(seed)):
        if number == 13:
            raise OSError("the disk is gone")
        yield batch


@pytest.mark.parametrize(("source", "message"), [
    pytest.param(
        short, r"of seed 1 after 13 batches: the iterator has ended; it must last",
        marks=pytest.mark.slow,
    ),
    (broken, r"of seed 1 after 13 batches: the loader raised OSError: the disk is gone \(test_res"),
])  # fmt: skip
def test_a_loader_that_fails_leaves_a_run_that_goes_on(source, message, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(StreamError, match=message) as caught:
        lrlab.sweep(task(stream(source)), out=run, **OPTIONS)
    failure = failures.failure_of(caught.value, str(run))
    assert failure.status == 3 and not failure.problems
    assert json.loads((run / "commit.json").read_text())["info"]["step"] in (5, 6, 11, 12)
    lrlab.sweep(task(stream(endless)), out=run, **OPTIONS)
    lrlab.sweep(task(stream(endless)), out=tmp_path / "whole", **OPTIONS)
    equal(run, tmp_path / "whole")


def test_another_order_is_refused(tmp_path, monkeypatch):
    """At once where the first batches of seed 0 differ, else where those of a seed do."""
    stopped(monkeypatch, after=2)
    with pytest.raises(Interrupted):
        lrlab.sweep(task(stream(batches)), out=tmp_path / "run", **OPTIONS)
    monkeypatch.undo()
    other = task(stream(lambda seed, epoch: batches(seed + 7, epoch)))
    with pytest.raises(RunError, match="the data changed since the run began"):
        lrlab.sweep(other, out=tmp_path / "run", **OPTIONS)
    other = task(stream(lambda seed, epoch: batches(9 * seed, epoch)))
    with pytest.raises(StreamError, match="gives other batches than when the run began"):
        lrlab.sweep(other, out=tmp_path / "run", **OPTIONS)
