"""A disk that fills up, and memory over very many segments."""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from soak_runs import CONFIG, Worker, apart, config_for, numbers


def disk(rounds: int, seed: int, seconds: float) -> Counter[str]:
    """A file system of 1 MiB (or less) that fills up while a run writes; then it gets room.

    Needs the right to mount a tmpfs; otherwise the largest file is limited (RLIMIT_FSIZE), at which
    writing fails in the same places.
    """
    rng, counted, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as root:
        place = Path(root)
        worker = Worker(place)
        config = config_for("sweep", place)
        alone = place / "alone"
        for _ in range(2):
            shutil.rmtree(alone, ignore_errors=True)
            assert worker.run("sweep", str(config), "--out", str(alone)).status == 0
        whole = numbers(alone)
        size = sum(path.stat().st_size for path in alone.rglob("*") if path.is_file())
        small = place / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
        counted["tmpfs" if mounted else "not mounted"] = 1
        while counted["rounds"] < rounds and time.monotonic() < end and mounted:
            room = int(rng.uniform(0.2, 4.0) * size)
            resized = f"remount,size={max(4096, room)}"
            subprocess.run(["mount", "-o", resized, str(small)], check=True)
            run = small / "run"
            worker.errors.write_text("")
            status = worker.run("sweep", str(config), "--out", str(run)).status
            told = worker.errors.read_text()
            counted["rounds"] += 1
            counted["status 0" if status == 0 else f"status {status}"] += 1
            if status != 0:
                clear = "space" in told and "Traceback" not in told
                counted["told clearly" if clear and status in (2, 3) else "told badly"] += 1
                if not (clear and status in (2, 3)):
                    print(status, told[-600:], flush=True)
                subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
                there = (run / "run.json").exists()
                again = ("resume", str(run)) if there else ("sweep", str(config), "--out", str(run))
                status = worker.run(*again).status
            first = apart(whole, numbers(run)) if status == 0 else f"status {status}"
            counted["identical" if not first else "different"] += 1
            if first:
                print(room, first, worker.errors.read_text()[-600:], flush=True)
            shutil.rmtree(run, ignore_errors=True)
        if mounted:
            subprocess.run(["umount", str(small)], check=True)
        worker.close()
    return counted


def endure(segments: int, minutes: float) -> Counter[str]:
    """One sweep of very many segments in one process: resident memory at a quarter and at the end.

    The rows of the whole run are allocated at its start, and history chunks are of one size, so
    nothing may grow.
    """
    from lrlab import api, config
    from lrlab.core.errors import Interrupted
    from lrlab.training.progress import Control

    counted: Counter[str] = Counter()
    memory: list[tuple[int, int]] = []
    end = time.monotonic() + 60 * minutes

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() >> 10

    def look() -> bool:
        counted["segments"] += 1
        if counted["segments"] % 100 == 0:
            memory.append((counted["segments"], resident()))
        return time.monotonic() > end

    control = Control(commit_every=0.25, stop=look)
    with tempfile.TemporaryDirectory() as root:
        text = CONFIG.replace("steps = 240", f"steps = {6 * segments}").replace(
            "eval_every = 12", "eval_every = 600"
        )
        path = Path(root) / "endure.toml"
        path.write_text(text + "lr = [0.001, 0.01, 0.1]\n")
        experiment = config.load(path, command="sweep")
        try:
            out = str(Path(root) / "run")
            api.run("sweep", experiment, out=out, progress=False, control=control)
        except Interrupted:
            pass
    settled = [kib for number, kib in memory if number >= counted["segments"] // 4]
    for number, kib in memory[:: max(1, len(memory) // 12)]:
        print(f"{number:>8,} segments: {kib / 1024:.1f} MiB resident", flush=True)
    if settled:
        half = len(settled) // 2
        first, last = np.median(settled[:half]), np.median(settled[half:])
        counted["permille grown"] = round(1000 * (last - first) / first)
        print(
            f"median of the second quarter on: {first / 1024:.1f} MiB, then {last / 1024:.1f} MiB"
        )
    return counted
