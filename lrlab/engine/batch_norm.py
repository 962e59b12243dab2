"""BatchNorm's statistics where evaluation is at other parameters than those that were trained.

Running statistics belong to the parameters that gathered them. Averages (Schedule-Free, EMA, DoG,
lookahead) have others, so theirs are measured on training batches before each evaluation.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from lrlab.engine.shapes import RandomKey, Step
from lrlab.types import Params, Problem, PyTree, TaskFunctions

STATISTICS_BATCHES = 16
"""Training batches whose statistics are averaged, where there are as many."""


def refreshed(
    problem: Problem,
    params: Params,
    model: PyTree,
    train: PyTree,
    key: RandomKey,
    step: Step,
    task: TaskFunctions | None = None,
) -> PyTree:
    """`model` with its running means replaced by means over training batches at `params`.

    A running mean moves as m <- u m + (1 - u) s with a batch's own s. u is found by moving m once
    from another place, and the mean of s = (m' - u m) / (1 - u) over a few batches takes m's
    place: no trace is left of where the statistics came from, whatever u is. What does not move
    so (counters, whole numbers, u = 1) stays. So does everything before the first update.

    Args:
        params: the parameters to evaluate; `model`: the collections of the trained ones.
        train: the training split, or None (then nothing changes); `key`: draws the batches.
        step: updates done, int32.
        task: the task's functions, bound to the lane; None: those of the problem.
    """
    if train is None or not jax.tree.leaves(model):
        return model
    task = problem.task if task is None else task
    size = problem.batch_size or problem.num_examples
    count = min(STATISTICS_BATCHES, problem.num_examples // size)
    order = jax.random.permutation(key, problem.num_examples)[: count * size]

    def after(start: PyTree, rows: Array) -> PyTree:
        batch = jax.tree.map(lambda leaf: leaf[rows], train)
        return task.loss(params, start, batch, key)[1][0]

    def measured() -> PyTree:
        batches = order.reshape(count, size)
        away = jax.tree.map(lambda m: m + _distance(m) if _moves(m) else m, model)
        ends = jax.lax.map(lambda rows: after(model, rows), batches)
        moved = after(away, batches[0])

        def mean(m: Array, end: Array, other: Array) -> Array:
            if not _moves(m):
                return m
            u = (other - end[0]) / _distance(m)
            fresh = (end.mean(0) - u * m) / jnp.where(u < 1, 1 - u, 1)
            averaged = (u > -1e-3) & (u < 1 - 1e-4) & jnp.isfinite(fresh)
            return jnp.where(averaged, fresh, m).astype(m.dtype)

        return jax.tree.map(mean, model, ends, moved)

    return jax.lax.cond(step > 0, measured, lambda: model)


def _moves(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def _distance(leaf: Array) -> Array:
    """A step away of the size of the values themselves, so that little is lost to rounding."""
    return 1 + jnp.abs(leaf)
