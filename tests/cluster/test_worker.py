"""A process as a worker: its devices, and XLA's threads, which are the driver's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from lrlab.cluster import worker
from lrlab.cluster.ray_pool import DEVICES, Shape, options_of
from lrlab.core.remote import Ray

CALLED = """
import collections
from pathlib import Path
from lrlab.cluster.worker import settle
settle({"NPROC": "3", "XLA_FLAGS": ""}, 1)
import jax
import jax.numpy as jnp
jax.jit(jnp.sin)(1.0).block_until_ready()
names = collections.Counter(t.read_text().strip() for t in Path("/proc/self/task").glob("*/comm"))
print(len(jax.devices()), names["tf_XLAEigen"])
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("own", "expected"), [({}, ["1", "3"]), ({"NPROC": "5"}, ["1", "5"])], ids=["driver", "own"]
)
def test_a_worker_has_the_threads_of_the_driver_unless_its_environment_says(own, expected) -> None:
    usual = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "NPROC", "PJRT_NPROC")}
    done = subprocess.run(
        [sys.executable, "-c", CALLED],
        env=usual | {"JAX_PLATFORMS": "cpu"} | own,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == expected


def test_threads_are_the_cores_of_the_driver_or_what_was_said(monkeypatch) -> None:
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.setattr(worker, "cores", lambda: 6)
    monkeypatch.setattr(worker, "forced", lambda: 0)
    monkeypatch.setenv("XLA_FLAGS", "--some")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    assert worker.environment() == {"XLA_FLAGS": "--some", "NPROC": "6"}
    monkeypatch.setattr(worker, "forced", lambda: 8)
    assert worker.environment()["NPROC"] == "8"
    monkeypatch.setenv("NPROC", "1")
    assert worker.environment()["NPROC"] == "1"


def test_tasks_of_a_second_shape_get_processes_of_their_own() -> None:
    context = SimpleNamespace(get_job_id=lambda: "of this test")
    ray = cast(ModuleType, SimpleNamespace(get_runtime_context=lambda: context))
    first, second = Shape(1, 0), Shape(2, 0)
    on = Ray(runtime_env={"env_vars": {"A": "1"}, "working_dir": "."})
    assert "runtime_env" not in options_of(ray, Ray(), first)
    assert options_of(ray, Ray(), second)["runtime_env"] == {"env_vars": {DEVICES: "2"}}
    assert options_of(ray, on, first)["runtime_env"] == {"env_vars": {"A": "1"}}
    assert options_of(ray, on, second)["runtime_env"]["env_vars"] == {"A": "1", DEVICES: "2"}
    assert options_of(ray, on, Shape(1, 1))["num_gpus"] == 1
