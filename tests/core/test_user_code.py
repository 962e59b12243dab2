"""What is said of a function of the user's that fails."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lrlab.core.user_code import fault, place_of


def test_the_line_of_the_user_is_named():
    def mine(x):
        return jnp.zeros(3) + jnp.zeros(4)

    with pytest.raises(TypeError) as caught:
        jax.eval_shape(mine, 1.0)
    line = mine.__code__.co_firstlineno + 1
    assert place_of(caught.value) == f" at {__file__}:{line}"
    assert fault("the loss", caught.value).startswith(
        f"the loss fails where JAX traces it at {__file__}"
    )


def test_a_decision_in_python_is_explained():
    with pytest.raises(jax.errors.ConcretizationTypeError) as caught:
        jax.eval_shape(lambda x: 1.0 if x > 0 else x, jax.ShapeDtypeStruct((), "float32"))
    assert "decides in Python" in fault("the loss", caught.value)
    assert "jnp.where" in fault("the loss", caught.value)


def test_what_numpy_or_a_library_cannot_read_is_explained():
    def mine(x):
        return np.median(x)

    with pytest.raises(jax.errors.TracerArrayConversionError) as caught:
        jax.eval_shape(mine, jax.ShapeDtypeStruct((3,), "float32"))
    said = fault("the metric", caught.value)
    assert "jax.pure_callback" in said and "jax.numpy" in said
    assert f" at {__file__}:{mine.__code__.co_firstlineno + 1}" in said


def test_long_texts_are_cut():
    assert len(fault("the loss", ValueError("x" * 5000))) < 300
