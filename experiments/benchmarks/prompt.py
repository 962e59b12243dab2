"""From the shell prompt to an answer: `lrlab find configs/digits.toml`, how long it takes.

Hypothesis: with a warm cache it takes at most 2.5 times as long as two processes
`python -c "import jax"`, one after the other.
Command: `python experiments/benchmarks/prompt.py` (two minutes). Result:
README.md beside this; where the time goes: `stages.py`.

The process that draws the figures when the prompt is back counts for nobody: it is waited for.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "digits.toml"
JAX = [sys.executable, "-c", "import jax"]
FIND = [sys.executable, "-m", "lrlab", "find", str(CONFIG)]

PAUSE = 12.0
"""Seconds in which the figures of the run before are drawn."""


def timed(command: list[str], folder: str) -> tuple[float, float]:
    """Seconds by the clock and by the processor of a process whose output is read to its end."""
    began, before = time.perf_counter(), os.times()
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    after = os.times()
    processor = after.children_user + after.children_system
    return time.perf_counter() - began, processor - before.children_user - before.children_system


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--turns", type=int, default=5)
    given = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        timed(FIND, folder)  # fills the caches
        for _ in range(given.turns):
            jax = [timed(JAX, folder), timed(JAX, folder)]
            rows.append((*map(sum, zip(*jax, strict=True)), *timed(FIND, folder)))
            time.sleep(PAUSE)
    for name, two, find in (("clock", 0, 2), ("processor", 1, 3)):
        ratios = [row[find] / row[two] for row in rows]
        columns = [statistics.median(row[place] for row in rows) for place in (two, find)]
        print(
            f"{name}: two imports {columns[0]:.2f} s, find {columns[1]:.2f} s; ratio: median "
            f"{statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"
        )


if __name__ == "__main__":
    main()
