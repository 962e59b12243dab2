"""Workers of a real Ray cluster: the numbers of this process, also where one of them is killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import flax.linen as nn
import numpy as np
import optax
import own_project
import pytest
from stopped_runs import equal, written

import lrlab
from lrlab.cli.app import run as command
from lrlab.core.errors import FieldError, WorkerError
from lrlab.core.remote import Ray

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
    """A collection whose worker comes to grief while it reads, as often as there are files."""

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
                os.kill(os.getpid(), signal.SIGKILL)
        x = np.random.default_rng(number).normal(size=5).astype(np.float32)
        return x, int(x.sum() > 0)


def read(place: Path, how: str = "killed") -> lrlab.Task:
    def loss(outputs, targets):
        return optax.softmax_cross_entropy_with_integer_labels(outputs, targets)

    examples = Examples(place, how)
    train = lrlab.data.stream(examples)
    return lrlab.Task.supervised(name="read", model=nn.Dense(2), loss=loss, train=train,
                                 valid=(np.ones((4, 5), np.float32), np.zeros(4, int)))  # fmt: skip


def same(one, other) -> None:
    for name, metric in one.record.metrics.items():
        other_values = other.record.metrics[name].values
        np.testing.assert_array_equal(metric.values, other_values, err_msg=name)
    np.testing.assert_array_equal(one.outcome, other.outcome)


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


@pytest.mark.parametrize("faults", [1, 2])
def test_a_worker_that_is_killed_changes_nothing(faults, tmp_path) -> None:
    whole = lrlab.sweep(read(tmp_path), **USUAL)
    for number in range(faults):
        (tmp_path / f"fault{number}").touch()
    same(whole, lrlab.sweep(read(tmp_path), **USUAL, on=TWO))
    assert not list(tmp_path.glob("fault*"))


def test_what_fails_everywhere_is_one_error_with_its_traceback(tmp_path) -> None:
    (tmp_path / "fault").touch()
    with pytest.raises(WorkerError, match=r"failed 3 times .*the disk is gone") as caught:
        lrlab.sweep(read(tmp_path, "raises"), **USUAL, on=TWO, out=tmp_path / "run")
    assert "__getitem__" in caught.value.traceback
    assert "__getitem__" in (tmp_path / "run" / "worker_error.txt").read_text()
    (tmp_path / "fault").unlink()
    task = read(tmp_path, "raises")
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


def test_own_code_is_imported_by_the_workers(tmp_path) -> None:
    path = str(own_project.written(tmp_path / "project") / "a.toml")
    assert command(["sweep", path, "--out", str(tmp_path / "here"), "-q"]) == 0
    assert command(["sweep", path, "--on", "ray", "--out", str(tmp_path / "there"), "-q"]) == 0
    equal(tmp_path / "here", tmp_path / "there")


def test_another_cluster_is_refused_while_one_is_there() -> None:
    with pytest.raises((FieldError, lrlab.config.ConfigError), match="another cluster"):
        lrlab.sweep("iris-mlp", **USUAL, on=Ray("10.0.0.1:6379"))
