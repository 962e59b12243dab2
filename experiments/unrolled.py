"""Training as one differentiable function of its learning rates; used by two experiments.

Built from lrlab's own pieces: the task's functions, the seeds' weights, the shuffled batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrlab
from lrlab.data.batches import Batches, segment_indices


def final_loss(
    task: lrlab.Task, steps: int, batch: int, seeds: list[int], momentum: float = 0.0
) -> Callable[[Any], Any]:
    """`rates f[steps] -> mean validation loss after training`, a scalar, over the seeds.

    SGD, or heavy ball. Differentiable in every rate: reverse mode through all updates, each of them
    computed again on the way back, so that memory holds one set of weights per step.
    """
    functions, train = task.functions, jax.tree.map(jnp.asarray, task.data["train"])
    batches = Batches(task.num_examples, batch, False)
    rows = np.stack([segment_indices(batches, seed, 0, steps) for seed in seeds])
    keys = [lrlab.rng.key(seed, "init") for seed in seeds]
    example = jax.tree.map(lambda leaf: leaf[:1], train)
    starts = [functions.init(key, example) for key in keys]
    params, state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    noise = lrlab.rng.key(0, "noise")

    def run(rates: Any, params: Any, state: Any, rows: Any) -> Any:
        trace = optax.trace(momentum) if momentum else optax.identity()

        @jax.checkpoint
        def update(carry: Any, step: Any) -> Any:
            params, memory = carry
            rate, index = step
            part = jax.tree.map(lambda leaf: leaf[index], train)
            grads = jax.grad(lambda p: functions.loss(p, state, part, noise)[0])(params)
            moves, memory = trace.update(grads, memory)
            return (jax.tree.map(lambda p, m: p - rate * m, params, moves), memory), None

        (params, _), _ = jax.lax.scan(update, (params, trace.init(params)), (rates, rows))
        return functions.evaluate(params, state, task.data["valid"], noise)["loss"]

    runs = jax.vmap(run, in_axes=(None, 0, 0, 0))
    return lambda rates: runs(rates, params, state, jnp.asarray(rows)).mean()


def descend(
    loss: Callable[[Any], Any], start: Any, iterations: int, rate: float
) -> tuple[list[np.ndarray], list[float]]:
    """Adam, its own rate falling linearly, on log learning rates: every point visited, its loss.

    A point where training diverges, or ends a fifth above the best so far, is taken back: the
    descent goes on from the best point with steps of two thirds, and without memory.
    """
    step = jax.jit(jax.value_and_grad(lambda log: loss(jnp.exp(log))))
    adam = optax.adam(optax.linear_schedule(rate, 0.0, iterations))
    log = jnp.log(jnp.asarray(start))
    state, points, values = adam.init(log), [], []
    best, lowest, slope_there, size = log, np.inf, None, 1.0
    for _ in range(iterations):
        value, slope = step(log)
        points.append(np.exp(np.asarray(log)))
        values.append(float(value))
        good = np.isfinite(value) and np.isfinite(np.asarray(slope)).all()
        if good and value < lowest:
            best, lowest, slope_there = log, float(value), slope
        elif not good or value > 1.2 * lowest:
            log, slope, size, state = best, slope_there, size / 1.5, adam.init(log)
        if slope is None:  # not even the start trains
            log = log - 1.0
            best = log
            continue
        moves, state = adam.update(slope, state)
        log = log + size * moves
    return points, values
