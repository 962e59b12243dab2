"""The rules that dense layers and convolutions share, on the smallest trilinear form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.models.trilinear import GIVEN, trilinear

used = []


def compute(gives):
    def product(a, b, form):
        used.append(gives)
        return form * a * b

    return product


def batched(args, axes, *, gives, form):
    return form * args[0] * args[1], 0 if axes[0] is not None else axes[1]


scaled_p = trilinear("scaled", {gives: compute(gives) for gives in GIVEN}, batched)


def scaled(x, w):
    """2 x w, elementwise."""
    return scaled_p.bind(x, w, gives="y", form=2)


def test_the_factors_that_are_given_are_the_other_two():
    assert all({*given, missing} == {"x", "w", "y"} for missing, given in GIVEN.items())


def test_each_derivative_is_computed_by_its_own_function():
    x, w = jnp.float32(3.0), jnp.float32(5.0)
    # Functions of this test's own: what JAX has compiled for another test is not traced again.
    used.clear()
    assert float(jax.jit(lambda x, w: scaled(x, w))(x, w)) == 30 and set(used) == {"y"}
    used.clear()
    slope = jax.jit(lambda x, w: jax.vjp(scaled, x, w)[1](jnp.float32(1.0))[0])
    assert float(slope(x, w)) == 10
    assert set(used) >= {"x", "w"}


def test_derivatives_of_every_order():
    x, w = jnp.float32(3.0), jnp.float32(5.0)

    def cube(x):  # (2 w x)^3
        return scaled(x, w) ** 3

    slopes = (cube, jax.grad(cube), jax.grad(jax.grad(cube)), jax.grad(jax.grad(jax.grad(cube))))
    exact = (10**3 * 27, 10**3 * 27, 10**3 * 18, 10**3 * 6)
    for slope, value in zip(slopes, exact, strict=True):
        np.testing.assert_allclose(slope(x), value, rtol=1e-6, atol=1e-3)
    mixed = jax.grad(jax.grad(scaled, 0), 1)(x, w)
    assert float(mixed) == 2
    assert float(jax.jvp(scaled, (x, w), (jnp.float32(1.0), jnp.float32(1.0)))[1]) == 16


def test_vmap_and_jit():
    x = jnp.arange(3, dtype=jnp.float32)
    np.testing.assert_array_equal(jax.vmap(scaled, (0, None))(x, jnp.float32(2)), 4 * x)
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.grad(scaled)))(x, x), 2 * x)
