"""A convex toy for examples and tests: f(x, y) = (x^2 + 10 y^2) / 2 from (1, 1)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax


def bowl(params: jax.Array) -> jax.Array:
    """(x^2 + 10 y^2) / 2 of `params` f[2]; its minimum is 0 at the origin.

    >>> float(bowl(jnp.ones(2)))
    5.5
    """
    return 0.5 * (params[0] ** 2 + 10 * params[1] ** 2)


def first_update(optimizer: optax.GradientTransformation) -> list[float]:
    """The first update of `optimizer` on `bowl` at (1, 1), where the gradient is (1, 10).

    >>> first_update(optax.sgd(0.1))
    [-0.1, -1.0]
    """
    with jax.enable_x64(True):
        params = jnp.ones(2)
        value, grads = jax.value_and_grad(bowl)(params)
        updates, _ = optax.with_extra_args_support(optimizer).update(
            grads, optimizer.init(params), params, value=value, grad=grads, value_fn=bowl
        )
        return [round(float(update), 4) + 0.0 for update in jnp.asarray(updates)]
