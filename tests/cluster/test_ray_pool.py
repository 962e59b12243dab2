"""Workers of a real Ray cluster: the numbers of this process, also where one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import flax.linen as nn
import numpy as np
import optax
import own_project
import pytest
from read_by_workers import read, same
from stopped_runs import equal, written

import lrlab
from lrlab.cli.app import run as command
from lrlab.core.errors import FieldError, WorkerError
from lrlab.core.remote import Ray
from lrlab.core.worker_use import usage_of

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.usefixtures("cluster"),
]

TWO = Ray(workers=2)
USUAL = dict(optimizer="adam", lr=[0.001, 0.01, 0.1, 1e38], seeds=2, steps=30, batch_size=8,
             progress=False, plan=lrlab.Plan(2, None, 7))  # fmt: skip
FIND = """
steps = 60
seeds = 2
batch_size = 16
budget = 16
task.name = "iris-mlp"
optimizer.name = "momentum"
plan = {tile_width = 4, segment_steps = 20}
"""


@pytest.fixture(scope="module")
def cluster():
    import ray

    from lrlab.cluster import connecting

    with connecting._unchanged():
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            configure_logging=False,
            log_to_driver=False,
            object_store_memory=200 << 20,
        )
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield ray
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    ray.shutdown()


class Examples:
    """A collection whose worker comes to grief while it reads, as often as there are files; `how`:
    "raises", "killed", or "preempted" (SIGTERM)."""

    def __init__(self, place: Path, how: str) -> None:
        self.place, self.how, self.driver = place, how, os.getpid()

    def __len__(self) -> int:
        return 64

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        if os.getpid() != self.driver:
            for file in sorted(self.place.glob("fault*")):
                if self.how == "raises":
                    raise OSError("the disk is gone")
                file.unlink(missing_ok=True)
                preempted = self.how == "preempted"
                os.kill(os.getpid(), signal.SIGTERM if preempted else signal.SIGKILL)
        x = np.random.default_rng(number).normal(size=5).astype(np.float32)
        return x, int(x.sum() > 0)


@pytest.mark.parametrize("on", [TWO, Ray(), "ray"])
def test_a_sweep_has_the_numbers_of_this_process(on) -> None:
    same(lrlab.sweep("iris-mlp", **USUAL), lrlab.sweep("iris-mlp", **USUAL, on=on))


def test_a_search_too(tmp_path) -> None:
    path = written(tmp_path, FIND)
    assert command(["find", path, "--out", str(tmp_path / "here"), "-q"]) == 0
    there = written(tmp_path, FIND + "[on]\nworkers = 2\n", "there.toml")
    assert command(["find", there, "--out", str(tmp_path / "there"), "-q"]) == 0
    equal(tmp_path / "here", tmp_path / "there")


def test_a_range_test_and_a_comparison_too() -> None:
    ramp = dict(optimizer="sgd", num_steps=40, seeds=2)
    here, there = (lrlab.range_test("iris-linear", **ramp, on=on) for on in (None, TWO))
    np.testing.assert_array_equal(here.loss, there.loss)
    entries = {"a": {"optimizer": "sgd"}, "b": {"optimizer": "adam"}}
    shared = dict(task="iris-linear", steps=20, seeds=2, budget=8, progress=False, batch_size=16)
    answers = [lrlab.compare(entries, **shared, **on) for on in ({}, {"on": TWO})]
    assert str(answers[0]) == str(answers[1])


@pytest.mark.parametrize(("how", "faults"), [("killed", 1), ("killed", 2), ("preempted", 1)])
def test_a_worker_that_is_killed_changes_nothing(how, faults, tmp_path) -> None:
    whole = lrlab.sweep(read(Examples(tmp_path, "killed")), **USUAL)
    for number in range(faults):
        (tmp_path / f"fault{number}").touch()
    same(whole, lrlab.sweep(read(Examples(tmp_path, how)), **USUAL, on=TWO))
    assert not list(tmp_path.glob("fault*"))


def test_what_fails_everywhere_is_one_error_with_its_traceback(tmp_path) -> None:
    (tmp_path / "fault").touch()
    with pytest.raises(WorkerError, match=r"failed 3 times .*the disk is gone") as caught:
        lrlab.sweep(read(Examples(tmp_path, "raises")), **USUAL, on=TWO, out=tmp_path / "run")
    assert "__getitem__" in caught.value.traceback
    assert "__getitem__" in (tmp_path / "run" / "worker_error.txt").read_text()
    (tmp_path / "fault").unlink()
    task = read(Examples(tmp_path, "raises"))
    same(lrlab.sweep(task, **USUAL, out=tmp_path / "run", on=TWO), lrlab.sweep(task, **USUAL))


def test_arrays_in_files_are_opened_by_the_workers(tmp_path) -> None:
    inputs = np.memmap(tmp_path / "x.bin", np.float32, "w+", shape=(400, 30))
    inputs[:] = np.random.default_rng(0).normal(size=inputs.shape)
    inputs.flush()
    targets = (np.asarray(inputs[:, 0]) > 0).astype(int)
    task = lrlab.Task.supervised(
        name="mapped", model=nn.Dense(2), train=lrlab.data.stream((inputs, targets)),
        valid=(inputs[:50], targets[:50]),
        loss=lambda out, y: optax.softmax_cross_entropy_with_integer_labels(out, y),
    )  # fmt: skip
    same(lrlab.sweep(task, **USUAL), lrlab.sweep(task, **USUAL, on=TWO))


def test_a_file_larger_than_memory_is_read_where_a_batch_needs_it(tmp_path) -> None:
    """A file of 2 GiB, all hole; what a worker holds of its own is half of that at most."""
    rows, some = (2 << 30) // (1000 * 4), 500
    short = {**USUAL, "lr": [0.1], "seeds": 1, "steps": 10}
    place = tmp_path / "x.bin"
    with open(place, "wb") as file:
        file.truncate(rows * 1000 * 4)
    inputs = np.memmap(place, np.float32, "r", shape=(rows, 1000))
    targets = np.memmap(tmp_path / "y.bin", np.int8, "w+", shape=(rows,))
    task = lrlab.Task.supervised(
        name="large", model=nn.Dense(2), train=lrlab.data.stream((inputs, targets)),
        valid=(np.asarray(inputs[:some]), np.asarray(targets[:some])),
        loss=lambda out, y: optax.softmax_cross_entropy_with_integer_labels(out, y),
    )  # fmt: skip
    there = lrlab.sweep(task, **short, on=TWO, out=tmp_path / "run")
    used = usage_of(json.loads((tmp_path / "run" / "run.json").read_text())["workers"])
    assert 0 < used.memory < 1 << 30
    same(there, lrlab.sweep(task, **short))


def test_own_code_is_imported_by_the_workers(tmp_path) -> None:
    path = str(own_project.written(tmp_path / "project") / "a.toml")
    assert command(["sweep", path, "--out", str(tmp_path / "here"), "-q"]) == 0
    assert command(["sweep", path, "--on", "ray", "--out", str(tmp_path / "there"), "-q"]) == 0
    equal(tmp_path / "here", tmp_path / "there")


def test_another_cluster_is_refused_while_one_is_there() -> None:
    with pytest.raises((FieldError, lrlab.config.ConfigError), match="another cluster"):
        lrlab.sweep("iris-mlp", **USUAL, on=Ray("10.0.0.1:6379"))


def test_workers_are_counted_and_shown(tmp_path) -> None:
    lrlab.sweep(read(Examples(tmp_path, "killed")), **USUAL, on=TWO, out=tmp_path / "whole")
    (tmp_path / "fault0").touch()
    lrlab.sweep(read(Examples(tmp_path, "killed")), **USUAL, on=TWO, out=tmp_path / "killed")
    for name, again in (("whole", 0), ("killed", 1)):
        used = usage_of(json.loads((tmp_path / name / "run.json").read_text())["workers"])
        assert used.again == again and 0 < used.share <= 1 and used.memory > 0
        assert sum(used.pieces.values()) >= 2


def test_a_plan_is_timed_at_a_worker(tmp_path, capsys) -> None:
    path = written(tmp_path, FIND + "[on]\nworkers = 2\n")
    assert command(["plan", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["on"]
    assert found["workers"] == 2 and found["devices_per_worker"] == 1
    assert found["seconds"] > 0 and found["memory_bytes"] > 0


def test_published_cases_are_reproduced_by_workers(tmp_path, capsys) -> None:
    only = ["--only", "schedule-bound", "--only", "noise-scale"]
    assert command(["verify", *only, "--on", "ray", "--json", "--out", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [case["name"] for case in found["cases"]] == ["schedule-bound", "noise-scale"]
    assert all(case["passed"] and case["seconds"] > 0 for case in found["cases"])


class Odd(Exception):
    """One that cannot travel."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one)
        self.lock = threading.Lock()


