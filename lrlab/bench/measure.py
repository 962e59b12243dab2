"""The measurement: every way in its own process, turn by turn, medians."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrlab.bench import inputs
from lrlab.bench.workloads import JAX_WAYS, Arrays, Workload
from lrlab.core.text import JsonObject

LONG_SECONDS = 60.0
"""A way whose first call takes longer is not called again: compiling is then a small share."""

LIMIT_SECONDS = 400.0
"""A call that takes longer is ended, and its way said to take at least this long."""

Say = Callable[[str], None]


class Worker(NamedTuple):
    """A running process of `lrlab.bench.worker`."""

    process: subprocess.Popen[str]

    def call(self) -> JsonObject | None:
        """One run; None where the process died (out of memory, a missing library).

        Raises:
            TimeoutError: after `LIMIT_SECONDS`.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self.process.kill()

        # Windows waits for no pipe with a limit of time.
        timer = threading.Timer(LIMIT_SECONDS, end)
        timer.start()
        try:
            print("run", file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except OSError:  # a broken pipe
            line = ""
        finally:
            timer.cancel()
            timer.join()
        if late.is_set():
            raise TimeoutError
        return json.loads(line) if line else None


@contextlib.contextmanager
def worker(
    work: str, way: str, arrays: Path, cores: int, python: str, log: Path
) -> Iterator[Worker]:
    """The process of a way, which reads the file `arrays`; its standard error goes to `log`."""
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    # An empty cache folder: the first call compiles, for lrlab as for everyone.
    environment = {**os.environ, "PYTHONPATH": path, "LRLAB_CACHE": str(arrays.parent / "cache")}
    command = [python, "-m", "lrlab.bench.worker", work, way, str(arrays), str(cores)]
    with open(log, "a", encoding="utf-8") as errors:
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
                    with contextlib.suppress(OSError):
                        pipe.close()


class Measured(NamedTuple):
    """What the calls of one way took, in seconds: the first one, which compiles, and the others."""

    first: float
    times: list[float]
    peak_rss_bytes: int
    ended: bool = False
    """Whether a call was ended after `LIMIT_SECONDS`."""


def measure(
    work: Workload,
    ways: Sequence[str],
    *,
    repeats: int,
    cores: int,
    torch: str | None,
    flops: Callable[[Workload, Arrays], float | None],
    say: Say,
) -> JsonObject:
    """One workload: {name, data, peak_gflops, ways: [...]}, each way as in the bench's JSON.

    The ways take turns, so that a slow minute of the machine touches all of them; `ratio` is the
    median over the turns of a way's time over lrlab's in that turn, `peak_share` that of the speed
    over the machine's. `same`: its losses agree with lrlab's (see `agreement`).
    """
    with tempfile.TemporaryDirectory(prefix="lrlab-bench-") as folder, contextlib.ExitStack() as on:
        path, log = Path(folder) / "inputs.npz", Path(folder) / "log"
        about = inputs.make(work, path)
        python = {way: sys.executable if way in JAX_WAYS else torch for way in ways}
        running = {
            way: on.enter_context(worker(work.name, way, path, cores, command, log))
            for way, command in python.items()
            if command is not None
        }
        matrix = on.enter_context(worker(work.name, "peak", path, cores, sys.executable, log))
        results, peaks = _turns(work.name, running, matrix, repeats, log, say)
        losses = {
            way: np.load(path.with_name(f"{way}.npy"))
            for way, result in results.items()
            if not result.ended
        }
        with np.load(path) as arrays:
            per_step = flops(work, arrays)
    peak = statistics.median(peaks) if peaks else None
    operations = None if per_step is None else per_step * work.steps * work.lanes / 1e9
    rows = [_row(way, results, losses, operations, peaks) for way in results]
    return {"name": work.name, "data": about, "lanes": work.lanes, "steps": work.steps,
            "peak_gflops": peak, "ways": rows}  # fmt: skip


def _turns(
    name: str,
    running: Mapping[str, Worker],
    matrix: Worker,
    repeats: int,
    log: Path,
    say: Say,
) -> tuple[dict[str, Measured], list[float]]:
    """Every way's times over one first and `repeats` further turns, without the ways that stopped;
    and the machine's peak at each of the latter, GFLOP/s."""
    results: dict[str, Measured] = {}
    peaks: list[float] = []
    left = list(running)
    for turn in range(repeats + 1):
        answer = matrix.call()
        peaks += [answer["gflops"]] if answer and turn else []
        # Every other turn backwards: nobody is always the one after the slowest.
        for way in left[:: 1 if turn % 2 == 0 else -1]:
            if turn and (results[way].ended or results[way].first > LONG_SECONDS):
                continue
            try:
                answer = running[way].call()
            except TimeoutError:
                say(f"{name}: {way} was ended after {LIMIT_SECONDS:.0f} s")
                results[way] = Measured(LIMIT_SECONDS, [LIMIT_SECONDS], 0, ended=True)
                running[way].process.kill()
                continue
            if answer is None:
                lines = [
                    line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()
                ]
                say(f"{name}: {way} stopped: {lines[-1] if lines else 'no message'}")
                results.pop(way, None)
                left.remove(way)
                continue
            seconds, memory = answer["seconds"], answer["peak_rss_bytes"]
            say(f"{name}: {way} {'first call' if turn == 0 else turn} {seconds:.3f} s")
            if turn == 0:
                results[way] = Measured(seconds, [], memory)
            if turn or seconds > LONG_SECONDS:
                times = [*results[way].times, seconds]
                results[way] = results[way]._replace(times=times, peak_rss_bytes=memory)
    return {way: results[way] for way in left}, peaks


def _row(
    way: str,
    results: Mapping[str, Measured],
    losses: Mapping[str, np.ndarray],
    operations: float | None,
    peaks: Sequence[float],
) -> JsonObject:
    """A way in the bench's JSON; `operations`: 1e9 of them in a call, `peaks`: GFLOP/s by turn."""
    result = results[way]
    steady = statistics.median(result.times)
    counted = operations is not None and not result.ended and way != "half-diverging"
    gflops = operations / steady if counted and operations is not None else None
    both = "lrlab" in losses and way in losses
    ratios = by_turn(result.times, results["lrlab"].times) if "lrlab" in results else None
    # The seconds that this way would take if it ran at the peak of each turn.
    ideal = None if gflops is None or not peaks else [gflops * steady / peak for peak in peaks]
    return {
        "name": way,
        "first_s": result.first,
        "steady_s": steady,
        "runs": 0 if result.ended else len(result.times),
        "at_least": result.ended,
        "spread_s": [min(result.times), max(result.times)],
        "gflops": gflops,
        "peak_share": statistics.median(by_turn(ideal, result.times)) if ideal else None,
        "peak_rss_bytes": result.peak_rss_bytes,
        "ratio": statistics.median(ratios) if ratios else None,
        "ratio_spread": [min(ratios), max(ratios)] if ratios else None,
        "same": agreement(losses["lrlab"], losses[way]) if both else None,
    }


def by_turn(times: Sequence[float], others: Sequence[float]) -> list[float]:
    """The ratios within each turn, which a machine that others slow down for a while leaves alone;
    of the medians where the two did not take part in the same turns.

    >>> by_turn([2.0, 8.0, 2.0], [1.0, 4.0, 1.0])
    [2.0, 2.0, 2.0]
    """
    if len(times) == len(others):
        return [a / b for a, b in zip(times, others, strict=True)]
    return [statistics.median(times) / statistics.median(others)]


def agreement(ours: np.ndarray, theirs: np.ndarray) -> JsonObject:
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
