"""Training and evaluation reach anyone's module, whatever its mode is called, or it is refused."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lrlab.models.adapters import as_model, check_modes
from lrlab.models.modes import ModelError, effects

X = np.ones((4, 3), np.float32)
SHAPE = jax.ShapeDtypeStruct((7, 3), jnp.float32)


def linen(call: Any, **fields: Any) -> nn.Module:
    """A module with that `__call__`; fields with their defaults."""
    members = {"__annotations__": {key: Any for key in fields}, **fields}
    return type("Net", (nn.Module,), {**members, "__call__": nn.compact(call)})()


def dropped(x, off):
    return nn.Dropout(0.5, deterministic=off)(nn.Dense(8)(x))


def normed(x, off):
    return nn.BatchNorm(use_running_average=off)(nn.Dense(8)(x))


def by_train(self, x, train):
    return normed(dropped(x, not train), not train)


def by_training(self, x, *, training=False):
    return normed(dropped(x, not training), not training)


def by_is_training(self, x, is_training=True):
    return normed(dropped(x, not is_training), not is_training)


def by_deterministic(self, x, deterministic=None):
    return normed(dropped(x, deterministic), deterministic)


def by_running_average(self, x, use_running_average):
    return normed(dropped(x, use_running_average), use_running_average)


def by_several(self, x, train, mask=None, *, deterministic=True):
    return normed(dropped(x, deterministic), not train)


def by_field(self, x):
    return normed(dropped(x, self.deterministic), self.deterministic)


def by_merging(self, x, train=None):
    train = nn.merge_param("train", self.train, train)
    return normed(dropped(x, not train), not train)


def attention(self, x, deterministic=True):
    hidden = nn.MultiHeadDotProductAttention(2, dropout_rate=0.5)(
        nn.Dense(8)(x)[:, None], deterministic=deterministic
    )
    return normed(hidden[:, 0], deterministic)


class Block(nnx.Module):
    def __init__(self, rngs):
        self.layer = nnx.Linear(3, 8, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)

    def __call__(self, x, deterministic=True):
        return self.norm(self.drop(self.layer(x), deterministic=deterministic))


class Several(Block):
    def __call__(self, x, *, is_training=False, use_running_average=True):
        x = self.drop(self.layer(x), deterministic=not is_training)
        return self.norm(x, use_running_average=use_running_average)


class Own(Block):
    """A field of its own, beside those that `module.train()` sets."""

    def __init__(self, rngs):
        super().__init__(rngs)
        self.is_training = False

    def __call__(self, x):
        return self.norm(self.drop(self.layer(x), deterministic=not self.is_training))


REACHED = {
    "train": linen(by_train),
    "training": linen(by_training),
    "is_training": linen(by_is_training),
    "deterministic": linen(by_deterministic),
    "use_running_average": linen(by_running_average),
    "several": linen(by_several),
    "field-true": linen(by_field, deterministic=True),
    "field-false": linen(by_field, deterministic=False),
    "field-none": linen(by_field, deterministic=None),
    "merged-none": linen(by_merging, train=None),
    "merged-set": linen(by_merging, train=True),
    "attention": linen(attention),
    "nnx-deterministic": Block,
    "nnx-several": Several,
    "nnx-field": Own,
}


@pytest.mark.parametrize("name", REACHED)
def test_dropout_and_statistics_are_on_in_training_and_off_in_evaluation(name):
    check_modes(REACHED[name], SHAPE)
    model, key = as_model(REACHED[name]), jax.random.key(0)
    variables = jax.eval_shape(model.init, key, SHAPE)

    def in_mode(train: bool) -> Any:
        x = np.ones(SHAPE.shape, np.float32)
        return effects(lambda key, v: model.apply(v, x, train, key), key, variables)

    random, *changed = in_mode(True)
    assert random and sum(changed) == 2  # BatchNorm's mean and variance
    assert not any(in_mode(False))


def own_dropout(self, x, eval_mode=True):
    x = nn.Dense(8)(x)
    return x if eval_mode else x * jax.random.bernoulli(self.make_rng("dropout"), 0.5, x.shape)


class Words(Block):
    def __call__(self, x, mode="eval"):
        return self.norm(self.drop(self.layer(x), deterministic=mode == "eval"))


@pytest.mark.parametrize(
    ("network", "argument"),
    [
        (linen(lambda self, x, det=True: dropped(x, det)), "det = True"),
        (linen(lambda self, x, mode="eval": dropped(x, mode == "eval")), "mode = 'eval'"),
        (linen(lambda self, x, inference=True: normed(x, inference)), "inference = True"),
        (linen(own_dropout), "eval_mode = True"),
        (Words, "mode = 'eval'"),
    ],
)
def test_a_mode_of_another_name_is_refused_by_that_name(network, argument):
    with pytest.raises(ModelError, match=f"its argument {argument}"):
        check_modes(network, SHAPE)


def test_arguments_that_are_no_modes_are_taken():
    def call(self, x, train=False, mask=None, scale=True, activation="relu"):
        x = dropped(x, not train)
        return x * 2 if scale else x

    check_modes(linen(call), SHAPE)
    assert as_model(linen(call)).init(jax.random.key(0), X)["params"]


class Inner(nn.Module):
    deterministic: bool = True

    @nn.compact
    def __call__(self, x):
        return dropped(x, self.deterministic)


class Outer(nnx.Module):
    def __init__(self, rngs):
        self.block = Block(rngs)

    def __call__(self, x):
        return self.block(x)


@pytest.mark.parametrize(
    ("network", "train", "message"),
    [
        (linen(lambda self, x: dropped(x, True)), True, "training does not reach Dropout"),
        (linen(lambda self, x: normed(x, True)), True, "training does not reach BatchNorm"),
        (linen(lambda self, x: Inner()(x)), True, "training does not reach Dropout"),
        (Outer, True, "training does not reach Dropout at block.drop"),
        (linen(lambda self, x: dropped(x, False)), False, "evaluation does not reach Dropout"),
        (linen(lambda self, x: normed(x, False)), False, "evaluation does not reach BatchNorm"),
    ],
)
def test_a_layer_that_no_mode_reaches_is_named(network, train, message):
    model, key = as_model(network), jax.random.key(0)
    variables = model.init(key, X)
    with pytest.raises(ModelError, match=message):
        jax.eval_shape(lambda v, x: model.apply(v, x, train, key), variables, X)


def test_dropout_of_rate_0_and_a_teacher_beside_the_student_are_taken():
    def call(self, x, train=False):
        drop = nn.Dropout(0.5)
        hidden = nn.Dense(8)(nn.Dropout(0.0, deterministic=True)(x))
        return drop(hidden, deterministic=not train) - drop(hidden, deterministic=True)

    model, key = as_model(linen(call)), jax.random.key(0)
    variables = model.init(key, X)
    for train in (True, False):
        assert model.apply(variables, X, train, key)[0].shape == (4, 8)


def test_another_random_stream_is_named():
    def call(self, x):
        return nn.Dense(8)(x) + jax.random.normal(self.make_rng("sample"), (8,))

    model, key = as_model(linen(call)), jax.random.key(0)
    variables = model.init(key, X)
    with pytest.raises(ModelError, match='lrlab does not give; it gives "dropout" alone'):
        model.apply(variables, X, True, key)


def test_a_rematerialized_module_gets_its_mode_by_place():
    plain, again = linen(by_train), nn.remat(type(linen(by_train)), static_argnums=(2,))()
    key = jax.random.key(0)
    for train in (True, False):
        outputs = []
        for network in (plain, again):
            model = as_model(network)
            variables = model.init(key, X)
            outputs.append(model.apply(variables, X, train, key)[0])
        np.testing.assert_allclose(*outputs, rtol=1e-6, atol=1e-6)
