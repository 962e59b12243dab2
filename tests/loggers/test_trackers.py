"""Trackers, each with its own package, offline: what they hold is the run, each step once."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tracked

import lrlab
from lrlab import loggers
from lrlab.core import registry
from lrlab.loggers import series, tensorboard_tracker, wandb_tracker
from lrlab.loggers.protocol import Logger, Place

WORKER = Path(__file__).parents[1] / "logging_run.py"

KILLS = 4
"""Of one run, at random instants while it logs."""

needs = {
    name: pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"no {package}")
    for name, package in loggers.PACKAGES.items()
}


@pytest.mark.parametrize("name", sorted(loggers.NAMES))
def test_a_tracker_is_a_logger_whose_package_is_imported_when_it_starts(name, tmp_path):
    place = Place(tmp_path, "abc", "mine")
    before = set(sys.modules)
    tracker = loggers.make(name, {}, place)
    assert isinstance(tracker, Logger) and tracker.verifies
    assert loggers.PACKAGES[name] not in set(sys.modules) - before
    assert not list(tmp_path.iterdir())


def test_every_tracker_has_an_extra_of_its_name():
    text = (Path(lrlab.__file__).parents[1] / "pyproject.toml").read_text()
    for name, package in loggers.PACKAGES.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"{name} = ["))
        assert package in line
        assert registry.summary(loggers.REGISTRY, name)


def test_few_lanes_have_series_and_many_have_quantities():
    def names(count: int) -> set[str]:
        lanes = {"lr": np.geomspace(1e-3, 1, count).tolist(), "seed": [0, 1]}
        config = {"lanes": lanes, "directions": {"valid_loss": "min"}, "metric": "valid_loss"}
        values = np.arange(2.0 * count).reshape(count, 2)
        return set(series.scalars({"valid_loss": values, "probe": values}, config))

    few, many = names(series.FEW // 2), names(series.FEW // 2 + 1)
    assert len(few) == 2 * series.FEW + 7
    assert many == {
        "valid_loss/best", "valid_loss/median", "probe/min", "probe/median", "probe/max", "best_lr",
        "lanes_training",
    }  # fmt: skip


def test_lanes_whose_rates_look_alike_have_names_of_their_own():
    assert series.lane_names({"lr": [0.100001, 0.100002], "seed": [0]}) == [
        "lr_0.100001/seed_0", "lr_0.100002/seed_0",
    ]  # fmt: skip
    assert series.lane_names({"lr": [0.1, 0.1], "seed": [0]}) == [
        "lr_0.1/seed_0/lane_0", "lr_0.1/seed_0/lane_1",
    ]  # fmt: skip


def test_of_a_metric_to_maximize_the_best_is_the_largest():
    config = {"lanes": {"lr": [0.1, 1.0], "seed": [0]}, "directions": {"a": "max"}, "metric": "a"}
    values = series.scalars({"a": np.array([[0.2], [np.nan]])}, config)
    assert values["a/best"] == 0.2 and values["best_lr"] == 0.1 and values["lanes_training"] == 1
    assert "a/lr_1/seed_0" not in values


@needs["tensorboard"]
def test_tensorboard_in_this_process(tmp_path):
    run = tmp_path / "run"
    lrlab.sweep(
        "wine-linear", optimizer="sgd", lr=[0.01, 1e38], steps=20, seeds=2, batch_size=16,
        eval_every=5, progress=False, log=["tensorboard"], out=run,
    )  # fmt: skip
    held = tracked.tensorboard(run)
    tracked.check(held, run)
    assert held[("best_lr", 20)] == [pytest.approx(0.01)]
    (file,) = (run / "log" / "tensorboard").iterdir()
    assert b"Train with learning rate" in file.read_bytes() or b"verdict" in file.read_bytes()


@needs["tensorboard"]
def test_a_torn_event_file_is_completed_by_the_next(tmp_path):
    config = {
        "experiment": {}, "first_step": 0, "lanes": {"lr": [0.1], "seed": [0]}, "metric": "a",
        "directions": {"a": "min"}, "run": None,
    }  # fmt: skip
    for cut in (None, 40, 3):
        log = tensorboard_tracker.TensorBoard(tmp_path)
        log.start(config)
        for step in (1, 2, 3):
            log.lanes(step, {"a": np.array([[0.5]])})
        log.close()
        for file in tmp_path.glob("*.0") if cut else ():
            file.write_bytes(file.read_bytes()[:-cut])
    steps: dict[int, int] = {}
    for file in tmp_path.iterdir():
        for name, step in tensorboard_tracker.numbers_in(file):
            if name == "a/best":
                steps[step] = steps.get(step, 0) + 1
    assert steps == {1: 1, 2: 1, 3: 1}


def test_the_folder_of_the_group(tmp_path):
    place = Place(tmp_path / "log", "abc", "mine")
    own = loggers.make("tensorboard", {"folder": str(tmp_path / "all")}, place)
    assert isinstance(own, tensorboard_tracker.TensorBoard)
    assert own.folder == tmp_path / "all" / "mine-abc"


def test_records_of_wandb_that_cross_blocks():
    pieces = [b"a" * 5, b"b" * 70_000, b"c" * 32_743]
    content = written(pieces)
    assert list(wandb_tracker.records_in(content)) == pieces
    assert list(wandb_tracker.records_in(content[:-1])) == pieces[:2]
    broken = bytearray(content)
    broken[40_000] ^= 1
    assert list(wandb_tracker.records_in(bytes(broken))) == pieces[:1]


def written(pieces: list[bytes]) -> bytes:
    """Records in LevelDB's log format, as its specification says."""
    import struct
    import zlib

    content = bytearray(b":W&B\x07\xe1\x00")
    for piece in pieces:
        first = True
        while first or piece:
            left = 32768 - len(content) % 32768
            if left < 7:
                content += bytes(left)
                continue
            part, piece = piece[: left - 7], piece[left - 7 :]
            kind = (1 if first else 4) if not piece else (2 if first else 3)
            content += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            first = False
    return bytes(content)


