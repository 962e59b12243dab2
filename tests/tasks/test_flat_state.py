"""A state of the user's as arrays by path, and back."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.training.train_state import TrainState

from lrlab.core.errors import FieldError
from lrlab.tasks.flat_state import differences, flat, form_of, whole


def state(functions=max):
    return {"f": (jnp.zeros((2, 3)), [1, 2.0]), "key": jax.random.key(3), "n": np.int32(4)}


def test_there_and_back():
    before = state()
    form = form_of("the state", before)
    after = whole(form, flat(before))
    assert jax.tree.structure(after) == jax.tree.structure(before)
    assert jax.random.key_data(after["key"]).tolist() == [0, 3]
    assert form.same(form_of("the state", after)) and differences(form, form) == ""


def test_static_parts_made_anew_do_not_matter():
    def made():
        tx = optax.adam(0.1)
        return TrainState.create(apply_fn=nn.Dense(2).apply, params={"w": jnp.ones(2)}, tx=tx)

    one, other = made(), made()
    form = form_of("the state", one)
    assert form.same(form_of("the state", other))
    assert jax.tree.structure(whole(form, flat(other))) == jax.tree.structure(one)


def test_no_leaf_is_of_weak_type():
    assert not any(leaf.aval.weak_type for leaf in flat({"a": 1, "b": 1.0, "c": True}).values())


def test_differences_are_named_by_path():
    before = form_of("the state", {"a": jnp.zeros(2), "b": 1, "c": 1})
    after = form_of("the state", {"a": jnp.zeros(3), "b": 1.0, "d": 1})
    said = differences(before, after)
    assert said == "c is gone; d is new; a float32[2] -> float32[3]; b int32[] -> float32[]"


def test_many_differences_are_counted():
    before = form_of("the state", {str(number): 1 for number in range(9)})
    assert differences(before, form_of("the state", {})).endswith("and 4 more")


def test_a_leaf_that_is_no_array_is_named():
    with pytest.raises(FieldError, match="the state holds str at a/b, which is no array"):
        form_of("the state", {"a": {"b": "relu"}})
