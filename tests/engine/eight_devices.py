"""What takes several devices, beside the same on one: a script that is run in a process of its own
with eight CPU devices, since a process's devices are fixed. Prints a JSON object."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from eight_tasks import Net, further_tasks, net, transformer

import lrlab
from lrlab.cli.app import run as command_line
from lrlab.engine import dealing, loop
from lrlab.engine.devices import precision as precision_of
from lrlab.engine.estimate import planned_memory
from lrlab.engine.limits import LIMITS
from lrlab.engine.segments import sent
from lrlab.engine.tiles import Tile, begin, group_on_devices
from lrlab.runs import recorder
from lrlab.training.group import training_group
from lrlab.training.lanes import grid_lanes

PATCH = pytest.MonkeyPatch()
"""Changes that hold for the life of the process."""


def run(way: str, *args: str, status: int = 0) -> dict[str, Any]:
    """For tests: what one of `WAYS` gives, in a process of its own."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    if way not in ("small", "wide", "dealt"):  # many programs, each run for a moment
        flags += " --xla_backend_optimization_level=0"
    done = subprocess.run(
        [sys.executable, __file__, way, *args],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        env={**os.environ, "XLA_FLAGS": flags},
    )
    assert done.returncode == status, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}


def swept(task: Any, shared: int, devices: int, **options: Any) -> lrlab.Result:
    usual = {"seeds": 2, "batch_size": 16, "progress": False}
    plan = lrlab.Plan(
        tile_width=options.pop("width", 1), devices=devices, segment_steps=8, model_devices=shared
    )
    return lrlab.sweep(task, plan=plan, **{**usual, **options})


def apart(one: lrlab.Result, other: lrlab.Result) -> float:
    """The largest relative difference of losses."""
    return max(
        float(np.max(np.abs(one.history[name] / other.history[name] - 1)))
        for name in ("train_loss", "valid_loss")
    )


def equal(one: lrlab.Result, other: lrlab.Result) -> bool:
    """Whether every recorded number is the same."""
    return all(
        np.array_equal(values, other.history[name], equal_nan=True)
        for name, values in one.history.items()
    )


def watched(seen: list[list[Tile]]) -> None:
    """Keeps the tiles of every segment."""
    train = loop.train_segment

    def keep(*args: Any) -> list[Tile]:
        seen.append(train(*args))
        return seen[-1]

    PATCH.setattr(loop, "train_segment", keep)


def shares(tile: Tile) -> dict[str, float]:
    """What each device holds of the large arrays of a tile, as a share of them."""
    state = tile.state
    return {
        name: max(
            shard.data.nbytes / leaf.nbytes
            for leaf in jax.tree.leaves(tree)
            if leaf.nbytes / len(tile.lanes) >= 4096
            for shard in leaf.addressable_shards
        )
        for name, tree in (("params", state.params), ("optimizer", state.optimizer))
    }


def small() -> dict[str, Any]:
    """Momentum and dropout: two rows of two devices, one row, and a device by itself."""
    seen: list[list[Tile]] = []
    watched(seen)
    options = {"optimizer": "momentum", "lr": [0.01, 0.03, 0.1], "steps": 24, "width": 2}
    two = swept(net(), 2, 4, **options)
    tiles, places = seen[-1], {str(tile.place.devices.tolist()) for tile in seen[-1]}
    return {
        "devices": len(jax.devices()),
        "apart": apart(two, swept(net(), 1, 1, **options)),
        "rows": len(places),
        "shares": shares(tiles[0]),
        "one_row_is_equal": equal(two, swept(net(), 2, 2, **options)),
        "plan": two.plan._asdict(),
    }


