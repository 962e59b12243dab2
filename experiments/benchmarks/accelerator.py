"""One table for accelerators; `accelerator.sh` calls it for each. Lines of JSON, one per row.

    python experiments/benchmarks/accelerator.py lanes | precisions | widths | retreat | bits
        [--seconds S] [--small]

`lanes`: lanes per second against lanes, of each workload of `lrlab bench`, and the memory that the
device had in use at most. `precisions`: share of the peak in float32, TF32 and bfloat16, the peak
being that of a large matrix product in the same precision. `widths`: the same work at several tile
widths. `retreat`: a tile that cannot fit, and what the run made of it. `bits`: whether a second run
has the numbers of the first. No row begins after S seconds; `--small` is a rehearsal.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import lrlab
from lrlab.bench import inputs
from lrlab.bench.jax_ways import flops_per_lane_step
from lrlab.bench.workloads import NAMES, Workload, workload

WIDE, SIZE = "mlp-wide", 8192
"""The workload whose share of the peak counts; the side of the matrices that give the peak."""


def row(part: str, **values: object) -> None:
    """Prints a row."""
    said = {"part": part, "device": jax.devices()[0].device_kind, **values}
    print(json.dumps(said), flush=True)


def sweep(work: Workload, **options: object) -> lrlab.Result:
    """The workload's training."""
    axes, task_of = inputs.rates(work), {"steps": work.steps, "eval_every": work.steps, "seeds": 1}
    if work.kind == "trainability":
        task = lrlab.tasks.load("trainability")
        lr = {name.removeprefix("lr_"): values for name, values in axes.items()}
        task_of |= {"groups": dict(zip(lr, lr, strict=True)), "precision": "float64"}
    else:
        (x, y), lr, few = inputs.examples(work)[0], axes["lr"], slice(0, work.batch_size)
        task = lrlab.Task.supervised(
            name=work.name, model=inputs.lrlab_model(work, "auto", y), train=(x, y),
            valid=(x[few], y[few]), loss="softmax_cross_entropy", metrics=(),
        )  # fmt: skip
        task_of["batch_size"] = work.batch_size
    return lrlab.sweep(task, optimizer=work.optimizer, lr=lr, schedule="constant",
                       progress=False, **{**task_of, **options})  # fmt: skip


def timed(work: Workload, **options: object) -> tuple[float, lrlab.Result]:
    """Seconds of a second training, after one that compiles."""
    sweep(work, **options)
    began, result = time.perf_counter(), sweep(work, **options)
    return time.perf_counter() - began, result


def memory(name: str) -> int | None:
    """What the device says of its memory in bytes; None where it does not."""
    return (jax.devices()[0].memory_stats() or {}).get(name)


def lanes(on_time: Iterator[None], small: bool) -> None:
    """Lanes per second against lanes."""
    for count in (4, 16) if small else (4, 16, 64, 256, 1024, 4096):
        for name in NAMES[:2] if small else NAMES:
            work = workload(name)._replace(lanes=count)
            work = work._replace(steps=min(work.steps, 5 if small else 100))
            next(on_time)
            took, result = timed(work)
            done = result.outcome.size
            row("lanes", workload=name, lanes=done, steps=work.steps,
                lane_steps_per_s=round(done * work.steps / took),
                tile_width=result.plan.tile_width,
                memory_bytes=memory("peak_bytes_in_use"))  # fmt: skip


def precisions(on_time: Iterator[None], small: bool) -> None:
    """Share of the peak."""
    base = workload(WIDE)._replace(lanes=4 if small else 64, steps=2 if small else 100)
    with tempfile.TemporaryDirectory() as folder:
        inputs.make(base, Path(folder) / "a.npz")
        flops = flops_per_lane_step(base, dict(np.load(Path(folder) / "a.npz"))) or np.nan
    size = 256 if small else SIZE
    ways = {"float32": ("float32", "highest"), "tf32": ("float32", "tensorfloat32"),
            "bfloat16": ("bfloat16", "default")}  # fmt: skip
    for name, (dtype, products) in ways.items():
        next(on_time)
        with jax.default_matmul_precision(products):
            square = jnp.ones((size, size), dtype)
            product = jax.jit(jnp.matmul)
            product(square, square).block_until_ready()
            began = time.perf_counter()
            jax.block_until_ready([product(square, square) for _ in range(10)])
            peak = 10 * 2 * size**3 / (time.perf_counter() - began)
            took, _ = timed(base, precision="bfloat16" if name == "bfloat16" else "float32")
        reached = base.lanes * base.steps * flops / took
        row("precisions", precision=name, peak_tflops=round(peak / 1e12, 3),
            tflops=round(reached / 1e12, 3), share=round(reached / peak, 3))  # fmt: skip


def widths(on_time: Iterator[None], small: bool) -> None:
    """The same work at several tile widths."""
    work = workload("mlp-medium")._replace(lanes=8 if small else 1024, steps=3 if small else 100)
    for width in (1, 4) if small else (16, 64, 256, 1024):
        next(on_time)
        speed = work.lanes * work.steps / timed(work, plan=lrlab.Plan(width))[0]
        row("widths", tile_width=width, lane_steps_per_s=round(speed))


def retreat(on_time: Iterator[None], small: bool) -> None:
    """Tiles of weights that fill the memory twice."""
    if (limit := memory("bytes_limit")) is None:
        return row("retreat", skipped="the device does not say how much memory it has")
    next(on_time)
    width = 1 << int(np.ceil(np.log2(2 * limit / (4 * 2 * 670_000))))
    result = sweep(workload(WIDE)._replace(lanes=width, steps=2), plan=lrlab.Plan(width))
    row(
        "retreat", asked=width, tile_width=result.plan.tile_width, why=result.plan.reasons[-1][:200]
    )


def bits(on_time: Iterator[None], small: bool) -> None:
    """Whether two runs are equal."""
    for name in NAMES[:2] if small else NAMES[:-1]:
        work, _ = workload(name)._replace(lanes=4, steps=3 if small else 50), next(on_time)
        one, other = (sweep(work).history["train_loss"] for _ in range(2))
        row("bits", workload=name, equal=bool(np.array_equal(one, other, equal_nan=True)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("lanes", "precisions", "widths", "retreat", "bits"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    lrlab.prepare()
    end = time.monotonic() + given.seconds
    on_time = iter(lambda: time.monotonic() < end, False)
    with contextlib.suppress(StopIteration):
        globals()[given.part](on_time, given.small)
