"""Training in plain JAX, as anyone would write it: what a lane is compared with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from lrlab import rng
from lrlab.data.batches import Batches, segment_indices


def rows_of(examples: int, batch: int, seed: int, steps: int) -> np.ndarray:
    """int32[steps, batch]: which examples a seed sees at each step."""
    return segment_indices(Batches(examples, batch), seed, 0, steps)


def scanned(step, state, data, rows, seed, *scalars):
    """(state, values [steps, ...]) of `step(state, batch, key, *scalars) -> (state, value)`."""

    @jax.jit
    def run(state, data, rows, noise, *scalars):
        def body(carry, item):
            number, row = item
            batch = jax.tree.map(lambda leaf: leaf[row], data)
            return step(carry, batch, jax.random.fold_in(noise, number), *scalars)

        return jax.lax.scan(body, state, (jnp.arange(len(rows)), rows))

    scalars = [jnp.float32(one) for one in scalars]
    state, values = run(state, data, rows, rng.key(seed, "noise"), *scalars)
    return state, jax.tree.map(np.asarray, values)
