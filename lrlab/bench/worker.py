"""One way of one workload in a process of its own: memory and threads are not shared with others.

`python -m lrlab.bench.worker WORKLOAD WAY INPUTS CORES`, then a line "run" per run on standard
input; each answers with one JSON line {seconds, peak_rss_bytes}. The first run includes compiling
and writes its losses beside INPUTS. A later run that takes less than `TURN_SECONDS` is done again
until these are over, and the mean is answered: on a machine that others use too, half a second by
itself says little.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lrlab.bench.workloads import JAX_WAYS, workload

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None

TURN_SECONDS = 2.0


def peak(size: int = 1024, repeats: int = 10) -> float:
    """GFLOP/s of single-precision matrix products, every core multiplying its own."""
    import jax

    from lrlab.engine.devices import prepare_devices

    devices, _ = prepare_devices()
    many = jax.jit(lambda a: jax.lax.fori_loop(0, repeats, lambda _, b: a @ b / size, a))
    arrays = [jax.device_put(np.ones((size, size), np.float32), device) for device in devices]
    jax.block_until_ready([many(array) for array in arrays])
    began = time.perf_counter()
    jax.block_until_ready([many(array) for array in arrays])
    return len(devices) * repeats * 2 * size**3 / (time.perf_counter() - began) / 1e9


def main() -> None:
    """Answers on standard output what is asked on standard input, a line of JSON each."""
    name, way, path, cores = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not reach the answers
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    if way == "peak":
        for _ in sys.stdin:
            print(json.dumps({"gflops": peak()}), file=answers)
        return
    work, inputs = workload(name), np.load(path)
    if way in JAX_WAYS:
        from lrlab.bench import jax_ways as ways
    else:
        from lrlab.bench import torch_ways as ways
    run = ways.prepare(work, way, inputs)
    for number, _ in enumerate(sys.stdin):
        losses, seconds = timed(run, TURN_SECONDS if number else 0.0)
        if number == 0:
            np.save(Path(path).with_name(f"{way}.npy"), losses)
        print(json.dumps({"seconds": seconds, "peak_rss_bytes": peak_rss()}), file=answers)


def timed(run: Callable[[], np.ndarray], least: float) -> tuple[np.ndarray, float]:
    """What `run` gives, and its mean time over as many runs as take `least` seconds; at least one.

    >>> timed(lambda: np.zeros(2), 0.0)[0].tolist()
    [0.0, 0.0]
    """
    began, runs = time.perf_counter(), 0
    while True:
        result = run()
        runs, passed = runs + 1, time.perf_counter() - began
        if passed >= least:
            return result, passed / runs


def peak_rss() -> int:
    """The most memory in bytes that this process had resident; 0 where the system does not say."""
    try:  # getrusage would answer with the parent's peak where that was larger
        status = Path("/proc/self/status").read_text("utf-8", "replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        if resource is None:
            return 0
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return usage * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
