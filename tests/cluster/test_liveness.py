"""A cluster that goes away, with a stand-in for Ray, and one that really does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import lrlab
from lrlab.cluster.liveness import address_of, check, watched
from lrlab.core.errors import WorkerError

AT = "10.0.0.1:6379"


class LocalRayletDiedError(Exception): ...


class RaySystemError(Exception): ...


class RpcError(Exception): ...


class Connection:
    """A connection to `AT`, or a far client's, as Ray's module shows it."""

    def __init__(self, far: bool = False) -> None:
        self.there = True
        self.exceptions = SimpleNamespace(
            LocalRayletDiedError=LocalRayletDiedError,
            RaySystemError=RaySystemError,
            RpcError=RpcError,
        )
        self.util = SimpleNamespace(
            client=SimpleNamespace(ray=SimpleNamespace(is_connected=lambda: far))
        )

    def is_initialized(self) -> bool:
        return self.there

    def shutdown(self) -> None:
        self.there = False

    def get_runtime_context(self) -> SimpleNamespace:
        return SimpleNamespace(gcs_address=AT)


def a_ray(far: bool = False) -> Any:
    return cast(ModuleType, Connection(far))


def test_a_cluster_that_answers_late_is_waited_for() -> None:
    ray, answers = a_ray(), iter([False, False, True])
    asked: list[str] = []

    def answer(address: str) -> bool:
        asked.append(address)
        return next(answers)

    check(ray, answer, enough=60)
    assert asked == [AT] * 3 and ray.there


def test_a_cluster_that_does_not_answer_is_gone_and_left() -> None:
    ray = a_ray()
    with pytest.raises(WorkerError) as error:
        check(ray, lambda address: False, enough=0)
    assert f"the Ray cluster at {AT} has not answered" in str(error.value)
    assert not ray.there


def test_a_far_clients_calls_fail_by_themselves() -> None:
    ray = a_ray(far=True)
    assert address_of(ray) is None
    check(ray, lambda address: False, enough=0)
    with pytest.raises(WorkerError) as error, watched(ray):
        raise ConnectionError("first line\nthe channel is closed")
    assert "the Ray cluster cannot be reached (the channel is closed)" in str(error.value)


def test_the_driver_without_its_node_cannot_continue() -> None:
    with pytest.raises(WorkerError) as error, watched(a_ray()):
        raise LocalRayletDiedError
    assert f"at {AT} cannot be reached (LocalRayletDiedError)" in str(error.value)


def test_errors_of_a_cluster_that_answers_stay_what_they_are(monkeypatch) -> None:
    monkeypatch.setattr("lrlab.cluster.liveness.open_at", lambda address: True)
    with pytest.raises(RpcError), watched(a_ray()):
        raise RpcError


PROGRAM = """
import pathlib, sys, time
import flax.linen as nn
import lrlab
import numpy as np
import optax

class Held:
    "Examples that wait, once something is committed, until the cluster has gone away."
    def __init__(self, run):
        self.committed, self.gone = run / "commit.json", run.parent / "gone"
    def __len__(self):
        return 64
    def __getitem__(self, number):
        while self.committed.exists() and not self.gone.exists():
            time.sleep(0.01)
        x = np.random.default_rng(number).normal(size=5).astype(np.float32)
        return x, int(x.sum() > 0)

task = lrlab.Task.supervised(
    name="read", model=nn.Dense(2), loss="softmax_cross_entropy",
    train=lrlab.data.stream(Held(pathlib.Path(sys.argv[1]))),
    valid=(np.ones((4, 5), np.float32), np.zeros(4, int)))
on = None if len(sys.argv) < 3 else sys.argv[2]
try:
    lrlab.sweep(task, optimizer="adam", lr=np.geomspace(1e-3, 1, 6), seeds=2, steps=600,
                batch_size=8, progress=False, plan=lrlab.Plan(1, None, 50), eval_every=100, on=on,
                out=sys.argv[1])
except Exception as error:
    print(type(error).__name__, error, file=sys.stderr)
    sys.exit(3)
"""


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_whose_cluster_goes_away_says_so_and_is_continued_here(tmp_path) -> None:
    pytest.importorskip("ray")
    program, run = tmp_path / "program.py", tmp_path / "run"
    program.write_text(PROGRAM)

    def begun(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(program), *arguments], stderr=subprocess.PIPE, text=True
        )

    driver = begun(str(run), "ray")
    wait_for(lambda: (run / "commit.json").exists() or driver.poll() is not None)
    for process in ("gcs_server", "raylet"):
        for number in below(driver.pid, process):
            os.kill(number, signal.SIGKILL)
    (tmp_path / "gone").touch()
    errors = driver.communicate(timeout=600)[1]
    assert driver.returncode == 3, errors
    assert "WorkerError the Ray cluster" in errors
    assert not (run / "worker_error.txt").exists()
    for place in (run, tmp_path / "whole"):
        here = begun(str(place))
        assert here.wait(600) == 0, here.communicate()[1]
    there, whole = lrlab.load(run), lrlab.load(tmp_path / "whole")
    assert "train_loss" in whole.history
    for name, values in whole.history.items():
        np.testing.assert_array_equal(there.history[name], values)


def wait_for(reached) -> None:
    """Waits; ten minutes say that it hangs."""
    for _ in range(6_000):
        if reached():
            return
        time.sleep(0.1)
    raise AssertionError("never reached")


def below(parent: int, name: str) -> list[int]:
    """The processes of this name that a process has begun."""
    numbers = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            status = (place / "status").read_text()
            command = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if f"PPid:\t{parent}\n" in status and name.encode() in command.split(b"\0")[0]:
            numbers.append(int(place.name))
    return numbers
