"""The dense layer's product against `lax.dot_general`, in float64: values, gradients, curvature."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from lrlab.models.dense import dot_general, stock

DENSE = (((1,), (0,)), ((), ()))


def draws(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("rows", [(7,), (3, 5), (2, 3, 4)])
def test_values_gradients_and_curvature_equal(rows):
    with jax.enable_x64(True):
        x, w, ct = draws((*rows, 6), (6, 4), (*rows, 4))
        numbers = (((len(rows),), (0,)), ((), ()))

        def loss(product):
            return lambda x, w: (jnp.tanh(product(x, w, numbers)) * ct).sum()

        ours, theirs = loss(dot_general), loss(lax.dot_general)
        for of in (
            lambda f: f(x, w),
            lambda f: jax.grad(f, (0, 1))(x, w),
            lambda f: jax.hessian(f, 1)(x, w),
            lambda f: jax.jacrev(jax.grad(f, 1), 0)(x, w),
            lambda f: jax.jvp(f, (x, w), (0.3 * x, w**2)),
        ):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13),
                of(ours),
                of(theirs),
            )


def test_under_vmap_over_weights():
    with jax.enable_x64(True):
        x, w, ct = draws((5, 6), (3, 6, 4), (5, 4))

        def gradient(product):
            return jax.vmap(jax.grad(lambda w: (product(x, w, DENSE) * ct).sum()))(w)

        np.testing.assert_allclose(gradient(dot_general), gradient(lax.dot_general), rtol=1e-12)


def test_what_is_no_dense_layer_goes_to_lax():
    x, w = map(np.float32, draws((2, 3, 4), (2, 4, 5)))
    batched = (((2,), (1,)), ((0,), (0,)))
    np.testing.assert_array_equal(dot_general(x, w, batched), lax.dot_general(x, w, batched))
    whole, ones = np.ones((2, 3), np.int32), np.ones((3, 2), np.int32)
    assert dot_general(whole, ones, DENSE).dtype == jnp.int32
    assert dot_general(np.ones((0, 3), np.float32), np.ones((3, 2), np.float32), DENSE).size == 0


def test_in_linen_and_nnx_layers():
    x = np.float32(draws((5, 6))[0])
    ours, theirs = nn.Dense(4, dot_general=dot_general), nn.Dense(4)
    variables = theirs.init(jax.random.key(0), x)
    np.testing.assert_array_equal(ours.apply(variables, x), theirs.apply(variables, x))
    layer = nnx.Linear(6, 4, dot_general=dot_general, rngs=nnx.Rngs(0))
    plain = nnx.Linear(6, 4, rngs=nnx.Rngs(0))
    gradients = [nnx.grad(lambda m: m(x).sum())(model) for model in (layer, plain)]
    for a, b in zip(*map(jax.tree.leaves, gradients), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_stock_layers_for_comparisons():
    x, w = map(np.float32, draws((5, 6), (6, 4)))

    def program() -> str:
        # A function of its own each time: JAX remembers what it traced.
        return str(jax.make_jaxpr(jax.grad(lambda w: dot_general(x, w, DENSE).sum()))(w))

    with stock():
        plain = program()
    assert "optimization_barrier" not in plain and "optimization_barrier" in program()


def test_large_layers_are_left_to_lax():
    def program(size):
        shapes = (jax.ShapeDtypeStruct(shape, "float32") for shape in ((2, size), (size, size)))
        return str(jax.make_jaxpr(lambda x, w: dot_general(x, w, DENSE))(*shapes))

    assert "custom_jvp" in program(128) and "custom_jvp" not in program(512)
