"""Probes against exact Hessians in float64, for many lanes at once, and inside a sweep."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import lrlab
from lrlab import probes


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


def test_top_eigenvalues(lanes) -> None:
    params, x, y = lanes
    found = jax.jit(jax.vmap(lambda p: probes.sharpness(net, p, x, y, k=3)))(params)
    want = jax.vmap(lambda p: jnp.linalg.eigvalsh(exact(p, x, y))[::-1][:3])(params)
    assert found.shape == (32, 3)
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-8)


def test_preconditioned(lanes) -> None:
    params, x, y = lanes
    one = jax.tree.map(lambda leaf: leaf[0], params)
    scale = jax.tree.map(lambda leaf: 0.1 + leaf**2, one)
    root = ravel_pytree(scale)[0] ** -0.5
    want = jnp.linalg.eigvalsh(root[:, None] * exact(one, x, y) * root)[-1]
    assert probes.preconditioned_sharpness(net, one, scale, x, y)[0] == pytest.approx(float(want))


def test_trace_and_gradient(lanes) -> None:
    params, x, y = lanes
    one = jax.tree.map(lambda leaf: leaf[0], params)
    hessian = exact(one, x, y)
    g = ravel_pytree(jax.grad(net)(one, x, y))[0]
    norm, along = probes.gradient_curvature(net, one, x, y)
    assert float(norm) == pytest.approx(float(jnp.linalg.norm(g)))
    assert float(along) == pytest.approx(float(g @ hessian @ g / (g @ g)))
    spread = float(jnp.sqrt(2 * (jnp.sum(hessian**2) - jnp.sum(jnp.diag(hessian) ** 2)) / 2000))
    found = float(probes.hessian_trace(net, one, x, y, samples=2000))
    assert abs(found - float(jnp.trace(hessian))) < 4 * spread


@pytest.mark.parametrize(
    "h", [[2.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0], [-1.0, -4.0], [5.0, 0.0, 0.0]]
)
def test_degenerate(h) -> None:
    h = jnp.asarray(h)
    found = probes.sharpness(lambda x: 0.5 * jnp.sum(h * x**2), jnp.ones(h.size))
    assert float(found[0]) == pytest.approx(float(h.max()), abs=1e-5)


def test_a_diverged_lane_is_nan() -> None:
    def loss(x):
        return jnp.sum(x**4)

    found = jax.vmap(lambda x: probes.sharpness(loss, x))(jnp.array([[1.0, 2.0], [jnp.inf, 1.0]]))
    assert float(found[0, 0]) == pytest.approx(48, rel=1e-4) and jnp.isnan(found[1, 0])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="k is 3"):
        probes.sharpness(jnp.sum, jnp.ones(2), k=3)
    with pytest.raises(ValueError, match="did you mean 'sharpness'"):
        probes.engine_probes(["sharpnes"])


def test_in_a_sweep() -> None:
    task = lrlab.Task.objective(
        name="bowl",
        init=lambda key: {"x": jnp.ones(2)},
        loss=lambda params, key: 0.5 * jnp.sum(jnp.array([1.0, 4.0]) * params["x"] ** 2),
    )
    result = lrlab.sweep(
        task, optimizer="sgd", schedule="constant", lr=[0.1, 0.2], seeds=1, steps=5,
        eval_every=5, probes=list(probes.NAMES), progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(result.history["sharpness"][-1, :, 0], 4, rtol=1e-4)
    half = result.history["sharpness_times_lr_half"][-1, :, 0]
    np.testing.assert_allclose(half, [0.2, 0.4], rtol=1e-4)
