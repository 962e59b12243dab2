"""Gradient noise against known means and covariances."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probed import measure
from quick import jit

from lrlab import probes
from lrlab.probes.toy import bowl


def points(dimension=4):
    """Loss (w - x)' H (w - x) / 2 of example x: gradient H (w - x), covariance H C H."""
    random = np.random.default_rng(1)
    h, root = np.array([3.0, 1.0, 0.5, 0.1]), random.normal(size=(dimension, dimension)) / 2
    return h, root, np.full(dimension, 0.7)


def quadratic_lane(x, h, w):
    def loss(params, state, batch, key):
        return jnp.mean(0.5 * ((params["w"] - batch) ** 2) @ h), (state, {})

    task = bowl([1.0]).task._replace(loss=loss)
    return bowl([1.0])._replace(task=task, params={"w": w}, data=x, batch_size=16)


def test_noise_scales_have_no_bias() -> None:
    """400 data sets of known mean and covariance at once: means within 4 standard errors."""
    with jax.enable_x64(True):
        h, root, mean = points()
        x = jax.random.normal(jax.random.key(0), (400, 64, 4)) @ root.T + mean
        w = jnp.zeros(4)
        g, s = h * (0 - mean), np.diag(h) @ root @ root.T @ np.diag(h)
        want = {
            "gradient_norm2": g @ g, "gradient_variance": np.trace(s),
            "curvature_signal": g @ (h * g), "curvature_noise": np.trace(np.diag(h) @ s),
        }  # fmt: skip
        found = {}
        for name in ("noise_scale", "critical_batch_size"):
            probe = probes.engine_probe(name)
            at = jit(jax.vmap(lambda x, probe=probe: probe.measure(quadratic_lane(x, h, w))))
            found |= at(x)
        for key, value in want.items():
            error = np.std(found[key], ddof=1) / np.sqrt(len(x))
            assert abs(np.mean(found[key]) - value) < 4 * error, key
        above = found["gradient_norm2"] > 0
        np.testing.assert_allclose(
            found["noise_scale"][above],
            (found["gradient_variance"] / found["gradient_norm2"])[above],
            rtol=1e-5,
            atol=1e-6,
        )


def test_gradient_snr_is_the_noise_scale_upside_down() -> None:
    with jax.enable_x64(True):
        h, root, mean = points()
        x = jax.random.normal(jax.random.key(0), (64, 4)) @ root.T + mean
        lane = quadratic_lane(x, h, jnp.zeros(4))
        found = measure("gradient_snr", lane)
        scale = measure("noise_scale", lane)["noise_scale"]
        assert found["gradient_snr"] == pytest.approx(16 / scale)
        parts = -(h * np.asarray(x)).reshape(8, 8, 4).mean(1)
        want = (parts.mean(0) ** 2 / (8 * parts.var(0, ddof=1))).mean()
        assert found["gradient_snr_mean"] == pytest.approx(want)
        with pytest.raises(ValueError, match="8 parts of 3 training examples"):
            probes.engine_probe("noise_scale").measure(lane._replace(data=jnp.ones((3, 4))))


def test_an_objectives_noise_is_that_of_its_key() -> None:
    def loss(params, state, batch, key):
        return jnp.sum(params["x"] * (1 + jax.random.normal(key, (2,)))), (state, {})

    lane = bowl([1.0, 1.0])
    lane = lane._replace(task=lane.task._replace(loss=loss))
    found = measure("noise_scale", lane, batches=4000)
    assert found["gradient_norm2"] == pytest.approx(2, rel=0.1)
    assert found["gradient_variance"] == pytest.approx(2, rel=0.1)
