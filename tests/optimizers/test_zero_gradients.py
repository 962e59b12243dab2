"""Every optimizer where gradients are exactly zero: at first, later, for one leaf, at zero too."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from convex import CURVATURE, NAMES, PARAMS, TARGET, rate
from few import few

from lrlab import optimizers

STEPS = 60
PATTERNS = {
    "first": ([0], "wb"),
    "first ten": (range(10), "wb"),
    "second": ([1], "wb"),
    "later": (range(8, 20), "wb"),
    "w first": (range(10), "w"),
    "b later": (range(8, 20), "b"),
    "b always": (range(STEPS), "b"),
}
UNSTABLE = {("dadapt_sgd", "w first")}
"""The published method takes its unit from the norm of the first gradient, here that of b alone."""


def weights():
    """Which leaf counts at which step, f[patterns, STEPS, 2]."""
    rows = np.ones((len(PATTERNS), STEPS, 2))
    for row, (steps, leaves) in zip(rows, PATTERNS.values(), strict=True):
        for at, leaf in enumerate("wb"):
            if leaf in leaves:
                row[list(steps), at] = 0
    return rows


def loss(params, on):
    terms = jax.tree.map(lambda p, t, c: 0.5 * jnp.sum(c * (p - t) ** 2), params, TARGET, CURVATURE)
    return on[0] * terms["w"] + on[1] * terms["b"]


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", few(NAMES, 10))
def test_zero_gradients_are_survived(name, dtype):
    made = optimizers.engine_optimizer(name)

    def train(params, on):
        def lane():
            hyper = {"lr": jnp.asarray(rate(name), dtype)}
            return optax.with_extra_args_support(made.make(hyper))

        def body(carry, on):
            params, state = carry
            here = functools.partial(loss, on=on)
            value, grads = jax.value_and_grad(here)(params)
            updates, state = lane().update(
                grads, state, params, value=value, grad=grads, value_fn=here
            )
            params = optax.apply_updates(params, updates)
            used = optimizers.effective_lr(state)
            return (params, state), (params, jnp.zeros(()) if used is None else used)

        return jax.lax.scan(body, (params, lane().init(params)), on)[1]

    with jax.enable_x64(dtype == "float64"):
        starts = jax.tree.map(lambda p: jnp.stack([p, 0 * p]).astype(dtype), PARAMS)
        over = jax.vmap(jax.vmap(train, (None, 0)), (0, None))
        path, used = jax.jit(over)(starts, jnp.asarray(weights(), dtype))
        assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(path))
        assert np.isfinite(used).all()
        path = jax.tree.map(np.asarray, path)
        for place, pattern in enumerate(PATTERNS):
            one = {leaf: values[:, place] for leaf, values in path.items()}
            assert all(np.isfinite(values).all() for values in one.values()), pattern
            if (name, pattern) not in UNSTABLE:
                assert all(np.abs(values).max() < 1e3 for values in one.values()), pattern
            # It moves again once the gradient is back, unless it has arrived.
            moved = (one["w"][:, 26:] != one["w"][:, 25:26]).any((1, 2, 3))
            arrived = np.abs(one["w"][:, -1] - np.asarray(TARGET["w"])).max((1, 2)) < 1e-3
            assert (moved | arrived).all(), pattern
