"""The shifted-product convolution against XLA's, forward and backward, in float64."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from lrlab.models.conv import conv_general_dilated
from lrlab.models.pooling import avg_pool, max_pool

CASES = {
    "same": dict(x=(2, 7, 6, 3), w=(3, 3, 3, 4)),
    "valid": dict(x=(2, 7, 6, 3), w=(3, 2, 3, 4), padding="VALID"),
    "many channels": dict(x=(2, 6, 6, 40), w=(3, 3, 40, 5)),
    "stride": dict(x=(2, 9, 8, 3), w=(3, 3, 3, 4), strides=(2, 3)),
    "dilation": dict(x=(2, 11, 10, 3), w=(3, 3, 3, 4), dilation=(2, 3)),
    "explicit padding": dict(x=(2, 5, 6, 2), w=(3, 3, 2, 4), padding=((2, 0), (1, 3))),
    "negative padding": dict(x=(2, 8, 8, 2), w=(3, 3, 2, 4), padding=((-1, 0), (0, -2))),
    "groups": dict(x=(2, 6, 6, 4), w=(3, 3, 2, 6), groups=2),
    "one by one": dict(x=(2, 6, 6, 4), w=(1, 1, 4, 6), strides=(2, 2)),
    "one dimension": dict(x=(2, 9, 3), w=(4, 3, 5), strides=(2,), numbers=("NWC", "WIO", "NWC")),
    "three dimensions": dict(
        x=(1, 4, 5, 4, 2), w=(2, 3, 2, 2, 3), strides=(1, 2, 1), numbers=("NDHWC", "DHWIO", "NDHWC")
    ),
    "channels first": dict(x=(2, 3, 7, 6), w=(4, 3, 3, 3), numbers=("NCHW", "OIHW", "NCHW")),
    "large kernel": dict(x=(1, 9, 9, 2), w=(8, 8, 2, 3)),
    "transposed": dict(
        x=(2, 5, 5, 3), w=(3, 3, 3, 4), lhs_dilation=(2, 2), padding=((1, 1), (2, 0))
    ),
    "empty": dict(x=(2, 2, 2, 3), w=(3, 3, 3, 4), padding="VALID"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_equals_xla_forward_and_backward(name):
    case = CASES[name]
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        x, w = (
            jnp.asarray(random.normal(size=case["x"])),
            jnp.asarray(random.normal(size=case["w"])),
        )
        spatial = x.ndim - 2
        arguments = dict(
            window_strides=case.get("strides", (1,) * spatial),
            padding=case.get("padding", "SAME"),
            lhs_dilation=case.get("lhs_dilation"),
            rhs_dilation=case.get("dilation"),
            dimension_numbers=case.get("numbers", ("NHWC", "HWIO", "NHWC")),
            feature_group_count=case.get("groups", 1),
        )

        def both(function):
            y = function(x, w, **arguments)
            weights = jnp.asarray(np.random.default_rng(1).normal(size=y.shape))
            loss = lambda x, w: jnp.sum(jnp.sin(function(x, w, **arguments)) * weights)  # noqa: E731
            return y, *jax.grad(loss, (0, 1))(x, w)

        for ours, theirs in zip(
            both(conv_general_dilated), both(lax.conv_general_dilated), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def test_vmapped_over_weights():
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 6, 6, 3)).astype(np.float32)
    w = random.normal(size=(5, 3, 3, 3, 4)).astype(np.float32)
    numbers = ("NHWC", "HWIO", "NHWC")
    ours = jax.vmap(lambda w: conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers))
    for lane, y in enumerate(ours(w)):
        exact = lax.conv_general_dilated(x, w[lane], (1, 1), "SAME", dimension_numbers=numbers)
        np.testing.assert_allclose(y, exact, rtol=1e-4, atol=1e-4)


def test_no_convolution_is_left_for_xla():
    layer = nn.Conv(4, (3, 3), conv_general_dilated=conv_general_dilated)
    x = np.ones((1, 6, 6, 2), np.float32)
    params = layer.init(jax.random.key(0), x)
    text = jax.jit(jax.grad(lambda p: layer.apply(p, x).sum())).lower(params).as_text()
    assert "convolution" not in text


def test_nnx_takes_it_by_one_line():
    layer = nnx.Conv(2, 4, (3, 3), conv_general_dilated=conv_general_dilated, rngs=nnx.Rngs(0))
    plain = nnx.Conv(2, 4, (3, 3), rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 6), (5, 6)])
def test_pooling_equals_flax(size):
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    np.testing.assert_allclose(avg_pool(x, (2, 2)), nn.avg_pool(x, (2, 2), (2, 2)), rtol=1e-6)
    np.testing.assert_array_equal(max_pool(x, (2, 2)), nn.max_pool(x, (2, 2), (2, 2)))
    weights = np.random.default_rng(1).normal(size=max_pool(x, (2, 2)).shape)
    ours = jax.grad(lambda x: (max_pool(x, (2, 2)) * weights).sum())(x)
    theirs = jax.grad(lambda x: (nn.max_pool(x, (2, 2), (2, 2)) * weights).sum())(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("window", [(2, 2), (1, 2), (2, 3)])
def test_max_pooling_gives_ties_to_the_first(window):
    """As XLA's own pooling; images of few values tie in most windows."""
    x = np.random.default_rng(0).integers(0, 3, (2, 4, 6, 5)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=max_pool(x, window).shape)

    def gradient(pool):
        return jax.grad(lambda x: (pool(x) * weights).sum())(x)

    np.testing.assert_array_equal(
        gradient(lambda x: max_pool(x, window)), gradient(lambda x: nn.max_pool(x, window, window))
    )
