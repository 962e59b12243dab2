"""How long until a rate within 1 % regret is known, from the shell prompt on?

Hypothesis: `lrlab find` knows one 20 times as early as an Optuna study of PyTorch runs.
Command: pip install -r experiments/peers.txt, in an environment of its own, and then
python experiments/benchmarks/to_a_rate.py --peers PYTHON [--turns 3]
Cost: 8 minutes a turn on one core of a busy machine.
Result: not 20 times: one turn, on a busy machine, is in README.md beside this file.

The problem is that of configs/digits.toml. Each turn of each way is a process of its own, in
changing order. A peer says its best rate so far after each trial, and counts from the first one on
that is within 1 % regret, though it does not know that yet; `find` counts when it answers. Regret
is (loss - least) / (loss at the start - least), by the mean over 8 further seeds of 61 rates.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import lrlab

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "configs" / "digits.toml"
PEERS = ("optuna", "hyperoptax")
ENOUGH = 0.01
"""Regret that is good enough: find's own tolerance."""


class Turn(NamedTuple):
    """A process: seconds until a good rate was known (None: never), until its end, the regret of
    its last rate, and after how many trials the good one came."""

    good: float | None
    end: float
    regret: float
    trials: int


def truth(folder: Path):
    """The regret as a function of the rate; writes the arrays that peers train on."""
    task = lrlab.tasks.load("digits-mlp", width=64)
    (x, y), (vx, vy) = (task.data[split] for split in ("train", "valid"))
    np.savez(folder / "digits.npz", x=x, y=y, vx=vx, vy=vy)
    grid = np.geomspace(1e-4, 10, 61)
    result = lrlab.sweep(
        task, optimizer="momentum", lr=grid, seeds=list(range(100, 108)), steps=500,
        schedule="cosine", progress=False,
    )  # fmt: skip
    start = np.log(10)  # of ten classes that are still even
    last = np.asarray(result.final["valid_loss"])
    loss = np.minimum(np.where(np.isfinite(last), last, start), start).mean(1)
    regret = (loss - loss.min()) / (start - loss.min())
    return lambda lr: float(np.interp(np.log(lr), np.log(grid), regret))


def find(regret, folder: Path) -> Turn:
    """`lrlab find`, with what it compiled before."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "lrlab", "find", str(CONFIG), "--json", "--quiet",
               "--out", str(folder / f"run-{time.time_ns()}")]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline())
        known = time.perf_counter() - began
    off = regret(answer["lr"])
    return Turn(known if off <= ENOUGH else None, time.perf_counter() - began, off, 0)


def peer(regret, folder: Path, python: str, name: str, root: int, trials: int) -> Turn:
    """A study in an environment of its own."""
    began = time.perf_counter()
    command = [python, str(HERE / "to_a_rate_peers.py"), name, str(folder / "digits.npz"),
               str(root), str(trials)]  # fmt: skip
    good, off, needed = None, float("nan"), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number, line in enumerate(process.stdout, 1):
            off = regret(float(line))
            if good is None and off <= ENOUGH:
                good, needed = time.perf_counter() - began, number
    return Turn(good, time.perf_counter() - began, off, needed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="a Python with experiments/peers.txt")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--trials", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        regret = truth(folder)
        find(regret, folder)  # compiles
        turns: dict[str, list[Turn]] = {way: [] for way in ("find", *PEERS)}
        for number in range(given.turns):
            for way in list(turns)[:: 1 if number % 2 == 0 else -1]:
                if way == "find":
                    turn = find(regret, folder)
                else:
                    turn = peer(regret, folder, given.peers, way, number, given.trials)
                turns[way].append(turn)
                print(way, turn, flush=True)
    for way, done in turns.items():
        goods = [turn.good for turn in done if turn.good is not None]
        known = f"{statistics.median(goods):.1f} s" if goods else "never"
        ends = [round(turn.end, 1) for turn in done]
        print(f"{way}: {known} in {len(goods)} of {len(done)}; ends {ends}")


if __name__ == "__main__":
    main()
