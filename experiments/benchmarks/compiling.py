"""The share of compiling in `lrlab find` on six configurations: cold, and with a warm cache.

Hypothesis: with an empty cache, compiling is most of a short search and little of one that trains
a convolutional net; with a warm one, tracing and loading take less than a fifth of any.
Command: `python experiments/benchmarks/compiling.py` (ten minutes; fashion_mnist needs its files).
Cost: six searches, twice. Result: README.md beside this.

A search's seconds are those from the shell prompt to the prompt. Of the thread that works for it:
"compiled" is XLA's time, "traced" that of tracing and lowering, "loaded" that of reading programs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

CONFIGS = (
    "digits", "learning_rate_table", "deeper", "readout_multiplier", "fashion_mnist_mlp",
    "fashion_mnist_cnn",
)  # fmt: skip

PARTS = ("traced", "compiled", "loaded")


def child(arguments: list[str]) -> None:
    """`lrlab` with these arguments; what its programs took goes to standard error as JSON."""
    from lrlab.cli.app import run
    from lrlab.engine import cache, executables

    spent = dict.fromkeys(PARTS, 0.0) | {"programs": 0}

    def timed(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            before, began = sum(spent[part] for part in PARTS), time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                inside = sum(spent[part] for part in PARTS) - before
                spent[what] += time.perf_counter() - began - inside

        return call

    import jax

    spent_in = {"traced": "_compile", "loaded": "_load_in"}
    for what, name in spent_in.items():
        setattr(executables, name, timed(what, getattr(executables, name)))
    jax.stages.Lowered.compile = timed("compiled", jax.stages.Lowered.compile)
    keep = cache.keep_program

    def kept(name: str, content: bytes) -> Any:
        spent["programs"] += 1
        return keep(name, content)

    cache.keep_program = kept
    status = run(arguments)
    print("\n" + json.dumps(spent), file=sys.stderr)
    sys.exit(status)


def searched(name: str, folder: str) -> dict[str, float]:
    """One search in a process of its own: seconds, and those of the parts."""
    config = str(ROOT / "configs" / f"{name}.toml")
    command = [sys.executable, __file__, "--child", "find", config, "--quiet"]
    began = time.perf_counter()
    there = {**os.environ, "LRLAB_CACHE": f"{folder}/cache", "LRLAB_FIGURES": "none"}
    process = subprocess.run(command, cwd=folder, env=there, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{name}: {process.stderr[-2000:]}")
    return {"search": seconds, **json.loads(process.stderr.splitlines()[-1])}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", action="append", choices=CONFIGS)
    options.add_argument("--turns", type=int, default=3, help="with a warm cache")
    given = options.parse_args()
    print("| config | cache | compiled | search, s | traced, s | compiled, s | loaded, s | share |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for name in given.only or CONFIGS:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            runs = {"cold": [searched(name, folder)]}
            runs["warm"] = [searched(name, folder) for _ in range(given.turns)]
        for state, rows in runs.items():
            mid = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
            share = statistics.median(sum(row[k] for k in PARTS) / row["search"] for row in rows)
            seconds = " | ".join(f"{mid[key]:.2f}" for key in ("search", *PARTS))
            print(f"| {name} | {state} | {mid['programs']:.0f} | {seconds} | {share:.0%} |")


if __name__ == "__main__":
    main()
