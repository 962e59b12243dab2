"""What data that stream cost beside the same data in memory: 64 lanes of an MLP.

Command: python experiments/benchmarks/streams.py [--features 64] [--turns 4]

Every way trains the same lanes (64 rates, one seed, batches of 128, 500 updates), turn by turn in
changing order; the first turn compiles and does not count. Printed: the fastest turn of each way,
in seconds of wall and of processor time, and over that of memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np

import lrlab

EXAMPLES, BATCH = 60_000, 128


class Net(nn.Module):
    """Two hidden layers of 128."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for _ in range(2):
            x = nn.relu(nn.Dense(128)(x))
        return nn.Dense(10)(x)


def tasks(features: int, folder: Path) -> dict[str, lrlab.Task]:
    """The same examples in memory, in a file, and from a generator that shuffles them."""
    random = np.random.default_rng(0)
    x = random.standard_normal((EXAMPLES, features), np.float32)
    y = np.arange(EXAMPLES) % 10
    np.save(folder / "x.npy", x)
    mapped = np.load(folder / "x.npy", mmap_mode="r")

    def batches(seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        own = np.random.default_rng(seed)
        while True:
            order = own.permutation(EXAMPLES)
            for first in range(0, EXAMPLES - BATCH + 1, BATCH):
                rows = order[first : first + BATCH]
                yield x[rows], y[rows]

    ways = {
        "memory": (x, y),
        "memmap": lrlab.data.stream((mapped, y)),
        "generator": lrlab.data.stream(batches),
    }
    valid = x[:1000], y[:1000]
    loss = "softmax_cross_entropy"
    return {
        name: lrlab.Task.supervised(model=Net(), loss=loss, train=train, valid=valid)
        for name, train in ways.items()
    }


def seconds(task: lrlab.Task) -> tuple[float, float]:
    """Wall and processor time of one sweep."""
    wall, processor = time.perf_counter(), time.process_time()
    lrlab.sweep(
        task, lr=lrlab.log_grid(1e-4, 0.3, 64), seeds=1, steps=500, batch_size=BATCH,
        eval_every=250, progress=False,
    )  # fmt: skip
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=64, help="numbers of an example")
    parser.add_argument("--turns", type=int, default=4, help="turns, with the one that compiles")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ways = tasks(given.features, Path(folder))
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        names = list(ways)
        for turn in range(given.turns):
            for name in names[turn % 3 :] + names[: turn % 3]:
                times[name].append(seconds(ways[name]))
    best = {name: np.min(turns[1:], axis=0) for name, turns in times.items()}
    print(f"{'way':<10} {'wall, s':>8} {'/ memory':>8} {'processor, s':>13} {'/ memory':>8}")
    for name, (wall, processor) in best.items():
        ratios = best[name] / best["memory"]
        print(f"{name:<10} {wall:8.1f} {ratios[0]:8.2f} {processor:13.1f} {ratios[1]:8.2f}")


if __name__ == "__main__":
    main()