def task_with(loss) -> lrlab.Task:
    x = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    return lrlab.Task.supervised(name="own", model=nn.Dense(2), loss=loss, train=(x, x[:, :2]),
                                 valid=(x[:8], x[:8, :2]))  # fmt: skip


def squared(outputs, targets):
    return optax.squared_error(outputs, targets).sum(-1)


def test_what_cannot_travel_is_named_before_anything_trains() -> None:
    lock = threading.Lock()

    def loss(outputs, targets):
        with lock:
            return squared(outputs, targets)

    with pytest.raises(FieldError, match=r"cannot be sent .*lock.*leave `on` out"):
        lrlab.sweep(task_with(loss), **USUAL, on=TWO)


@pytest.mark.parametrize("how", ["odd", "exits"])
def test_a_loss_that_fails_at_workers_alone(how, tmp_path, capfd) -> None:
    here = os.getpid()

    def loss(outputs, targets):
        if os.getpid() != here:
            with open(tmp_path / "begun", "a") as file:
                file.write("x")
            if how == "exits":
                os._exit(3)
            raise Odd("two", "parts")
        return squared(outputs, targets)

    small = {**USUAL, "lr": [0.1], "seeds": 1}
    said = r"failed 3 times .*Odd: two" if how == "odd" else r"failed 3 times .*WorkerCrashed"
    with pytest.raises(WorkerError, match=said):
        lrlab.sweep(task_with(loss), **small, on=TWO)
    assert len((tmp_path / "begun").read_text()) == 3
    assert "Unhandled error" not in capfd.readouterr().err


