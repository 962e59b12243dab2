"""BatchNorm's statistics at averaged parameters, and step sizes in the history."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.engine.batch_norm import refreshed
from lrlab.models.adapters import as_model
from lrlab.types import Problem, TaskFunctions

EXAMPLES, BATCH = 64, 16
X = np.random.RandomState(0).randn(EXAMPLES, 6).astype(np.float32) * 3 + 1
Y = (X @ np.random.RandomState(1).randn(6, 3)).argmax(-1)


class Net(nn.Module):
    momentum: float = 0.99

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(5)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=self.momentum)(x)
        return nn.Dense(3)(nn.relu(x))


def functions(momentum: float) -> TaskFunctions:
    model = as_model(Net(momentum))

    def loss(params, state, batch, key):
        outputs, new = model.apply({"params": params, **state}, batch[0], True, key)
        collections = {name: value for name, value in new.items() if name != "params"}
        return outputs.mean(), (collections, {})

    return TaskFunctions(lambda key, example: ({}, {}), loss, lambda *rest: {})


@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_running_means_become_means_over_batches_whatever_they_were(momentum):
    module, key = Net(momentum), jax.random.key(3)
    variables = module.init(key, X[:1], True)
    stale = {"batch_stats": jax.tree.map(lambda m: 50 * m - 7.0, variables["batch_stats"])}
    problem = Problem(functions(momentum), None, None, 10, BATCH, EXAMPLES)  # type: ignore
    train = (jnp.asarray(X), jnp.asarray(Y))
    at = refreshed(problem, variables["params"], stale, train, key, jnp.int32(5))
    hidden = X @ variables["params"]["Dense_0"]["kernel"] + variables["params"]["Dense_0"]["bias"]
    found = at["batch_stats"]["BatchNorm_0"]
    # 4 batches of 16 are the whole split: the mean of batch means is the mean.
    np.testing.assert_allclose(found["mean"], hidden.mean(0), rtol=2e-3, atol=2e-3)
    order = np.asarray(jax.random.permutation(key, EXAMPLES)).reshape(4, BATCH)
    within = np.mean([np.var(np.asarray(hidden)[rows], 0) for rows in order], 0)
    np.testing.assert_allclose(found["var"], within, rtol=5e-3, atol=1e-5)
    before = refreshed(problem, variables["params"], stale, train, key, jnp.int32(0))
    jax.tree.map(np.testing.assert_array_equal, before, stale)
    assert refreshed(problem, variables["params"], {}, train, key, jnp.int32(5)) == {}


def test_what_is_no_running_mean_stays():
    def loss(params, state, batch, key):
        return 0.0, ({"count": state["count"] + 1, "kept": state["kept"]}, {})

    problem = Problem(TaskFunctions(None, loss, None), None, None, 10, BATCH, EXAMPLES)  # type: ignore
    state = {"count": jnp.int32(4), "kept": jnp.array([2.0, 3.0])}
    train = (jnp.asarray(X), jnp.asarray(Y))
    after = refreshed(problem, {}, state, train, jax.random.key(0), jnp.int32(5))
    assert int(after["count"]) == 4 and after["kept"].tolist() == [2.0, 3.0]


@pytest.mark.slow
def test_schedule_free_with_batchnorm_is_evaluated_right_without_being_asked():
    """Evaluated with the statistics of the trained parameters, the average would be far off: at
    momentum 0.99 the running means are 37 % their first values after 100 updates."""
    task = lrlab.Task.supervised(
        name="norm", model=Net(), loss="softmax_cross_entropy", train=(X, Y), valid=(X, Y)
    )
    common = dict(steps=100, batch_size=BATCH, seeds=2, schedule="constant", progress=False)
    free = lrlab.sweep(task, optimizer="schedule_free_sgd", lr=[1.0], **common)
    plain = lrlab.sweep(task, optimizer="sgd", lr=[1.0], **common)
    trained = free.history["train_loss"][-10:].mean()
    assert free.final["valid_loss"].mean() < 1.5 * trained + 0.05
    assert plain.final["valid_loss"].mean() > 2 * free.final["valid_loss"].mean()


def test_step_sizes_in_use_are_in_the_history(tmp_path):
    task = lrlab.tasks.load("quadratic")
    common = dict(steps=6, seeds=1, schedule="constant", progress=False)
    polyak = lrlab.sweep(task, optimizer="polyak", out=tmp_path / "run", **common)
    used = polyak.history["effective_lr"]
    assert used.shape == (6, 1, 1) and (used > 0).all()
    assert np.array_equal(lrlab.load(tmp_path / "run").history["effective_lr"], used)
    assert "effective_lr" not in lrlab.sweep(task, optimizer="adam", lr=[0.1], **common).history
