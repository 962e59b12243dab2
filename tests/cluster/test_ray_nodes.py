"""Several nodes, which this machine plays: one leaves, one joins; a client far away; own code that
is not there; two drivers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from read_by_workers import read, same

import lrlab
from lrlab.cluster.connecting import _unchanged, connected
from lrlab.core.remote import Ray

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.slow]

NAP = 0.002
"""Seconds that reading an example takes: the run lasts long enough for nodes to come and go."""

USUAL = dict(optimizer="adam", lr=np.geomspace(1e-3, 1, 6), seeds=2, steps=300, batch_size=8,
             progress=False, plan=lrlab.Plan(1, None, 50), eval_every=100)  # fmt: skip
SHORT = {**USUAL, "lr": [0.01, 0.1], "steps": 20, "eval_every": 10}


class Examples:
    """A collection that takes its time, and notes on which nodes it was read."""

    def __init__(self, place: Path, nap: float) -> None:
        self.place, self.nap, self.driver = place, nap, os.getpid()

    def __len__(self) -> int:
        return 64

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        if os.getpid() != self.driver:
            import ray

            (self.place / f"node-{ray.get_runtime_context().get_node_id()}").touch()
            time.sleep(self.nap)
        x = np.random.default_rng(number).normal(size=5).astype(np.float32)
        return x, int(x.sum() > 0)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def cluster(request, monkeypatch):
    """A cluster of one node with one core, to which nodes are added; slow machines have time."""
    monkeypatch.setenv("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", "300")
    from ray.cluster_utils import Cluster

    own = {"include_dashboard": False, "num_cpus": 1, "object_store_memory": 100 << 20}
    with _unchanged():
        made = Cluster(
            initialize_head=True, head_node_args={**own, **getattr(request, "param", {})}
        )
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield made
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    ray.shutdown()
    made.shutdown()


def added(cluster):
    with _unchanged():
        return cluster.add_node(num_cpus=1, object_store_memory=100 << 20)


def until(reached) -> None:
    """Waits; ten minutes say that it hangs."""
    for _ in range(12_000):
        if reached():
            return
        time.sleep(0.05)
    pytest.fail("it does not come to that")


def test_a_node_leaves_and_another_joins(cluster, tmp_path) -> None:
    second, run = added(cluster), tmp_path / "run"
    on = Ray(cluster.address, cpus_per_worker=1)
    connected(on)

    def seen(count: int) -> bool:
        return len(list(tmp_path.glob("node-*"))) >= count

    # Nodes come and go in the main thread, since Ray sets signal handlers.
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(lrlab.sweep, read(Examples(tmp_path, NAP)), **USUAL, on=on, out=run)
        until(lambda: training.done() or (seen(2) and (run / "commit.json").exists()))
        with _unchanged():  # Ray draws a place for its files at random
            cluster.remove_node(second, allow_graceful=False)
        added(cluster)
        there = training.result()
    assert seen(3)
    same(there, lrlab.sweep(read(Examples(tmp_path, NAP)), **USUAL))


@pytest.mark.parametrize(
    "cluster", [{"ray_client_server_port": free_port()}], indirect=True, ids=["client"]
)
def test_a_client_far_away(cluster, tmp_path, request) -> None:
    pytest.importorskip("grpc")
    port = request.node.callspec.params["cluster"]["ray_client_server_port"]
    there = lrlab.sweep("iris-mlp", **SHORT, on=Ray(f"ray://127.0.0.1:{port}"))
    same(there, lrlab.sweep("iris-mlp", **SHORT))


def test_two_drivers_share_a_cluster(cluster, tmp_path) -> None:
    added(cluster)
    program = f"""
import lrlab, numpy as np
lrlab.sweep("iris-mlp", optimizer="adam", lr=[0.01, 0.1], seeds=2, steps=20, batch_size=8,
            progress=False, plan=lrlab.Plan(1, None, 50), eval_every=10, out="run",
            on=lrlab.Ray({cluster.address!r}, cpus_per_worker=1))
"""
    places = [tmp_path / name for name in ("one", "other")]
    for place in places:
        place.mkdir()
    drivers = [
        subprocess.Popen([sys.executable, "-c", program], cwd=place, stderr=subprocess.PIPE)
        for place in places
    ]
    for driver in drivers:
        _, said = driver.communicate(timeout=600)
        assert driver.returncode == 0, said.decode()
    here = lrlab.sweep("iris-mlp", **SHORT)
    for place in places:
        same(lrlab.load(place / "run"), here)
