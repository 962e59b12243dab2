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


CONFIG = """
task = "quadratic"
optimizer = "momentum"
steps = {steps}
seeds = 2
eval_every = 200
lr = {{ log = [1e-3, 0.1, 8] }}
plan = {{ tile_width = 2, segment_steps = 200 }}
"""


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_whose_cluster_goes_away_says_so_and_is_continued_here(tmp_path) -> None:
    pytest.importorskip("ray")
    steps, config, run = 400_000, tmp_path / "long.toml", tmp_path / "run"
    config.write_text(CONFIG.format(steps=steps))
    command = [sys.executable, "-m", "lrlab", "sweep", str(config), "--out", str(run), "--quiet"]
    driver = subprocess.Popen(
        [*command, "--on", "ray"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: (run / "checkpoint").is_dir() and any((run / "checkpoint").iterdir()))
    for process in ("gcs_server", "raylet"):
        for number in below(driver.pid, process):
            os.kill(number, signal.SIGKILL)
    errors = driver.communicate(timeout=300)[1]
    assert driver.returncode == 3, errors
    assert "the run failed: the Ray cluster" in errors and "lrlab resume" in errors
    assert not (run / "worker_error.txt").exists()
    done = subprocess.run([*command, "--on", "local"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    whole = lrlab.sweep(
        "quadratic", optimizer="momentum", steps=steps, seeds=2, eval_every=200, progress=False,
        lr={"log": [1e-3, 0.1, 8]}, plan=lrlab.Plan(tile_width=2, segment_steps=200),
    )  # fmt: skip
    there = lrlab.load(run)
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
