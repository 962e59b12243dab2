"""Objectives of one's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_task import train

from lrlab import tasks
from lrlab.rng import key
from lrlab.tasks import Task


def test_ones_own_objective():
    def init(random):
        return {"w": jax.random.normal(random, (3,))}

    def noisy(params, random):
        return (params["w"] ** 2).sum() + 0.1 * jax.random.normal(random)

    metrics = {"size": (lambda p: jnp.abs(p["w"]).max(), "min")}
    task = Task.objective("bowl", init, noisy, metrics=metrics)
    tasks.check(task)
    result = train(task, lr=(0.01, 0.1), steps=50, batch=None, eval_steps=[25, 50])
    noise = result.evaluated["valid_loss"] - result.evaluated["valid_size"] ** 2
    assert result.evaluated["valid_size"][-1, 1] < 1e-3
    # The evaluation's key is fixed: at the minimum only the same noise is left.
    assert np.isclose(noise[-1, 1], 0.1 * jax.random.normal(key(0, "evaluation")), atol=1e-5)


@pytest.mark.parametrize(
    ("init", "loss", "message"),
    [
        (lambda k: jnp.zeros(3), lambda p, k: p, r"expected a floating scalar"),
        (lambda k: jnp.zeros(3), lambda p, k: p.no, "loss fails"),
        (lambda k: jnp.zeros(3, int), lambda p, k: 1.0, "must be floating"),
        (lambda k: {}, lambda p, k: 1.0, "no parameters"),
    ],
)
def test_wrong_objectives_are_named(init, loss, message):
    with pytest.raises(ValueError, match=message):
        Task.objective("bad", init, loss)
