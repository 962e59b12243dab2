"""Does a frozen net cost a sweep of its head more than the same by hand? Time and memory.

Hypothesis: 64 lanes of a frozen net of 20 million parameters with a head of 10 thousand step at
most 1.3 times as long as vmapped heads on one backbone in plain JAX, and take under 1 GiB.
Command: python experiments/benchmarks/frozen.py [--width 2048] [--steps 20] [--turns 3]
Cost: about 2 minutes on 2 CPU cores.
Result: 0.98 times as long, and 493 MiB; README.md beside this file.

Each turn of each way is a process of its own, in changing order. Printed: the fastest turn of each
way (the second call of a process, which compiles nothing), and the most anonymous memory
(`RssAnon`, Linux) of any, weights and data included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from anonymous import watched

import lrlab
from lrlab.types import PyTree

EXAMPLES, BATCH, LANES, CLASSES = 2000, 64, 64, 5
RATES = np.geomspace(1e-4, 1.0, LANES)
WAYS = ("lrlab", "plain")


class Net(nn.Module):
    """Five hidden layers, to be frozen, and a head."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in range(5):
            x = nn.relu(nn.Dense(self.width, name=f"body_{layer}")(x))
        return nn.Dense(CLASSES, name="head")(x)


def ours(net: Net, params: PyTree, x: np.ndarray, y: np.ndarray, steps: int) -> Callable[[], None]:
    """A sweep of the head."""
    task = lrlab.Task.supervised(
        model=net, loss="softmax_cross_entropy", train=(x, y), valid=(x[:BATCH], y[:BATCH]),
        params=params, trainable="head*",
    )  # fmt: skip
    return lambda: lrlab.sweep(
        task, lr=RATES, seeds=1, steps=steps, batch_size=BATCH, optimizer="sgd",
        schedule="constant", eval_every=steps, progress=False,
    )  # fmt: skip


def plain(net: Net, params: PyTree, x: np.ndarray, y: np.ndarray, steps: int) -> Callable[[], None]:
    """The same heads by hand: `jit(scan(vmap(step)))` over them, the backbone shared."""
    body = {name: layer for name, layer in params.items() if name != "head"}
    heads = jax.tree.map(lambda leaf: jnp.stack([leaf] * LANES), params["head"])

    def loss(head: PyTree, body: PyTree, bx: jax.Array, by: jax.Array) -> jax.Array:
        outputs = net.apply({"params": {**body, "head": head}}, bx)
        return optax.softmax_cross_entropy_with_integer_labels(outputs, by).mean()

    def step(
        head: PyTree, lr: jax.Array, body: PyTree, bx: jax.Array, by: jax.Array
    ) -> tuple[PyTree, jax.Array]:
        value, grads = jax.value_and_grad(loss)(head, body, bx, by)
        return jax.tree.map(lambda h, g: h - lr * g, head, grads), value

    lanes = jax.vmap(step, in_axes=(0, 0, None, None, None))

    @jax.jit
    def run(
        heads: PyTree, lr: jax.Array, body: PyTree, x: jax.Array, y: jax.Array, rows: jax.Array
    ) -> PyTree:
        return jax.lax.scan(lambda heads, i: lanes(heads, lr, body, x[i], y[i]), heads, rows)

    rows = np.random.default_rng(1).integers(0, EXAMPLES, (steps, BATCH))
    given = jax.device_put((heads, jnp.asarray(RATES, jnp.float32), body, x, y, rows))
    return lambda: jax.block_until_ready(run(*given))


def measure(way: str, width: int, steps: int) -> None:
    """Prints milliseconds of a step, and the most memory in MiB."""
    lrlab.prepare()
    with watched() as most:
        random, net = np.random.default_rng(0), Net(width)
        x = random.standard_normal((EXAMPLES, width), np.float32)
        y = random.integers(0, CLASSES, EXAMPLES)
        params = jax.tree.map(np.asarray, net.init(jax.random.key(0), x[:1]))["params"]
        run = {"lrlab": ours, "plain": plain}[way](net, params, x, y, steps)
        run()
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
    print(1000 * seconds / steps, most())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=2048, help="units of a hidden layer")
    parser.add_argument("--steps", type=int, default=20, help="updates")
    parser.add_argument("--turns", type=int, default=3, help="processes of each way")
    parser.add_argument("--way", choices=WAYS, help="measure this way in this process")
    given = parser.parse_args()
    if given.way:
        measure(given.way, given.width, given.steps)
        return
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    sizes = [f"--width={given.width}", f"--steps={given.steps}"]
    for turn in range(given.turns):
        for way in WAYS[:: 1 if turn % 2 else -1]:
            command = [sys.executable, __file__, f"--way={way}", *sizes]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[way].append([float(word) for word in done.stdout.split()[-2:]])
    base = min(ms for ms, _ in found["plain"])
    print(f"{'way':<8} {'ms a step':>10} {'/ plain':>8} {'most MiB':>9}")
    for way, turns in found.items():
        best = min(ms for ms, _ in turns)
        most = max(memory for _, memory in turns)
        print(f"{way:<8} {best:10.1f} {best / base:8.2f} {most:9.0f}")


if __name__ == "__main__":
    main()
