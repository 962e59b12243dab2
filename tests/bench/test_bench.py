"""The benchmark: its counts, its comparison, and a tiny run of it from end to end."""

from __future__ import annotations

import json

import numpy as np
import pytest
from few import few

from lrlab import bench
from lrlab.bench import inputs, jax_ways, worker
from lrlab.bench.measure import agreement
from lrlab.bench.table import markdown
from lrlab.cli.app import run


def arrays(work, tmp_path):
    inputs.make(work, tmp_path / "inputs.npz")
    return np.load(tmp_path / "inputs.npz")


def test_flops_of_an_mlp_are_the_closed_form(tmp_path) -> None:
    work = bench.workload("mlp-medium")
    layers = ((64, 128), (128, 128), (128, 10))
    forward = sum(2 * work.batch_size * a * b for a, b in layers)
    first = 2 * work.batch_size * 64 * 128  # nobody asks for the gradient by the data
    counted = jax_ways.flops_per_lane_step(work, arrays(work, tmp_path))
    assert counted == 3 * forward - first


def test_flops_of_convolutions_count_each_product_once(tmp_path) -> None:
    work = bench.workload("cnn")._replace(batch_size=2, steps=1, data={"name": "digits"})
    counted = jax_ways.flops_per_lane_step(work, arrays(work, tmp_path))
    first = 2 * 2 * 8 * 8 * 9 * 1 * 16
    second = 2 * 2 * 4 * 4 * 9 * 16 * 32
    dense = 2 * 2 * (2 * 2 * 32 * 64 + 64 * 10)
    assert counted == 3 * (first + second + dense) - first


@pytest.mark.parametrize("way", few((way for way in bench.JAX_WAYS if way != "half-diverging"), 2))
def test_every_way_trains_the_same_runs(way, tmp_path) -> None:
    work = bench.workload("mlp-small")._replace(lanes=3, steps=12, batch_size=16)
    given = arrays(work, tmp_path)
    ours = jax_ways.prepare(work, "lrlab", given)()
    theirs = jax_ways.prepare(work, way, given)()
    assert ours.shape == theirs.shape == (12, 3)
    assert agreement(ours, theirs)["passed"]


def test_the_comparison_sees_a_way_that_does_less() -> None:
    rng = np.random.default_rng(0)
    losses = np.exp(-np.linspace(0, 3, 50))[:, None] * (1 + 0.1 * rng.random((1, 8)))
    assert agreement(losses, losses * (1 + 1e-6))["passed"]
    assert not agreement(losses, np.repeat(losses[::2], 2, axis=0))["passed"]
    assert not agreement(losses, losses[:25])["passed"]
    assert not agreement(losses, losses + 0.01)["passed"]


def test_short_runs_are_repeated_and_averaged(monkeypatch) -> None:
    clock = iter([0.0, 0.5, 1.0, 1.5, 2.0, 9.0])
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock))
    calls = []
    assert worker.timed(lambda: calls.append(0), 2.0) == (None, 0.5) and len(calls) == 4


def test_a_run_that_is_long_enough_is_done_once(monkeypatch) -> None:
    clock = iter([0.0, 3.0])
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock))
    assert worker.timed(lambda: np.ones(1), 2.0) == (np.ones(1), 3.0)


def test_names_are_checked() -> None:
    with pytest.raises(ValueError, match="known: mlp-small"):
        bench.workload("mpl-small")
    with pytest.raises(ValueError, match="no way 'pytorch'"):
        bench.run(["grid-4"], ways=["pytorch"])
    with pytest.raises(ValueError, match="at least 1"):
        bench.run(["grid-4"], repeats=0)


@pytest.mark.slow
def test_bench_from_the_command_line(tmp_path, capsys) -> None:
    out = tmp_path / "out"
    status = run(["bench", "--only", "grid-8", "--way", "vmap-scan", "--repeats", "1",
                  "--out", str(out), "--json", "--quiet"])  # fmt: skip
    payload = json.loads(capsys.readouterr().out)
    assert status == 0
    assert set(payload) >= {"machine", "versions", "workloads"}
    (work,) = payload["workloads"]
    assert {way["name"] for way in work["ways"]} == {"lrlab", "vmap-scan"}
    for way in work["ways"]:
        assert {"name", "first_s", "steady_s", "gflops", "peak_share", "peak_rss_bytes",
                "ratio"} <= set(way)  # fmt: skip
        assert way["first_s"] > way["steady_s"] > 0 and way["peak_rss_bytes"] > 1 << 20
        assert way["same"]["passed"]
    assert json.loads((out / "bench.json").read_text()) == payload
    assert (out / "bench.md").read_text().startswith(markdown(payload))
    assert (out / "bench.png").stat().st_size > 5_000
