"""The measurement: every way in its own process, turn by turn, medians."""

from __future__ import annotations

import contextlib
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lrlab.bench.workloads import JAX_WAYS, Workload

LONG_SECONDS = 60.0
"""A way whose first call takes longer is not called again: compiling is then a small share."""

LIMIT_SECONDS = 400.0
"""A call that takes longer is ended, and its way said to take at least this long."""

Say = Callable[[str], None]


class Worker(NamedTuple):
    """A running process of `lrlab.bench.worker`."""

    process: subprocess.Popen[str]

    def call(self) -> dict[str, Any] | None:
        """One run; None where the process died (out of memory, a missing library).

        Raises:
            TimeoutError: after `LIMIT_SECONDS`.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            print("run", file=self.process.stdin, flush=True)
            if not select.select([self.process.stdout], [], [], LIMIT_SECONDS)[0]:
                raise TimeoutError
            line = self.process.stdout.readline()
        except BrokenPipeError:
            return None
        return json.loads(line) if line else None


@contextlib.contextmanager
def worker(
    work: str, way: str, inputs: Path, cores: int, python: str, log: Path
) -> Iterator[Worker]:
    """The process of a way; its standard error goes to `log`."""
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    # An empty cache folder: the first call compiles, for lrlab as for everyone.
    environment = {**os.environ, "PYTHONPATH": path, "LRLAB_CACHE": str(inputs.parent / "cache")}
    command = [python, "-m", "lrlab.bench.worker", work, way, str(inputs), str(cores)]
    with open(log, "a") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )
        try:
            yield Worker(process)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


def measure(
    work: Workload,
    ways: Sequence[str],
    *,
    repeats: int,
    cores: int,
    torch: str | None,
    flops: Callable[[Workload, Any], float | None],
    say: Say,
) -> dict[str, Any]:
    """One workload: {name, data, peak_gflops, ways: [...]}, each way as in the bench's JSON.

    The ways take turns, so that a slow minute of the machine touches all of them; `ratio` is a
    way's time over lrlab's. `same`: its losses agree with lrlab's (see `agreement`).
    """
    from lrlab.bench import inputs as made

    with tempfile.TemporaryDirectory(prefix="lrlab-bench-") as folder, contextlib.ExitStack() as on:
        path, log = Path(folder) / "inputs.npz", Path(folder) / "log"
        about = made.make(work, path)
        python = {way: sys.executable if way in JAX_WAYS else torch for way in ways}
        running = {
            way: on.enter_context(worker(work.name, way, path, cores, command, log))
            for way, command in python.items()
            if command is not None
        }
        matrix = on.enter_context(worker(work.name, "peak", path, cores, sys.executable, log))
        peaks: list[float] = []
        first: dict[str, float] = {}
        times: dict[str, list[float]] = {way: [] for way in running}
        memory: dict[str, int] = {}
        ended: set[str] = set()
        for turn in range(repeats + 1):
            answer = matrix.call()
            peaks += [answer["gflops"]] if answer and turn else []
            # Every other turn backwards: nobody is always the one after the slowest.
            order = list(running)[:: 1 if turn % 2 == 0 else -1]
            for way in order:
                if way in ended or turn and first[way] > LONG_SECONDS:
                    continue
                try:
                    answer = running[way].call()
                except TimeoutError:
                    say(f"{work.name}: {way} was ended after {LIMIT_SECONDS:.0f} s")
                    first[way], times[way], memory[way] = LIMIT_SECONDS, [LIMIT_SECONDS], 0
                    ended.add(way)
                    running[way].process.kill()
                    continue
                if answer is None:
                    lines = [line for line in log.read_text().splitlines() if line.strip()]
                    say(f"{work.name}: {way} stopped: {lines[-1] if lines else 'no message'}")
                    running.pop(way)
                    continue
                say(f"{work.name}: {way} {'first call' if turn == 0 else turn}"
                    f" {answer['seconds']:.3f} s")  # fmt: skip
                memory[way] = answer["peak_rss_bytes"]
                if turn == 0:
                    first[way] = answer["seconds"]
                if turn or first[way] > LONG_SECONDS:
                    times[way].append(answer["seconds"])
        losses = {way: np.load(path.with_name(f"{way}.npy")) for way in running if way not in ended}
        with np.load(path) as arrays:
            per_step = flops(work, arrays)
    peak = statistics.median(peaks) if peaks else None
    steady = {way: statistics.median(times[way]) for way in running}
    rows = []
    for way in running:
        counted = None if way in ended or way == "half-diverging" else per_step
        work_done = None if counted is None else counted * work.steps * work.lanes / 1e9
        gflops = None if work_done is None else work_done / steady[way]
        rows.append(
            {
                "name": way,
                "first_s": first[way],
                "steady_s": steady[way],
                "runs": 0 if way in ended else len(times[way]),
                "at_least": way in ended,
                "spread_s": [min(times[way]), max(times[way])],
                "gflops": gflops,
                "peak_share": gflops / peak if gflops and peak else None,
                "peak_rss_bytes": memory[way],
                "ratio": steady[way] / steady["lrlab"] if "lrlab" in steady else None,
                "same": agreement(losses["lrlab"], losses[way])
                if "lrlab" in losses and way in losses
                else None,
            }
        )
    return {"name": work.name, "data": about, "lanes": work.lanes, "steps": work.steps,
            "peak_gflops": peak, "ways": rows}  # fmt: skip


def agreement(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """How two ways' losses [steps, lanes] compare.

    `early`: the largest relative difference over the first two steps, which hold the weights, the
    batches and one update; `final`: the median over lanes of that over the last tenth of the steps.
    Rounding differs, and lanes near or beyond the edge of stability amplify it without bound; a way
    that did less would differ from the start or in the middle lane. `passed`: early below 1e-4 and
    final below 0.05, over lanes where both stay finite.

    >>> agreement(np.ones((20, 2)), np.ones((20, 2)))["passed"]
    True
    """
    tail = max(1, len(ours) // 10)
    finite = np.isfinite(ours).all(0) & np.isfinite(theirs).all(0)
    if ours.shape != theirs.shape or not finite.any():
        return {"early": None, "final": None, "passed": False}
    a, b = ours[:, finite].astype(float), theirs[:, finite].astype(float)
    early = float((np.abs(a - b) / np.maximum(np.abs(a), 1e-3))[:2].max())
    ends = np.abs(a[-tail:].mean(0) - b[-tail:].mean(0)) / np.maximum(a[-tail:].mean(0), 1e-3)
    final = float(np.median(ends))
    return {"early": early, "final": final, "passed": early < 1e-4 and final < 0.05}
