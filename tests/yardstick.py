"""How fast this machine is for what the tests do: a fixed program, in two processes at once.

    python tests/yardstick.py

It compiles and trains small networks in plain JAX and Optax and handles text in plain Python, in
about the shares that the tests have; nothing of lrlab is in it, so that it stays what it is. The
suite's time divided by this one's is nearly the same on every machine (`CONTRIBUTING.md` has both).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

PROCESSES = 2
PROGRAMS = 8
STEPS = 200
TEXTS = 20_000


def networks() -> float:
    """Trains `PROGRAMS` networks, each a program of its own; the sum of their last losses."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    draw = np.random.default_rng(0)
    x = draw.normal(size=(64, 12)).astype(np.float32)
    y = (x @ draw.normal(size=(12, 4))).argmax(1)
    x, y = jnp.asarray(x), jnp.asarray(y)
    total = 0.0
    for width in range(16, 16 + PROGRAMS):

        def loss(params, rows):
            outputs = jnp.tanh(x[rows] @ params["a"]) @ params["b"]
            return optax.softmax_cross_entropy_with_integer_labels(outputs, y[rows]).mean()

        def train(rate, width=width, loss=loss):
            tx = optax.adam(rate)
            a, b = jax.random.split(jax.random.key(0))
            params = {"a": jax.random.normal(a, (12, width)) / 4,
                      "b": jax.random.normal(b, (width, 4)) / 4}  # fmt: skip

            def step(carry, rows):
                value, slope = jax.value_and_grad(loss)(carry[0], rows)
                updates, state = tx.update(slope, carry[1], carry[0])
                return (optax.apply_updates(carry[0], updates), state), value

            rows = jnp.asarray(draw.integers(0, 64, (STEPS, 16)))
            return jax.lax.scan(step, (params, tx.init(params)), rows)[1][-1]

        total += float(jax.jit(jax.vmap(train))(jnp.array([1e-3, 1e-2, 1e-1, 1.0])).sum())
    return total


def texts() -> int:
    """Writes and reads `TEXTS` small documents; their length."""
    entry = {"lr": [0.1, 0.01], "task": {"name": "iris", "options": {str(k): k for k in range(30)}}}
    return sum(len(json.loads(json.dumps({**entry, "n": n}))["task"]["options"]) + n % 7
               for n in range(TEXTS))  # fmt: skip


def main() -> None:
    if sys.argv[1:] == ["one"]:
        networks()
        texts()
        return
    began = time.perf_counter()
    command = [sys.executable, __file__, "one"]
    for process in [subprocess.Popen(command) for _ in range(PROCESSES)]:
        if process.wait() != 0:
            sys.exit(f"{' '.join(command)} failed")
    print(f"{time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