def started(out: Path, tracker: str, kind: str, events: int, seconds: float) -> int:
    arguments = [str(out), tracker, kind, str(events), str(seconds)]
    environment = {**os.environ, "TRACKIO_DIR": str(out.parent / "trackio")}
    done = subprocess.run(
        [sys.executable, str(WORKER), *arguments], capture_output=True, text=True, env=environment
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def held_by(tracker: str, run: Path) -> Any:
    """What a tracker holds, read in a process of its own: packages set things for good."""
    code = (
        "import pickle, sys, pathlib, tracked; run = pathlib.Path(sys.argv[1]); "
        f"found = tracked.{tracker}(run, *sys.argv[2:]); "
        "pathlib.Path(str(run) + '.json').write_text(tracked.json.dumps([[*k, v] for k, v in "
        "found.items()]))"
    )
    more = [f"sqlite:///{run}.db"] if tracker == "mlflow" else []
    paths = os.pathsep.join([str(WORKER.parent), str(Path(lrlab.__file__).parents[1])])
    environment = {
        **os.environ, "TRACKIO_DIR": str(run.parent / "trackio"), "PYTHONPATH": paths,
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", code, str(run), *more], check=True, env=environment)
    rows = json.loads(Path(f"{run}.json").read_text())
    return {(name, step): values for name, step, values in rows}


EACH: Callable[..., Any] = pytest.mark.parametrize(
    "tracker", [pytest.param(name, marks=needs[name]) for name in sorted(loggers.NAMES)]
)


@pytest.mark.slow
@EACH
def test_killed_at_any_instant_it_has_each_step_once(tracker, tmp_path):
    rng = random.Random(tracker)
    run, kills = tmp_path / "run", 0
    while True:
        events = rng.randint(1, 50) if kills < KILLS else 0
        if started(run, tracker, "sweep", events, rng.uniform(0.0, 0.2)) == 0:
            break
        kills += 1
    assert kills
    tracked.check(held_by(tracker, run), run)


@pytest.mark.slow
@needs["wandb"]
def test_a_killed_search_has_each_step_of_each_stage_once(tmp_path):
    rng = random.Random(5)
    assert started(tmp_path / "alone", "wandb", "find", 0, 0.0) == 0
    run, kills = tmp_path / "run", 0
    while started(run, "wandb", "find", rng.randint(1, 80) if kills < KILLS else 0, 0.1):
        kills += 1
    assert kills and held_by("wandb", run) == held_by("wandb", tmp_path / "alone")
