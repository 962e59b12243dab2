"""What durability costs: checkpoints of a sweep, and how soon a second writer is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from soak_runs import CONFIG, OWN

DIGITS = """
task.name = "digits-mlp"
optimizer.name = "momentum"
schedule.name = "cosine"
batch_size = 64
seeds = 4
lr = {{log = [1e-4, 1.0, 16]}}
steps = {steps}
"""


def overhead(rounds: int, seconds: float) -> Counter[str]:
    """A digits sweep of about 30 s with and without a run folder, by turns: the median of each."""
    from lrlab import config
    from lrlab.workflows.job import Job
    from lrlab.workflows.sweep import run_sweep

    counted, end = Counter[str](), time.monotonic() + seconds
    taken: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRLAB_CACHE", str(Path(root) / "cache"))

        def timed(steps: int, kept: bool) -> float:
            path, run = Path(root) / "digits.toml", Path(root) / "run"
            path.write_text(DIGITS.format(steps=steps))
            experiment = config.load(path, command="sweep")
            began = time.perf_counter()
            run_sweep(Job(experiment, out=run if kept else None, record=kept))
            spent = time.perf_counter() - began
            shutil.rmtree(run, ignore_errors=True)
            return spent

        timed(400, True)  # programs are compiled, the tile width is tuned
        steps = int(30 / timed(400, False) * 400)
        while counted["rounds"] < rounds and time.monotonic() < end:
            order = (False, True) if counted["rounds"] % 2 else (True, False)
            for kept in order:
                taken[kept].append(timed(steps, kept))
            counted["rounds"] += 1
            print({k: [round(v, 2) for v in values] for k, values in taken.items()}, flush=True)
    plain, kept = (float(np.median(taken[which])) for which in (False, True))
    print(f"{steps} steps: {plain:.2f} s without a run folder, {kept:.2f} s with it (medians)")
    counted["permille of checkpoints"] = round(1000 * (kept / plain - 1))
    return counted


def writers(rounds: int, seconds: float) -> Counter[str]:
    """Two processes on one folder: how soon the second is refused; and, the first one killed, how
    soon the next holds the lock."""
    counted, end = Counter[str](), time.monotonic() + seconds
    refused, taken = [], []
    with tempfile.TemporaryDirectory() as root:
        run, path = Path(root) / "run", Path(root) / "sweep.toml"
        path.write_text(CONFIG.replace("steps = 240", "steps = 2000000") + OWN["sweep"])
        environment = {**os.environ, "LRLAB_CACHE": str(Path(root) / "cache")}

        def started(*arguments: str) -> subprocess.Popen[str]:
            whole = [sys.executable, "-m", "lrlab.cli", *arguments, "-q"]
            return subprocess.Popen(
                whole, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
            )

        while counted["rounds"] < rounds and time.monotonic() < end:
            first = started("sweep", str(path), "--out", str(run))
            await_(lambda: (run / "commit.json").exists(), first)
            began = time.monotonic()
            second = started("resume", str(run))
            told = second.communicate()[1]
            refused.append(time.monotonic() - began)
            right = second.returncode == 2 and f"process {first.pid}" in told
            counted["refused" if right else "not refused"] += 1
            first.send_signal(signal.SIGKILL)
            first.wait()
            began = time.monotonic()
            third = started("resume", str(run))
            holder = f"process {third.pid} "
            named = run / "lock.holder"
            await_(lambda named=named, holder=holder: named.read_text().startswith(holder), third)
            taken.append(time.monotonic() - began)
            running = json.loads((run / "run.json").read_text())["status"] == "running"
            counted["taken over" if running else "not taken over"] += 1
            third.send_signal(signal.SIGKILL)
            third.wait()
            shutil.rmtree(run)
            counted["rounds"] += 1
    for what, values in (("refused after", refused), ("lock taken over after", taken)):
        print(f"{what} {np.median(values):.2f} s (median), {max(values):.2f} s at most")
    counted["milliseconds until refused, at most"] = round(1000 * max(refused))
    return counted


def await_(what, process: subprocess.Popen[str]) -> None:  # type: ignore[no-untyped-def]
    """Waits until something is so, as long as a process lives."""
    while not what():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
