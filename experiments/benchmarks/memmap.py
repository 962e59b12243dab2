"""Does training from a file of 2 GB take more memory than from a small array?

Hypothesis: a memory-mapped file is never held as a whole: the most anonymous memory (`RssAnon`,
Linux) is at most 300 MiB above that of an array of 20 MB, in the run's dtype or another.
Command: python experiments/benchmarks/memmap.py [--gib 2] [--dtypes float32 float16]
Cost: about 3 minutes on 2 CPU cores, and the file's room where temporary files go.
Result: 48 MiB above in float32, 93 MiB in float16; README.md beside this file.

Each way is a process of its own: two lanes of an MLP, 60 updates with batches of 128, recorded in a
run folder, evaluated on 2,000 examples (with `--valid` on the file itself).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
from anonymous import watched

import lrlab

FEATURES, SMALL, ROWS = 784, 6500, 20_000


class Net(nn.Module):
    """One hidden layer."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(10)(nn.relu(nn.Dense(128)(x)))


def write(place: Path, dtype: str, gib: float) -> None:
    """Normal numbers of so many GiB."""
    count = int(gib * 2**30 / (FEATURES * np.dtype(dtype).itemsize))
    array = np.lib.format.open_memmap(place, "w+", dtype=dtype, shape=(count, FEATURES))
    random = np.random.default_rng(0)
    for first in range(0, count, ROWS):
        rows = array[first : first + ROWS]
        rows[:] = random.standard_normal(rows.shape, np.float32)
    array.flush()


def measure(place: Path, valid: bool) -> None:
    """Prints the most memory in MiB, of a file or, where there is none, of a small array."""
    with watched() as most:
        if place.exists():
            x = np.load(place, mmap_mode="r")
        else:
            x = np.random.default_rng(0).standard_normal((SMALL, FEATURES), np.float32)
        train = x, np.arange(len(x)) % 10
        held = train if valid else (np.asarray(x[:2000], np.float32), train[1][:2000])
        task = lrlab.Task.supervised(
            model=Net(), loss="softmax_cross_entropy", train=train, valid=held
        )
        lrlab.sweep(
            task, lr=[0.01, 0.1], seeds=1, steps=60, batch_size=128, eval_every=60,
            out=place.with_suffix(".run"), progress=False,
        )  # fmt: skip
    print(most())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=2.0, help="size of the file")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float16"], help="of the file")
    parser.add_argument("--valid", action="store_true", help="validate on the file too")
    parser.add_argument("--file", type=Path, help="measure this one in this process")
    given = parser.parse_args()
    if given.file:
        measure(given.file, given.valid)
        return
    base = 0.0
    print(f"{'way':<16} {'most MiB':>9} {'above':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for way in ("array", *given.dtypes):
            place = Path(folder) / f"{way}.npy"
            if way != "array":
                write(place, way, given.gib)
            command = [sys.executable, __file__, f"--file={place}"]
            command += ["--valid"] if given.valid else []
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            most = float(done.stdout.split()[-1])
            base = base or most
            print(f"{way:<16} {most:9.0f} {most - base:6.0f}", flush=True)
            place.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
