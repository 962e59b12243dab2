"""Lanes for the tests of probes: small tasks after some updates."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from quick import jit

import lrlab
from lrlab import optimizers, probes
from lrlab.engine.probing import view_of
from lrlab.engine.state import initial_state
from lrlab.engine.step import lane_step
from lrlab.types import Problem


class Noisy(nn.Module):
    """Dropout and BatchNorm: what a probe must bear."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(6, name="hidden")(x))
        x = nn.Dropout(0.2, deterministic=not train)(nn.tanh(x))
        return nn.Dense(3, name="readout")(x)


def data(count=24):
    random = np.random.default_rng(0)
    return random.normal(size=(count, 5)).astype(np.float32), np.arange(count) % 3


@functools.lru_cache
def supervised(model=None):
    x, y = data()
    return lrlab.Task.supervised(
        name="noisy", model=model or Noisy(), loss="softmax_cross_entropy",
        train=(x, y), valid=(x, y),
    )  # fmt: skip


def problem_of(task, optimizer="momentum", steps=10, batch_size=None, **hyper):
    return Problem(
        task.functions,
        optimizers.engine_optimizer(optimizer, **hyper),
        lambda hyper, step: hyper["lr"],
        steps,
        batch_size,
        task.num_examples,
    )


def lane_of(task, optimizer="momentum", *, updates=3, lr=0.1, batch_size=None, **hyper):
    """A lane after some updates on all the data, and its state."""
    problem = problem_of(task, optimizer, batch_size=batch_size, **hyper)
    train = jax.tree.map(jnp.asarray, task.data["train"]) if task.data else None
    example = jax.tree.map(lambda leaf: leaf[:1], train)
    rates = {"lr": jnp.asarray(lr)}

    def trained():
        start = task.functions.init(jax.random.key(0), example)
        state = initial_state(problem, *start, rates, jnp.asarray(True), 0)
        for step in range(updates):
            noise = jax.random.key(step)
            state = lane_step(problem, state, train, rates, jnp.asarray(step), noise)[0]
        return start, state

    start, state = jax.jit(trained)()
    seed = jnp.uint32(0)
    return view_of(problem, state, lambda: start, train, seed, rates, jnp.asarray(updates))


def measure(name, lane, **options):
    found = jit(lambda: probes.engine_probe({"name": name, **options}).measure(lane))()
    return {key: float(value) for key, value in found.items()}


@functools.lru_cache
def noisy_lane():
    return lane_of(supervised(), batch_size=8)


def double(tree):
    return jax.tree.map(
        lambda leaf: (
            leaf.astype(jnp.float64)
            if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
            else leaf
        ),
        tree,
    )
