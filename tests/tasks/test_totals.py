"""Sums over a split, part by part."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlab.core.errors import FieldError
from lrlab.tasks.parts import checked_totals, means_of, over_parts, scalars


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 30), size=st.integers(1, 40), seed=st.integers(0, 9))
def test_the_mean_does_not_depend_on_how_a_split_is_cut(count, size, seed):
    random = np.random.default_rng(seed)
    values = random.integers(-9, 9, count).astype(np.float32)
    weights = random.integers(0, 3, count).astype(np.float32)

    def measure(part, key):
        x, w = part
        return {"a": (x * w).sum()}, {"a": w.sum()}

    data = (jnp.asarray(values), jnp.asarray(weights))
    mean = means_of(over_parts(measure, data, size, jax.random.key(0)))["a"]
    expected = (values * weights).sum() / weights.sum() if weights.sum() else 0.0
    np.testing.assert_allclose(mean, expected, rtol=1e-6, atol=1e-6)


def test_the_first_part_has_the_key_itself_and_every_other_its_own():
    seen = []

    def measure(part, key):
        jax.debug.callback(lambda bits: seen.append(tuple(bits.tolist())), jax.random.key_data(key))
        return {"n": jnp.float32(len(part))}, {"n": jnp.float32(1)}

    key = jax.random.key(5)
    sums, weights = over_parts(measure, jnp.zeros(11), 4, key)
    jax.effects_barrier()
    expected = [key, *(jax.random.fold_in(key, number) for number in (1, 2))]
    assert sorted(seen) == sorted(tuple(jax.random.key_data(one).tolist()) for one in expected)
    assert sums["n"] == 11 and weights["n"] == 3


def test_no_data_are_measured_once():
    sums, _ = over_parts(lambda part, key: ({"a": 1.0}, {"a": 1.0}), None, 8, jax.random.key(0))
    assert sums == {"a": 1.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": 1.0}, "gave dict, expected two dicts"),
        (({"a": 1.0}, {"a": 1.0}, {}), "gave tuple"),
        (({"a": 1.0}, {}), "different metrics: a"),
        (({"a": np.zeros(2)}, {"a": 1.0}), r"\[2\], expected one real number"),
        (({"not a name": 1.0}, {"not a name": 1.0}), "letters, digits and underscores"),
        (({"a": "x"}, {"a": 1.0}), "as str, expected a number"),
        (({"a": 1j}, {"a": 1.0}), "expected one real number"),
    ],
)
def test_what_is_no_sums_and_weights_is_named(given, words):
    with pytest.raises(FieldError, match=words):
        checked_totals("evaluate", given, "float32")


def test_scalars_have_the_dtype_of_the_run():
    result = scalars("the loss", {"a": jnp.bfloat16(2), "n": 3, "yes": True}, "float32")
    assert {value.dtype for value in result.values()} == {np.dtype("float32")}
    assert result["yes"] == 1
