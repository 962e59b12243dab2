"""Curvature against exact Hessians in float64, for many lanes at once."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from jax.flatten_util import ravel_pytree
from quick import jit

from lrlab import probes
from lrlab.probes.curvature import top_eigenvalues


def net(params, x, y):
    return jnp.mean((jnp.tanh(x @ params["a"]) @ params["b"] - y) ** 2)


def random_net(key):
    a, b = jax.random.split(key)
    return {
        "a": jax.random.normal(a, (3, 8), jnp.float64),
        "b": jax.random.normal(b, (8,), jnp.float64),
    }


def exact(params, x, y):
    flat, unravel = ravel_pytree(params)
    return jax.hessian(lambda v: net(unravel(v), x, y))(flat)


@pytest.fixture
def lanes():
    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(1), (30, 3), jnp.float64)
        params = jax.vmap(random_net)(jax.random.split(jax.random.key(2), 32))
        yield params, x, jnp.sin(x[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize(("k", "iterations"), few([(3, 9), (1, 20)], 1))
def test_top_eigenvalues_of_32_lanes_at_once(lanes, k, iterations) -> None:
    params, x, y = lanes
    # 32 parameters: with as many products Lanczos could not but be exact, so these are fewer.
    few = jax.vmap(lambda p: probes.sharpness(net, p, x, y, k=k, iterations=iterations))
    found = jit(few)(params)
    hessians = jit(jax.vmap(lambda p: exact(p, x, y)))(params)
    want = np.linalg.eigvalsh(hessians)[:, ::-1][:, :k]
    assert found.shape == (32, k) and found.dtype == jnp.float64
    np.testing.assert_allclose(found, want, rtol=1e-3, atol=1e-6)
    full = jit(jax.vmap(lambda p: probes.sharpness(net, p, x, y, k=k)))(params)
    np.testing.assert_allclose(full, want, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("k", "iterations", "size", "products"),
    few([(1, 32, 100, 32), (3, 32, 1000, 96), (1, 32, 5, 5)], 1),
)
def test_cost_is_the_products_that_the_docstring_says(k, iterations, size, products) -> None:
    calls = []

    def product(vector):
        jax.debug.callback(lambda: calls.append(1))
        return vector * jnp.arange(1.0, size + 1)

    top_eigenvalues(product, jnp.zeros(size), k=k, iterations=iterations)
    jax.effects_barrier()
    assert len(calls) == products


@pytest.mark.parametrize(
    "h",
    [
        [2.0] * 4,  # one space: exhausted at once
        [0.0] * 3,
        [7.0],
        [1e-9] * 10,
        [3.0] * 3 + [1.0] * 97,  # the top three times
        [5.0] * 2 + list(np.linspace(-40, 1, 200)),  # far more negative than positive
        [*-np.linspace(1, 50, 30)],
        [1e6] + [1.0] * 60,
    ],
)
@pytest.mark.parametrize("precision", few(["float32", "float64"], 1))
def test_hard_spectra(h, precision) -> None:
    k = min(3, len(h))
    with jax.enable_x64(precision == "float64"):
        curvatures = jnp.asarray(h, precision)
        found = jit(lambda x: probes.sharpness(lambda x: 0.5 * jnp.sum(curvatures * x**2), x, k=k))(
            jnp.ones(len(h), precision)
        )
        assert found.dtype == precision
        want, scale = np.sort(h)[::-1][:k], np.abs(h).max()
        rounding = {"float32": 1e-6, "float64": 1e-14}[precision]
        np.testing.assert_allclose(found, want, rtol=1e-3, atol=100 * rounding * scale)


def test_preconditioned(lanes) -> None:
    params, x, y = lanes
    one = jax.tree.map(lambda leaf: leaf[0], params)
    scale = jax.tree.map(lambda leaf: 0.1 + leaf**2, one)
    root = ravel_pytree(scale)[0] ** -0.5
    want = np.linalg.eigvalsh(root[:, None] * jit(exact)(one, x, y) * root)[-1]
    found = jit(lambda p: probes.preconditioned_sharpness(net, p, scale, x, y))(one)
    assert float(found[0]) == pytest.approx(want)


def test_trace_and_gradient(lanes) -> None:
    params, x, y = lanes
    one = jax.tree.map(lambda leaf: leaf[0], params)
    hessian = jit(exact)(one, x, y)
    g = ravel_pytree(jax.grad(net)(one, x, y))[0]
    norm, along = jit(lambda p: probes.gradient_curvature(net, p, x, y))(one)
    assert float(norm) == pytest.approx(float(jnp.linalg.norm(g)))
    assert float(along) == pytest.approx(float(g @ hessian @ g / (g @ g)))
    spread = float(jnp.sqrt(2 * (jnp.sum(hessian**2) - jnp.sum(jnp.diag(hessian) ** 2)) / 2000))
    found = float(jit(lambda p: probes.hessian_trace(net, p, x, y, samples=2000))(one))
    assert abs(found - float(jnp.trace(hessian))) < 4 * spread


def test_a_diverged_lane_is_nan() -> None:
    def loss(x):
        return jnp.sum(x**4)

    found = jax.vmap(lambda x: probes.sharpness(loss, x))(jnp.array([[1.0, 2.0], [jnp.inf, 1.0]]))
    assert float(found[0, 0]) == pytest.approx(48, rel=1e-4) and jnp.isnan(found[1, 0])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="k is 3: it must be from 1 to the number of parameters"):
        probes.sharpness(jnp.sum, jnp.ones(2), k=3)
    with pytest.raises(ValueError, match="k is 0"):
        probes.sharpness(jnp.sum, jnp.ones(2), k=0)
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        probes.sharpness(jnp.sum, jnp.ones(2), iterations=0)
    with pytest.raises(ValueError, match="at least 2 points"):
        probes.trajectory_plane({"x": jnp.ones((1, 3))})


@pytest.mark.slow
def test_sharpness_on_two_devices_at_once() -> None:
    """Batched LAPACK calls would wait for each other for ever, so the child has a time limit."""
    code = (
        "import lrlab; r = lrlab.sweep('quadratic', lr=[0.1, 0.2, 0.3, 0.4], seeds=2, steps=4,"
        "optimizer='sgd', schedule='constant', probes=['sharpness'], progress=False,"
        "plan=lrlab.Plan(tile_width=4, devices=2)); print(r.history['sharpness'].max())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=1800, check=True
    )
    assert abs(float(found.stdout) - 1) < 1e-5
