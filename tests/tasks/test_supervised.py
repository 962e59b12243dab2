"""Anyone's models and data through the engine, and what does not fit, named before it compiles."""

from __future__ import annotations

import flax.linen as nn
import jax
import numpy as np
import pytest
from few import few
from flax import nnx
from small_task import X, Y, small_task, start, train

from lrlab import tasks
from lrlab.core.arrays import aligned
from lrlab.data import DataError
from lrlab.rng import key
from lrlab.types import Model


@pytest.mark.parametrize("offset", [0, 4])
def test_a_task_keeps_its_data(offset):
    """Whether XLA could read the caller's array in place (offset 0) or not."""
    room = aligned(np.zeros(X.nbytes + 64, np.uint8))
    x = room[offset : offset + X.nbytes].view(np.float32).reshape(X.shape)
    x[:] = X
    task = small_task(x=x, valid=(x, Y))
    x[:] = 1e9
    for split in ("train", "valid"):
        np.testing.assert_array_equal(task.data[split][0], X)


class BatchNorm(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5)(nn.Dense(8)(x))
        return nn.Dense(3)(nn.relu(x))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(6, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.readout = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.readout(self.drop(nnx.relu(self.norm(self.hidden(x)))))


PLAIN = Model(
    lambda random, x: jax.random.normal(random, (x.shape[1], 3)),
    lambda w, x, train, random: (x @ w, w),
)


MODELS = {"linen": BatchNorm(), "nnx": Nnx, "plain": PLAIN}


FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dtype", few(["float32", "float64"], 1))
def test_anyones_model_trains(kind, dtype):
    task = small_task(MODELS[kind])
    tasks.check(task, 8)
    result = train(task, lr=(0.01, 0.3), steps=30, dtype=dtype)
    loss = result.evaluated["valid_loss"]
    assert loss.dtype == dtype and np.isfinite(loss).all()
    assert loss[-1, 1] < result.initial["valid_loss"][1] and loss[-1, 1] < loss[-1, 0]
    assert set(result.history) == {"train_loss", "train_accuracy", "learning_rate"}
    assert result.evaluated["valid_accuracy"][-1, 1] > 0.5


def test_batch_statistics_change_in_training_only():
    task = small_task(BatchNorm())
    params, state = start(task)
    loss = jax.jit(task.functions.loss, compiler_options=FAST)
    _, (after, extra) = loss(params, state, (X[:8], Y[:8]), key(1))
    mean = state["batch_stats"]["BatchNorm_0"]["mean"], after["batch_stats"]["BatchNorm_0"]["mean"]
    batch = (X[:8] @ np.asarray(params["Dense_0"]["kernel"])).mean(0)
    np.testing.assert_allclose(mean[1], 0.5 * batch, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(*mean) and set(extra) == {"accuracy"}
    with_old = task.functions.evaluate(params, state, task.data["valid"], key(0))["loss"]
    with_new = task.functions.evaluate(params, after, task.data["valid"], key(0))["loss"]
    assert with_old != with_new


def test_the_same_task_twice_has_the_same_functions():
    assert small_task(BatchNorm()).functions is small_task(BatchNorm()).functions
    assert small_task(Nnx).functions is small_task(Nnx).functions
    assert small_task(nn.Dense(3)).functions is not small_task(nn.Dense(3), metrics=()).functions


def test_inputs_may_be_a_tree():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(x["a"]) + nn.Dense(3)(x["b"])

    task = small_task(Two(), x={"a": X, "b": X[:, :2]}, valid=({"a": X, "b": X[:, :2]}, Y))
    tasks.check(task, 8)
    assert task.num_examples == 50
    assert np.isfinite(train(task, steps=2).evaluated["valid_loss"]).all()


def test_a_loss_of_the_wrong_shape_is_named():
    def broadcast(outputs, targets):
        return (outputs - targets) ** 2

    message = r"loss 'broadcast' gave shape \(7, 7\), expected \(7,\)"
    with pytest.raises(ValueError, match=message):
        small_task(nn.Dense(1), broadcast, y=Y.astype(np.float32))
    with pytest.raises(ValueError, match=r"gave shape \(\), expected \(7,\)"):
        small_task(loss=lambda o, t: (o**2).mean())
    with pytest.raises(ValueError, match="expected floating"):
        small_task(loss=lambda o, t: o.argmax(-1))
    with pytest.raises(ValueError, match="metric 'bad' gave shape"):
        small_task(metrics={"bad": (lambda o, t: o, "min")})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(y=Y + 1), r"train targets: label 3 at row \d+ .* out of range 0 to 2"),
        (dict(y=Y - 1), "label -1"),
        (dict(y=Y.astype(float)), "labels must be integers"),
        (dict(y=Y[:-1]), "50 inputs but 49 targets"),
        (dict(x=np.where(X > 2, np.nan, X)), "nan at row"),
        (dict(x=X.astype(object) * 1j), "needs numbers, got dtype object"),
        (dict(x=X[:0], y=Y[:0]), "is empty"),
        (dict(valid=(X[:, :5], Y)), r"shapes \[\(5,\), \(\)\], of train \[\(6,\), \(\)\]"),
        (dict(valid=X), "must be a pair"),
    ],
)
def test_wrong_data_are_named(change, message):
    with pytest.raises(DataError, match=message):
        small_task(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(model=nn.Conv(3, (3, 3))), "the model fails on inputs float32"),
        (dict(model=lambda rngs: nnx.Linear(5, 3, rngs=rngs)), "the model fails on inputs"),
        (dict(model=3), "must be a Flax Linen module"),
        (dict(loss="crossentropy"), "there is no loss 'crossentropy'"),
        (dict(y=np.stack([Y, Y], 1)), "softmax_cross_entropy: the outputs have shape"),
        (dict(metrics={"a": (len, "up")}), 'must say "min" or "max"'),
        (dict(metrics={"loss": (len, "min")}), "cannot be named 'loss'"),
        (dict(metrics={"a": 3}), "must be .function"),
    ],
)
def test_wrong_parts_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        small_task(**change)
