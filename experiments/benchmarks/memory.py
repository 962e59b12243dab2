"""What memory a process has before, in and after a sweep of about 1.5 GB, and after `lrlab.free()`.

Hypothesis: two seconds after the sweep at most 300 MB more than before it.
Command: `python experiments/benchmarks/memory.py` (a minute). Result: README.md beside this.

Each case is a process of its own: many lanes of a wide MLP (states), a step that needs much at once
(temporaries), and data of 500 MB in memory (data), which belong to the task and stay with it.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time

import numpy as np

import lrlab

SECONDS = 2.0
"""How long after the end memory is looked at."""


def resident() -> int:
    """MB that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1_000_000


def states() -> object:
    """32 lanes of 5.8 million parameters with momentum: 1.5 GB."""
    x, y = np.ones((256, 784), np.float32), np.arange(256) % 10
    model = lrlab.models.make("mlp", num_outputs=10, width=[2048, 2048])
    task = lrlab.Task.supervised(
        name="wide", model=model, loss="softmax_cross_entropy", train=(x, y), valid=(x, y)
    )
    return lrlab.sweep(
        task, lr=np.geomspace(1e-4, 1e-2, 32), optimizer="momentum", steps=4, seeds=1,
        batch_size=16, eval_every=4, progress=False,
    )  # fmt: skip


def temporaries() -> object:
    """One lane whose step holds arrays of 360 MB."""
    import jax.numpy as jnp

    def loss(params, key):
        return jnp.sin(params["w"][:, None] * jnp.arange(90_000.0)).cumsum(1).mean()

    task = lrlab.Task.objective(name="tall", init=lambda key: {"w": jnp.ones(1000)}, loss=loss)
    plan = lrlab.Plan(devices=1, tile_width=1)
    return lrlab.sweep(
        task, lr=[0.1], optimizer="sgd", steps=2, seeds=1, eval_every=2, plan=plan,
        schedule="constant", progress=False,
    )  # fmt: skip


def data() -> object:
    """500 MB of examples, as float64 what they are given as, in float32 what is trained on."""
    x, y = np.ones((80_000, 784)), np.arange(80_000) % 10
    return lrlab.sweep(
        lrlab.Task.supervised(
            name="long", model=lrlab.models.make("mlp", num_outputs=10, width=[32]),
            loss="softmax_cross_entropy", train=(x, y), valid=(x[:100], y[:100]),
        ),
        lr=np.geomspace(1e-4, 1e-2, 4), optimizer="momentum", steps=20, seeds=1, batch_size=64,
        progress=False,
    )  # fmt: skip


CASES = {"states": states, "temporaries": temporaries, "data": data}


def main() -> None:
    if len(sys.argv) < 2:
        print("| sweep | before, MB | most | 2 s after | above before | after free |")
        print("|---|---:|---:|---:|---:|---:|", flush=True)
        for name in CASES:
            subprocess.run([sys.executable, __file__, name], check=True)
        return
    name = sys.argv[1]
    # What every process that trains has: the libraries, and XLA's.
    lrlab.sweep("wine-linear", lr=[0.1], steps=5, seeds=1, batch_size=16, progress=False)
    before = resident()
    result = CASES[name]()
    time.sleep(SECONDS)
    after, most = resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    del result
    gc.collect()
    lrlab.free()
    rows = (before, most, after, after - before, resident())
    print(f"| {name} | {' | '.join(f'{value:,}' for value in rows)} |", flush=True)


if __name__ == "__main__":
    main()
