"""What very many lanes take: memory while they train, and of a report, an export, a look at a lane.

Hypothesis: 100,000 lanes of the small MLP, and a million of the trainability grid, train with the
memory of a few; `report` and `export` stay under 2 GiB and 60 s; a lane and a step are read in
under a second.
Command: python experiments/benchmarks/many_lanes.py [mlp | grid | stored] [--steps N] [--scale K]
Cost: see README.md beside this file. `--scale K` divides the lanes by K, for a rehearsal.
Result: README.md.

`mlp`: 250 rates x 100 momenta x 4 seeds of an MLP 64-32-10, batches of 64. `grid`: 1,000 x 1,000
rates of two layers, float64, full batch. `stored`: no training, curves of 500 updates of 100,000
lanes written as a run folder. Each look is a process of its own; memory is the most anonymous
memory (`RssAnon`) and the most of all (`ru_maxrss`, which counts pages of files that the system may
take back), in MiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from anonymous import anonymous, watched

import lrlab
from lrlab import runs
from lrlab.cli.app import run
from lrlab.core.records import OK, Metric, blank_record
from lrlab.results.sweep import Result


def mlp(place: Path, steps: int, scale: int) -> None:
    """Trains an MLP."""
    task = lrlab.tasks.load("digits-mlp", width=32, depth=1)
    rates, momenta = lrlab.log_grid(1e-4, 0.1, 250 // scale), np.linspace(0, 0.95, 100)
    lrlab.sweep(task, optimizer="momentum", lr=rates, momentum=momenta, seeds=4, steps=steps,
                batch_size=64, out=place, progress=False)  # fmt: skip


def grid(place: Path, steps: int, scale: int) -> None:
    """Trains the trainability grid."""
    rates = np.geomspace(1e-3, 1e6, 1000 // scale)
    lrlab.sweep(
        lrlab.tasks.load("trainability"), optimizer="sgd",
        lr={"hidden": rates, "readout": rates}, groups={"hidden": "hidden", "readout": "readout"},
        steps=steps, seeds=1, precision="float64", out=place, progress=False,
    )  # fmt: skip


def stored(place: Path, steps: int, scale: int) -> None:
    """Writes curves as a run folder."""
    axes = {"lr": np.geomspace(1e-4, 1, 250 // scale), "weight_decay": np.geomspace(1e-6, 1, 100)}
    axes["seed"] = np.arange(4)
    shape = tuple(len(values) for values in axes.values())
    ends = [steps * (k + 1) // 20 for k in range(20)]
    record = blank_record({"cell": np.arange(int(np.prod(shape)))}, steps, ends).grid(axes)
    place_of_best = (np.log10(axes["lr"]) + 2)[:, None, None] ** 2
    level = (place_of_best + 0.1 * (np.log10(axes["weight_decay"]) + 3)[:, None] ** 2 + 0.1 *
             np.random.default_rng(0).random(shape)).astype(np.float32)  # fmt: skip
    fade = np.linspace(2, 1, steps, dtype=np.float32).reshape(-1, 1, 1, 1)
    curves = {"train_loss": level * fade, "learning_rate": np.ones_like(level) * fade}
    metrics = {name: Metric(values, "step") for name, values in curves.items()}
    metrics["valid_loss"] = Metric(level * fade[[end - 1 for end in ends]], "eval_step", "min")
    record = record._replace(
        metrics=metrics, outcome=np.full(shape, OK, np.int8), steps_trained=np.full(shape, steps),
        last_loss=level.astype(np.float64), initial={"valid_loss": 3 * level},
    )  # fmt: skip
    result = Result("stored", record, "valid_loss", lrlab.Plan(8, 2, 500))
    folder = runs.create(place, "stored", "sweep", "", {"metric": "valid_loss", "modes": {}})
    runs.write_record(folder, record)
    folder.finish(result.summary())
    folder.close()


def looks(place: Path) -> dict[str, float]:
    """Milliseconds that a lane, a step, and the last evaluation take, of a run just loaded."""
    result, took = lrlab.load(place), {}
    values = result.history["train_loss"]
    middle = tuple(size // 2 for size in values.shape[1:])
    for name, index in {"lane": (slice(None), *middle), "step": len(values) // 2}.items():
        began = time.perf_counter()
        assert np.isfinite(values[index]).any()
        took[f"{name}_ms"] = round(1000 * (time.perf_counter() - began), 1)
    return took


def child(what: str, place: Path, steps: int, scale: int) -> None:
    """Does one thing and prints what it took."""
    began, said = time.perf_counter(), {}
    with watched() as most:
        if what in ("mlp", "grid", "stored"):
            globals()[what](place, steps, scale)
        elif what == "look":
            said = looks(place)
        else:
            assert run([*what.split(), str(place)]) == 0
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said |= {"seconds": round(took, 1), "processor_seconds": round(time.process_time(), 1)}
    said["anonymous_mib"] = round(max(most(), anonymous()))
    print(json.dumps({"what": what, **said, "maxrss_mib": round(peak)}), file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("mlp", "grid", "stored"))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "PLACE"))
    given = parser.parse_args()
    if given.child:
        child(given.child[0], Path(given.child[1]), given.steps, given.scale)
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:
        for what in (given.kind, "look", "report", "show", "export", "export -f parquet"):
            command = [sys.executable, __file__, given.kind, "--steps", str(given.steps)]
            command += ["--scale", str(given.scale), "--child", what, f"{folder}/run"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        print(f"{size / 2**20:,.0f} MiB in the run folder", file=sys.stderr)