def test_room_and_environment_are_looked_at_first(monkeypatch) -> None:
    with pytest.raises(lrlab.config.ConfigError, match=r"on.cpus_per_worker: 99 cores"):
        lrlab.sweep("iris-mlp", **USUAL, on=Ray(cpus_per_worker=99))
    with pytest.raises(lrlab.config.ConfigError, match=r"on.runtime_env: working_dir: can be had"):
        lrlab.sweep("iris-mlp", **USUAL, on=Ray(runtime_env={"working_dir": "."}))
    monkeypatch.delenv("LRLAB_ODD", raising=False)
    here = os.getpid()

    def loss(outputs, targets):
        assert os.getpid() == here or os.environ["LRLAB_ODD"] == "1"
        return squared(outputs, targets)

    on = Ray(workers=1, runtime_env={"env_vars": {"LRLAB_ODD": "1"}})
    lrlab.sweep(task_with(loss), **{**USUAL, "lr": [0.1], "seeds": 1}, on=on)


def test_workers_of_another_shape_have_devices_of_their_own() -> None:
    small = {**USUAL, "lr": [0.01, 0.1], "seeds": 1}
    lrlab.sweep("iris-mlp", **small, on=Ray(workers=2, cpus_per_worker=1))
    # Two devices share a lane, which a process with one could not do.
    shared = {**small, "plan": lrlab.Plan(1, model_devices=2)}
    result = lrlab.sweep("iris-mlp", **shared, on=Ray(workers=1))
    assert np.isfinite(np.asarray(result.history["train_loss"])).all()
