"""A lane on a quadratic bowl, for the examples in docstrings."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from lrlab.rng import key
from lrlab.types import Array, Dynamics, LaneView, Params, PyTree, TaskFunctions


def bowl(h: Sequence[float], *, lr: float = 0.1, at: float = 1.0, start: float = 1.0) -> LaneView:
    """A lane of gradient descent with `lr` on 1/2 sum h x^2, at x = `at`, begun at x = `start`,
    after ten updates.
    """
    curvatures = jnp.asarray(h)

    def loss(
        params: Params, state: PyTree, batch: PyTree, noise: Array
    ) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
        return 0.5 * jnp.sum(curvatures * params["x"] ** 2), (state, {})

    def point(value: float) -> Params:
        return {"x": jnp.full(curvatures.shape, value)}

    return LaneView(
        task=TaskFunctions(
            lambda random, example: (point(start), {}), loss, lambda *rest: {"loss": loss(*rest)[0]}
        ),
        params=point(at),
        model={},
        optimizer=(),
        dynamics=Dynamics("sgd", lambda hyper: 0.0, pace=lambda hyper, step: 1.0),
        data=None,
        hyper={"lr": jnp.asarray(lr)},
        step=jnp.asarray(10),
        batch_size=None,
        fixed_key=key(0, "evaluation"),
        key=key(0, "probes", 10),
        initial=lambda: (point(start), {}),
        update=lambda grads, value, value_fn: ({"x": -lr * grads["x"]}, ()),
        elapsed=lambda: jnp.asarray(10 * lr),
    )