def wide() -> dict[str, Any]:
    """The transformer with Adam and dropout, four lanes on two devices each, in both precisions;
    and with four devices for each lane."""
    seen: list[list[Tile]] = []
    options = {"optimizer": "adam", "lr": [1e-3, 3e-3], "steps": 24, "width": 1}
    found: dict[str, Any] = {}
    for precision in ("float32", "float64"):
        alone = swept(transformer(), 1, 4, precision=precision, **options)
        watched(seen)
        shared = swept(transformer(), 2, 8, precision=precision, **options)
        found[precision] = apart(shared, alone)
    found["four"] = apart(swept(transformer(), 4, 8, precision="float64", **options), alone)
    found["temp_bytes"] = [scratch(shared) for shared in (1, 2)]
    return found | shares(seen[-1][0])


def scratch(shared: int) -> int:
    """Bytes beside its arguments that a segment of a wider transformer takes on each device."""
    model = {**transformer()["model"], "width": 128}
    experiment = lrlab.config.from_arguments(
        "sweep", task={**transformer(), "model": model}, lr=[1e-3], seeds=1, steps=4,
        optimizer="adam", batch_size=64, plan=lrlab.Plan(1, shared, 4, model_devices=shared),
    )  # fmt: skip
    group = training_group(lrlab.config.resolve(experiment))
    lanes = grid_lanes(group.axes, group.seeds)
    with precision_of(group.problem.dtype):
        here = group_on_devices(group.problem, group.data, lanes, group.plan, group.indices, LIMITS)
        list(sent(here, begin(here, np.arange(1)), 0, 1))
    ((loaded,),) = (by_place.values() for by_place in here.programs.train._programs.values())
    analysis = loaded.program.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def planned() -> dict[str, int]:
    """Bytes of training a head on a large frozen body: on a device, on four, on a row of four."""

    def init(key: jax.Array, example: Any) -> dict[str, jax.Array]:
        return {"body": jax.random.normal(key, (1024, 1024)), "head": jax.numpy.ones((8, 4))}

    def loss(params: Any, batch: Any, key: jax.Array) -> jax.Array:
        outputs = batch[0] @ params["body"][:24, :8] @ params["head"]
        return ((outputs - batch[1]) ** 2).mean()

    x, y = np.ones((32, 24), np.float32), np.ones((32, 4), np.float32)
    task = lrlab.Task.custom(
        name="head", init=init, loss=loss, train=(x, y), valid=(x, y), trainable="head"
    )
    found = {}
    for name, (devices, shared) in {"one": (1, 1), "four": (4, 1), "row": (4, 4)}.items():
        experiment, objects = lrlab.config.from_arguments(
            "sweep", lr=[0.1, 0.2], seeds=2, steps=4, batch_size=8, optimizer="sgd",
            plan=lrlab.Plan(1, devices, 4, model_devices=shared), task="quadratic",
        ), lrlab.config.PythonObjects(task=task)  # fmt: skip
        group = training_group(lrlab.config.resolve(experiment, objects))
        lanes = grid_lanes(group.axes, group.seeds)
        found[name] = planned_memory(group.problem, group.data, lanes, group.plan)
    return found


def searched() -> dict[str, Any]:
    """`find` with and without."""
    found = []
    for shared, devices in ((1, 4), (2, 8)):
        plan = lrlab.Plan(1, devices, 8, model_devices=shared)
        answer = lrlab.find(
            net(), optimizer="momentum", steps=24, batch_size=16, seeds=2, budget=12,
            lr_range=(1e-3, 1.0), progress=False, plan=plan, confidence=None,
        )  # fmt: skip
        found.append({"lr": answer.lr, "verdict": answer.verdict, "cost": answer.cost})
    return {"alone": found[0], "shared": found[1]}


def kinds(*names: str) -> dict[str, float]:
    """Further kinds of training, each beside itself on one device: the largest difference. One
    example's rounding moves an accuracy, so that these do not count. `names`: which; none: all."""
    tasks, further = further_tasks()
    found = {}
    for name, task in ((name, tasks[name]) for name in names or tasks):
        options = {"optimizer": "adam", "lr": [0.003, 0.01], "steps": 16, **further.get(name, {})}
        options = {key: v for key, v in options.items() if (key, v) != ("optimizer", None)}
        one, other = (swept(task, *row, **options) for row in ((2, 4), (1, 1)))
        found[name] = max(
            float(np.max(np.abs(values - other.history[key]) / (np.abs(values) + 1e-6)))
            for key, values in one.history.items()
            if not key.endswith("accuracy")
        )
    return found


