"""Does a model of a library's own layers train as fast as one of lrlab's? One core, short turns.

Hypothesis: with layers of Linen, NNX, Equinox, Haiku and plain JAX, and with cross-entropies as
people write them, a sweep takes at most 1/0.95 of the time that it takes with lrlab's own model.
Command: taskset -c 0 python experiments/benchmarks/stock.py WORKLOAD WAY,WAY,... [--turns 7]
[--lanes N] [--steps N]
Cost: a minute or two of a core, most of it compiling.
Result: README.md beside this file.

A way is `own`, `linen`, `nnx`, `equinox`, `haiku` (MLPs) or `plain`; `linen+optax`, `+onehot` and
`+chosen` have a loss of one's own; `linen:2` has tiles of two lanes, `linen:2:off` is not
rewritten. Printed: processor seconds of a sweep, the median over the turns and the least, and the
speed relative to the first way's, the median over the turns and of the least.
"""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrlab
from lrlab.bench import inputs
from lrlab.bench.workloads import Arrays, Workload, workload
from lrlab.types import Array

LOSSES: dict[str, str | Callable[[Array, Array], Array]] = {
    "": "softmax_cross_entropy",
    "optax": optax.softmax_cross_entropy_with_integer_labels,
    "onehot": lambda z, t: -(jax.nn.log_softmax(z) * jax.nn.one_hot(t, z.shape[-1])).sum(-1),
    "chosen": lambda z, t: -jnp.take_along_axis(jax.nn.log_softmax(z), t[..., None], -1)[..., 0],
}


def haiku(work: Workload, outputs: int) -> lrlab.Model:
    """An MLP of Haiku's layers, which draws its own parameters."""
    hk = importlib.import_module("haiku")

    def forward(x: Array) -> Array:
        for width in work.model["width"]:
            x = jax.nn.relu(hk.Linear(width)(x))
        return hk.Linear(outputs)(x)

    net = hk.without_apply_rng(hk.transform(forward))
    return lrlab.Model(
        lambda key, x: net.init(key, x),
        lambda params, x, train, key: (net.apply(params, x), params),
    )


def run_of(work: Workload, arrays: Arrays, way: str) -> Callable[[], lrlab.Plan]:
    """A way's sweep; gives its plan."""
    name, *options = way.split(":")
    library, _, loss = name.partition("+")
    x, y, params = arrays["x"], arrays["y"], None
    if library == "own":
        model = inputs.lrlab_model(work, "auto", y)
    elif library == "haiku":
        model = haiku(work, inputs.outputs_of(work, y))
    else:
        model, params = inputs.stock_model(work, library, arrays)
    few = slice(0, work.batch_size)
    task = lrlab.Task.supervised(
        name=work.name, model=model, params=params, loss=LOSSES[loss], train=(x, y),
        valid=(x[few], y[few]), metrics=(),
    )  # fmt: skip
    widths = [int(option) for option in options if option != "off"]
    plan = lrlab.Plan(*widths, rewrite=False if "off" in options else None)
    return lambda: lrlab.sweep(
        task, optimizer=work.optimizer, lr=arrays["lr"], seeds=1, schedule="constant",
        steps=work.steps, batch_size=work.batch_size, eval_every=work.steps, progress=False,
        plan=plan,
    ).plan  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("ways")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--lanes", type=int)
    parser.add_argument("--steps", type=int)
    given = parser.parse_args()
    work = workload(given.workload)
    work = work._replace(lanes=given.lanes or work.lanes, steps=given.steps or work.steps)
    lrlab.prepare()
    with tempfile.TemporaryDirectory() as folder:
        inputs.make(work, Path(folder) / "inputs.npz")
        with np.load(Path(folder) / "inputs.npz") as held:
            arrays = dict(held)
    ways = {way: run_of(work, arrays, way) for way in given.ways.split(",")}
    widths = {way: run().tile_width for way, run in ways.items()}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(given.turns):
        for way in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            began = time.process_time()
            ways[way]()
            times[way].append(time.process_time() - began)
    first = np.array(times[next(iter(ways))])
    for way, seconds in times.items():
        taken = np.array(seconds)
        print(f"{way:16s} width {widths[way]}: {np.median(taken):.3f} s, least {taken.min():.3f};"
              f" speed {np.median(first / taken):.3f} {first.min() / taken.min():.3f}")  # fmt: skip
    print("load", os.getloadavg())


if __name__ == "__main__":
    main()
