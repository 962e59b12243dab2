"""The cross-entropy in both of its forms against Optax's and against SciPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import log_softmax
from small_task import small_task

from lrlab.core.tracing import beside_others
from lrlab.models.dense import FEW
from lrlab.tasks import losses
from lrlab.tasks.losses import softmax_cross_entropy

over_lanes = beside_others()(softmax_cross_entropy)


@pytest.mark.parametrize("loss", [softmax_cross_entropy, over_lanes])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_values_gradients_and_curvature(loss, scale):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        z, y = scale * rng.normal(size=(FEW, 7)), rng.integers(0, 7, FEW)
        exact = -log_softmax(z, -1)[np.arange(FEW), y]
        np.testing.assert_allclose(loss(z, y), exact, rtol=1e-12, atol=1e-12)

        def derivatives(loss):
            def total(z):
                return loss(z, y).sum()

            return jax.jit(lambda z: jax.jvp(jax.grad(total), (z,), (z,)))(z)

        theirs = derivatives(optax.softmax_cross_entropy_with_integer_labels)
        for a, b in zip(derivatives(loss), theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)


def test_outputs_that_are_not_finite():
    z = np.zeros((FEW, 3), np.float32)
    z[0], z[1], z[2] = (0, -np.inf, 0), (np.nan, 0, 0), (np.inf, 0, 0)
    y = np.zeros(FEW, int)
    y[3], y[4] = 1, 2
    z[3, 1] = -np.inf
    ours = np.asarray(over_lanes(z, y))
    np.testing.assert_allclose(ours[[0, 4]], np.log([2, 3]), rtol=1e-6, atol=1e-6)
    assert np.isnan(ours[[1, 2]]).all() and ours[3] == np.inf


def test_labels_outside_of_the_classes_give_nan():
    z, y = np.zeros((FEW, 3), np.float32), np.zeros(FEW, int)
    y[:2] = 3, -1
    assert np.isnan(over_lanes(z, y)).tolist() == [True] * 2 + [False] * (FEW - 2)


def test_a_lane_alone_tokens_and_few_examples_are_as_optax_has_them():
    rng = np.random.default_rng(0)
    for loss, shape in (
        (softmax_cross_entropy, (FEW, 5)),
        (over_lanes, (FEW, 4, 5)),
        (over_lanes, (FEW - 1, 5)),
    ):
        z, y = np.float32(rng.normal(size=shape)), np.ones(shape[:-1], np.int32)
        theirs = optax.softmax_cross_entropy_with_integer_labels(z, y)
        np.testing.assert_array_equal(loss(z, y), theirs)


def test_losses_are_those_of_optax():
    o, t = jnp.asarray(np.random.RandomState(1).randn(5, 3)), jnp.arange(5) % 3
    expected = optax.softmax_cross_entropy_with_integer_labels(o, t)
    assert jnp.array_equal(losses.softmax_cross_entropy(o, t), expected)
    expected = optax.sigmoid_binary_cross_entropy(o[:, 0], t == 1)
    assert jnp.allclose(losses.sigmoid_binary_cross_entropy(o[:, :1], t == 1), expected)
    assert jnp.allclose(losses.mse(o, o + 2), 4) and losses.mse(o, o).shape == (5,)


def test_mse_reconciles_and_never_broadcasts():
    o, t = jnp.ones((5, 1)), jnp.arange(5.0)
    assert losses.mse(o, t).shape == losses.mse(t, o).shape == (5,)
    with pytest.raises(ValueError, match=r"mse: the outputs have shape \(5, 3\), expected \(5,\)"):
        losses.mse(jnp.ones((5, 3)), t)
    with pytest.raises(ValueError, match="one-hot"):
        small_task(loss="mse")