def slowed(slow: jax.Device, seconds: float) -> None:
    """Lets every tile of a device take so long at least, one after the other."""
    wait, one_by_one = dealing.ready, threading.Lock()

    def late(place: Any, result: Any) -> float:
        if place != slow:
            return wait(place, result)
        with one_by_one:
            wait(place, result)
            time.sleep(seconds)
            return time.perf_counter()

    PATCH.setattr(dealing, "ready", late)


def dealt(*names: str) -> dict[str, Any]:
    """Tiles on three devices of which one is slow: how many it trains, and whether all numbers are
    those of one device. `names`: which tasks; none: all."""
    random = np.random.default_rng(1)
    x, y = random.normal(size=(96, 24)).astype(np.float32), random.integers(0, 4, 96)
    plain = {"model": Net(), "loss": "softmax_cross_entropy", "valid": (x[:32], y[:32])}
    streams = lrlab.data.stream((x, y))
    head = {"trainable": r"Dense_2/.*", "train": (x, y)}
    tasks = {
        "plain": lrlab.Task.supervised(name="net", train=(x, y), **plain),
        "streamed": lrlab.Task.supervised(name="net", train=streams, **plain),
        "head": lrlab.Task.supervised(name="net", **head, **plain),
    }
    tasks = {name: tasks[name] for name in names or tasks}
    rates = np.geomspace(0.003, 0.3, 9).tolist()
    options = {"optimizer": "momentum", "lr": rates, "steps": 24, "eval_every": 8}
    alone = {name: swept(task, 1, 1, **options) for name, task in tasks.items()}
    slowed(jax.devices()[0], 0.25)
    seen: list[list[Tile]] = []
    watched(seen)
    found = {}
    for name, task in tasks.items():
        many = swept(task, 1, 3, **options)
        counts = [sum(tile.place == device for tile in seen[-1]) for device in jax.devices()[:3]]
        found[name] = {"equal": equal(many, alone[name]), "counts": counts}
    return found


CONFIG = """
steps = 24
eval_every = 8
seeds = 2
batch_size = 16
lr = [1e-3, 3e-3]
optimizer.name = "adam"
task.data = {name = "stdlib", context = 16, max_train = 256, max_valid = 32}
task.model = {name = "transformer", width = 64, depth = 1, heads = 4, dropout = 0.1}
plan = {tile_width = 1, devices = 8, segment_steps = 4, model_devices = 2}
"""


def killed(folder: str, command: str, after: str) -> dict[str, Any]:
    """A run that is killed after so many commits (0: not at all)."""
    place, commits = Path(folder), []
    path = place.with_suffix(".toml")
    path.write_text(CONFIG)
    if int(after):
        commit = recorder.Stage.commit

        def last(self: Any, *args: Any) -> None:
            commit(self, *args)
            self.wait()
            commits.append(1)
            if len(commits) == int(after):
                os.kill(os.getpid(), signal.SIGKILL)

        PATCH.setattr(recorder.Stage, "commit", last)
        PATCH.setattr(recorder, "INTERVAL", 0.0)
    given = ["sweep", str(path), "--out", folder] if command == "sweep" else ["resume", folder]
    return {"status": command_line([*given, "-q"])}


WAYS: dict[str, Callable[..., dict[str, Any]]] = {
    one.__name__: one for one in (small, wide, planned, searched, kinds, dealt, killed)
}

if __name__ == "__main__":
    lrlab.prepare(8)
    print(json.dumps(WAYS[sys.argv[1]](*sys.argv[2:]), default=str))
