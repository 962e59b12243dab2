"""The planes of slices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lrlab import probes


@pytest.mark.slow
def test_a_flat_trajectory_lies_in_its_plane_and_the_slice_is_the_loss() -> None:
    with jax.enable_x64(True):
        random = np.random.default_rng(0)
        two, weights = random.normal(size=(2, 6)), random.normal(size=(9, 2))
        points = {"x": jnp.asarray(1 + weights @ two)}
        plane = probes.trajectory_plane(points)
        assert plane.coordinates is not None
        assert float(plane.explained) == pytest.approx(1)
        u, v = plane.u["x"], plane.v["x"]
        np.testing.assert_allclose([u @ u, v @ v, u @ v], [1, 1, 0], atol=1e-12)

        def loss(params, power):
            return jnp.sum(jnp.abs(params["x"]) ** power)

        for point, (a, b) in zip(points["x"], plane.coordinates, strict=True):
            there = probes.loss_slice(loss, plane, [float(a)], [float(b)], 3)[0, 0]
            assert float(there) == pytest.approx(float(loss({"x": point}, 3)))
        grid = probes.loss_slice(loss, plane, [0.0, 1.0, 2.0], [0.0, 1.0], 2)
        assert grid.shape == (2, 3)


def test_a_line_and_a_point_have_planes_too() -> None:
    line = probes.trajectory_plane({"x": jnp.arange(4.0)[:, None] * jnp.ones(3)})
    assert float(line.explained) == pytest.approx(1)
    np.testing.assert_allclose(line.v["x"], 0, atol=1e-6)
    still = probes.trajectory_plane({"x": jnp.ones((3, 2))})
    assert float(still.explained) == 1
    np.testing.assert_array_equal(still.coordinates, 0)
