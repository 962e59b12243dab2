"""Runs in bfloat16 and in mixed precision, against the same by hand."""

from __future__ import annotations

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from plain_training import rows_of, scanned

import lrlab
from lrlab import rng
from lrlab.core.errors import ConfigError
from lrlab.core.precisions import PRECISIONS

STEPS, BATCH = 12, 8
RANDOM = np.random.default_rng(4)
X = RANDOM.standard_normal((40, 6)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)


class Net(nn.Module):
    """Notes the dtype of its input."""

    @nn.compact
    def __call__(self, x):
        assert x.dtype in (jnp.float32, jnp.bfloat16)
        return nn.Dense(2)(nn.relu(nn.Dense(16)(x)))


def sweep(task, **more):
    options = {"lr": [0.02, 0.1], "optimizer": "adam", "schedule": "constant", "seeds": 1}
    options |= {"steps": STEPS, "batch_size": BATCH, "progress": False}
    options["plan"] = lrlab.Plan(tile_width=1)
    return lrlab.sweep(task, **{**options, **more})


def supervised():
    return lrlab.Task.supervised(
        model=Net(), loss="softmax_cross_entropy", train=(X, Y), valid=(X[:16], Y[:16])
    )


def custom():
    def loss(params, batch, key):
        x, y = batch
        hidden = jnp.tanh(x @ params["a"])
        return ((hidden @ params["b"])[:, 0] - y.astype(hidden.dtype)).astype(x.dtype).var()

    def init(key, example):
        return {"a": jax.random.normal(key, (6, 4)), "b": jnp.ones((4, 1))}

    return lrlab.Task.custom(init=init, loss=loss, train=(X, Y), valid=(X[:16], Y[:16]))


def cast(tree, dtype):
    floats = lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf  # noqa: E731
    return jax.tree.map(floats, tree)


def by_hand(task, precision, lr):
    short = jnp.bfloat16
    functions = task.functions
    example = jax.tree.map(lambda leaf: jnp.asarray(leaf[:1]), task.data["train"])
    params, _ = functions.init(rng.key(0, "init"), example)
    params = cast(params, short) if precision == "bfloat16" else params

    def loss(params, batch):
        x, y = batch
        if "a" in params:
            a, b, x = cast((params["a"], params["b"], x), short)
            hidden = jnp.tanh(x @ a)
            return ((hidden @ b)[:, 0] - y.astype(short)).var().astype(jnp.float32)
        logits = Net().apply({"params": cast(params, short)}, x.astype(short))
        logits = logits.astype(jnp.float32)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def step(carry, batch, key, lr):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, new = optax.adam(lr).update(grads, state, params)
        new = jax.tree.map(lambda leaf, old: leaf.astype(old.dtype), new, state)
        return (optax.apply_updates(params, updates), new), value

    start = (params, optax.adam(jnp.float32(0.1)).init(params))
    return scanned(step, start, (X, Y), rows_of(len(X), BATCH, 0, STEPS), 0, lr)


@pytest.mark.parametrize(
    ("make", "precision"),
    [
        (supervised, "bfloat16"),
        (custom, "mixed"),
        pytest.param(supervised, "mixed", marks=pytest.mark.slow),
        pytest.param(custom, "bfloat16", marks=pytest.mark.slow),
    ],
)
def test_a_lane_is_the_run_by_hand(make, precision):
    task = make()
    result = sweep(task, precision=precision)
    plain = sweep(task)
    assert result.history["train_loss"].dtype == np.float32
    for place, lr in enumerate(result.lr):
        _, losses = by_hand(task, precision, lr)
        mine = result.history["train_loss"][:, place, 0]
        # One rounding in another place is 2^-8 of a value; steps carry it on.
        np.testing.assert_allclose(mine, losses, rtol=0.03, atol=0.01)
    assert (plain.history["train_loss"] != result.history["train_loss"]).any()
    assert np.isfinite(result.final["valid_loss"]).all()


def test_mixed_keeps_the_small_updates_that_bfloat16_loses():
    def loss(params, batch, key):
        return (params["w"] ** 2).sum()

    task = lrlab.Task.custom(init=lambda key, example: {"w": jnp.ones(3)}, loss=loss)
    options = {"lr": [1e-4], "optimizer": "sgd", "steps": 50, "batch_size": None}
    short = sweep(task, precision="bfloat16", **options).history["train_loss"][:, 0, 0]
    mixed = sweep(task, precision="mixed", **options).history["train_loss"][:, 0, 0]
    assert (short == short[0]).all() and mixed[-1] < mixed[0]


def test_what_cannot_be_cast_is_refused():
    bowl = lrlab.Task.objective(
        "bowl", init=lambda key: jnp.ones(3), loss=lambda x, key: (x**2).sum()
    )
    with pytest.raises(ConfigError, match=r"function to minimize.*Task\.custom"):
        lrlab.sweep(bowl, lr=[0.1], steps=2, precision="mixed", progress=False)
    step = lrlab.Task.step(init=lambda k, h: 1.0, step=lambda s, b, h, k: (s, {"loss": s}))
    with pytest.raises(ConfigError, match="step of its own"):
        lrlab.sweep(step, lr=[0.1], steps=2, precision="bfloat16", progress=False)
    with pytest.raises(ConfigError, match="bfloat16"):
        sweep(supervised(), precision="bf16")


def test_the_record_says_how_matrices_are_multiplied(tmp_path):
    sweep(supervised(), precision="mixed", out=tmp_path / "run")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["matmul_precision"] == "default"
    assert 'precision = "mixed"' in (tmp_path / "run" / "config.toml").read_text()


def test_every_precision_has_a_dtype_that_records_have():
    assert {one.dtype for one in PRECISIONS.values()} <= {"float32", "float64"}
