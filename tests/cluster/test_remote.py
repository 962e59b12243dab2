"""Where lanes are trained, as callers and files say it; what is said where Ray is not there."""

from __future__ import annotations

import importlib.util

import pytest
from stopped_runs import SWEEP, written

import lrlab
from lrlab import config
from lrlab.cli.app import run as command
from lrlab.cluster.ray_pool import Node, Shape, rows_of, shape_of
from lrlab.core.errors import ConfigError, FieldError
from lrlab.core.remote import Ray

FILE = "task.name = 'iris-linear'\nlr = [0.1]\n"


@pytest.mark.parametrize(
    ("text", "ray"),
    [
        ("", None),
        ('on = "ray"', Ray()),
        ('on = "auto"', Ray("auto")),
        ('on = "ray://10.0.0.1:10001"', Ray("ray://10.0.0.1:10001")),
        ("[on]", Ray()),
        ("[on]\nworkers = 3\ncpus_per_worker = 2", Ray(None, 3, 2)),
        ('[on]\nruntime_env = {pip = ["einops"]}', Ray(runtime_env={"pip": ["einops"]})),
    ],
)
def test_a_file_says_it(text, ray, tmp_path) -> None:
    experiment = config.load(written(tmp_path, FILE + text), command="sweep")
    assert config.ray_of(experiment) == ray
    again = config.load(written(tmp_path, config.dumps(experiment), "again.toml"), command="sweep")
    assert config.ray_of(again) == ray


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('on = "rey"', r'on: must be "ray", "auto", "ray://HOST:PORT" or "HOST:PORT", got "rey"'),
        ("on = 3", r"on: must be a table, got 3"),
        ("[on]\nworkers = 0", r"on\.workers: must be at least 1, got 0"),
        ("[on]\nworker = 2", r"on\.worker: unknown key.*workers"),
    ],
)
def test_what_is_none_is_refused(text, said, tmp_path) -> None:
    with pytest.raises(ConfigError, match=said):
        config.load(written(tmp_path, FILE + text), command="sweep")


def test_the_command_line_comes_on_top(tmp_path) -> None:
    path = written(tmp_path, FILE + "[on]\nworkers = 3")
    given = config.load(path, command="sweep")
    assert config.ray_of(config.moved(given, "ray")) == Ray(workers=3)
    assert config.ray_of(config.moved(given, "h:1")) == Ray("h:1", 3)
    assert config.ray_of(config.moved(given, "local")) is None
    assert config.moved(given, None) is given
    with pytest.raises(ConfigError, match=r'^--on.*must be "ray".*or "local"'):
        config.moved(given, "slurm")


def test_what_the_command_line_says_is_not_placed_in_the_file(tmp_path) -> None:
    def place(path, word, field) -> str:
        experiment = config.moved(config.load(path, command="sweep"), word)
        return config.problem(experiment, field, "wrong").file

    without = written(tmp_path, FILE)
    assert place(without, "ray", "on") == place(without, "auto", "on.address") == "--on"
    both = written(tmp_path, FILE + "[on]\nworkers = 3")
    assert place(both, "auto", "on.address") == "--on"
    assert place(both, "auto", "on.workers") == place(both, "ray", "on") == both


def test_entries_go_along() -> None:
    entries = {"a": {"optimizer": "sgd"}, "b": {"optimizer": "adam"}}
    given = config.from_arguments("compare", task="iris-linear", entries=entries)
    for experiment in (config.moved(given, "ray"), config.moved(given, "ray").entries["b"]):
        assert config.ray_of(experiment) == Ray()
    own = config.from_arguments("compare", task="iris-linear", entries=entries, on=Ray("auto"))
    assert config.ray_of(own.entries["a"]) == Ray("auto")


def test_it_is_no_part_of_what_a_run_is() -> None:
    here = config.from_arguments("sweep", task="iris-linear", lr=[0.1])
    there = config.from_arguments("sweep", task="iris-linear", lr=[0.1], on=Ray(workers=2))
    assert config.digest(here) == config.digest(there)


def test_without_ray_it_is_said_what_to_install(tmp_path, monkeypatch, capsys) -> None:
    real = importlib.util.find_spec
    absent = lambda name, *more: None if name == "ray" else real(name, *more)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    path = written(tmp_path, SWEEP)
    assert command(["sweep", path, "--on", "ray", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert (
        "--on: on: needs Ray, which is not installed: pip install 'lrlab[ray]'; `--on local`"
        in said
    )
    assert not (tmp_path / "run" / "run.json").exists()
    with pytest.raises(ConfigError, match=r"pip install 'lrlab\[ray\]'"):
        lrlab.sweep("iris-linear", lr=[0.1], on="ray", progress=False)


@pytest.mark.parametrize(
    ("on", "nodes", "shape", "workers"),
    [
        (Ray(), [Node(2, 0)], Shape(2, 0), 1),
        (Ray(workers=2), [Node(2, 0)], Shape(1, 0), 2),
        (Ray(workers=2), [Node(2, 0), Node(2, 0)], Shape(2, 0), 2),
        (Ray(workers=9), [Node(2, 0)], Shape(1, 0), 2),
        (Ray(cpus_per_worker=3), [Node(8, 0), Node(4, 0)], Shape(3, 0), 3),
        (Ray(), [Node(0, 0), Node(4, 0)], Shape(4, 0), 1),
        (Ray(gpus_per_worker=1), [Node(8, 4), Node(64, 0)], Shape(1, 1), 4),
    ],
)
def test_what_a_worker_takes(on, nodes, shape, workers) -> None:
    assert shape_of(on, nodes) == shape
    assert shape.fit(nodes) == workers


@pytest.mark.parametrize(
    ("on", "nodes", "said"),
    [
        (Ray(), [], "no node of the Ray cluster is alive"),
        (Ray(cpus_per_worker=3), [Node(2, 0)], "3 cores in a worker: the largest node has 2"),
        (Ray(gpus_per_worker=1), [Node(2, 0)], "1 GPUs in a worker: the largest node has 0"),
    ],
)
def test_more_than_a_node_has_is_refused(on, nodes, said) -> None:
    with pytest.raises(FieldError, match=said):
        shape_of(on, nodes)


def test_lanes_that_a_workers_devices_cannot_share_are_refused() -> None:
    with pytest.raises(FieldError, match="2 devices for each lane, and a worker has 1 device"):
        rows_of(1, 2)
    with pytest.raises(FieldError, match="3 devices for each lane, and a worker has 4 devices"):
        rows_of(4, 3)
