"""Weights to start from: by path and shape, whatever holds them, and trained as by hand."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrlab
from lrlab.data.batches import Batches, segment_indices

STEPS, BATCH = 12, 8
RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((40, 6)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)


class Net(nn.Module):
    """A body with statistics, and a head."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.Dense(5, name="body")(x)
        x = nn.BatchNorm(use_running_average=not train, name="norm")(x)
        return nn.Dense(2, name="head")(nn.relu(x))


class Plain(nn.Module):
    """The same without statistics."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, name="head")(nn.relu(nn.Dense(5, name="body")(x)))


def weights(model, seed=11):
    drawn = model.init(jax.random.key(seed), X[:1])
    return jax.tree.map(np.asarray, drawn)


def task(model, **more):
    return lrlab.Task.supervised(
        model=model, loss="softmax_cross_entropy", train=(X, Y), valid=(X[:16], Y[:16]), **more
    )


def sweep(of, **more):
    options = {"lr": [0.05, 0.2], "optimizer": "adam", "schedule": "constant", "seeds": 2}
    options |= {"steps": STEPS, "batch_size": BATCH, "progress": False}
    return lrlab.sweep(of, **{**options, **more})


def accuracy_and_loss(model, variables):
    logits = model.apply(variables, X[:16])
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, Y[:16])
    return float(losses.mean()), float((logits.argmax(-1) == Y[:16]).mean())


@pytest.mark.parametrize("whole", [True, False])
def test_every_lane_and_seed_starts_from_them(whole):
    given = weights(Net())
    result = sweep(task(Net(), params=given if whole else given["params"]))
    loss, accuracy = accuracy_and_loss(Net(), given)
    np.testing.assert_allclose(result.initial["valid_loss"], loss, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(result.initial["valid_accuracy"], accuracy, rtol=1e-6, atol=1e-7)


def test_collections_are_given_too():
    given = weights(Net())
    given = {**given, "batch_stats": jax.tree.map(lambda leaf: leaf + 0.5, given["batch_stats"])}
    result = sweep(task(Net(), params=given))
    loss, _ = accuracy_and_loss(Net(), given)
    np.testing.assert_allclose(result.initial["valid_loss"], loss, rtol=1e-5, atol=1e-7)


def by_hand(model, given, lr, seed):
    """Training losses of Adam on the head alone, as one jitted scan."""
    body = {name: part for name, part in given["params"].items() if name != "head"}
    rows = segment_indices(Batches(len(X), BATCH), seed, 0, STEPS)
    adam = optax.adam

    def loss(head, batch):
        logits = model.apply({"params": {**body, "head": head}}, batch[0])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    @jax.jit
    def run(head, lr, x, y, rows):
        def step(carry, row):
            head, state = carry
            value, grads = jax.value_and_grad(loss)(head, (x[row], y[row]))
            updates, state = adam(lr).update(grads, state, head)
            return (optax.apply_updates(head, updates), state), value

        return jax.lax.scan(step, (head, adam(lr).init(head)), rows)[1]

    return np.asarray(run(given["params"]["head"], jnp.float32(lr), X, Y, rows))


def test_a_frozen_body_trains_the_head_bit_for_bit_as_by_hand():
    given = weights(Plain())
    fine = task(Plain(), params=given, trainable="head")
    result = sweep(fine, plan=lrlab.Plan(tile_width=1))
    for place, lr in enumerate(result.lr):
        for column, seed in enumerate(result.seeds):
            losses = result.history["train_loss"][:, place, column]
            np.testing.assert_array_equal(losses, by_hand(Plain(), given, lr, int(seed)))


def test_weight_decay_leaves_frozen_weights_alone():
    given = weights(Plain())
    options = {"optimizer": "adamw", "lr": [0.1], "weight_decay": [0.0, 5.0], "init_scale": [1.0]}
    result = sweep(task(Plain(), params=given, trainable="head/bias"), **options)
    # A bias at 0 does not decay at the first update; the frozen weights never do.
    first = result.history["train_loss"][:2]
    np.testing.assert_allclose(first[:, :, 0], first[:, :, 1], rtol=1e-5, atol=1e-7)
    assert np.isfinite(result.final["valid_loss"]).all()


def test_a_drawn_body_is_each_seed_s_own_and_frozen():
    result = sweep(task(Plain(), trainable=("head*",)), lr=[0.0, 0.1], seeds=3)
    still = result.history["valid_loss"][:, 0]
    assert (still == still[0]).all() and len(np.unique(still[0])) == 3


@pytest.mark.slow
def test_a_search_of_frozen_weights_is_read_back_with_the_same_weights_alone(tmp_path):
    given, options = weights(Net()), {"steps": 20, "seeds": 2, "budget": 8, "progress": False}
    options["batch_size"] = BATCH
    fine = task(Net(), params=given, trainable="head")
    answer = lrlab.find(fine, out=tmp_path / "run", **options)
    again = lrlab.find(fine, out=tmp_path / "run", **options)
    assert answer.lr == again.lr and answer.cost == again.cost
    other = task(Net(), params=weights(Net(), 12), trainable="head")
    with pytest.raises(ValueError, match="the weights to start from differ"):
        lrlab.find(other, out=tmp_path / "run", **options)


def test_a_range_test_s_own_weights_come_first():
    given, other = weights(Plain()), weights(Plain(), 12)
    fine = task(Plain(), params=given, trainable="head")
    test = lrlab.range_test(fine, params=other["params"], num_steps=5, seeds=1, batch_size="full")
    logits = Plain().apply(other, X)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, Y).mean()
    assert test.loss[0, 0] == pytest.approx(float(loss), rel=1e-5)


def test_frozen_weights_are_held_in_the_dtype_they_are_given_in():
    half = jax.tree.map(lambda leaf: leaf.astype(np.float16), weights(Plain()))
    result = sweep(task(Plain(), params=half, trainable="head"))
    full = jax.tree.map(lambda leaf: leaf.astype(np.float32), half)
    np.testing.assert_allclose(
        result.initial["valid_loss"], accuracy_and_loss(Plain(), full)[0], rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {**p, "hed": p["head"]}, r"no hed/bias"),
        (lambda p: {"body": p["body"], "haed": p["head"]}, r"head/bias is missing .given is haed"),
        (
            lambda p: {**p, "head": {**p["head"], "bias": np.zeros(3)}},
            r"shape \(3,\), expected \(2",
        ),
        (lambda p: jax.tree.map(lambda leaf: leaf * np.nan, p), "not finite"),
        (lambda p: jax.tree.map(lambda leaf: leaf > 0, p), "dtype bool"),
        (lambda p: {}, "is missing"),
    ],
)
def test_weights_of_another_model_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        task(Plain(), params=change(weights(Plain())["params"]))


def test_whole_numbers_stand_for_floats():
    ones = jax.tree.map(lambda leaf: np.ones(leaf.shape, int), weights(Plain()))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(task(Plain(), params=ones).params)} == {
        "float32"
    }
