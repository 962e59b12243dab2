"""The convolution against XLA's, forward and backward, in float64."""

from __future__ import annotations

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from flax import nnx
from jax import lax

from lrlab.engine.flops import count
from lrlab.models import conv_primitive
from lrlab.models.conv import conv_general_dilated
from lrlab.models.pooling import avg_pool, max_pool

GEOMETRY = conv_primitive.Geometry((40, 40), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))

CASES = {
    "same": dict(x=(2, 7, 6, 3), w=(3, 3, 3, 4)),
    "valid": dict(x=(2, 7, 6, 3), w=(3, 2, 3, 4), padding="VALID"),
    "many channels": dict(x=(2, 6, 6, 40), w=(3, 3, 40, 5)),
    "many channels on both sides": dict(x=(2, 6, 5, 17), w=(3, 3, 17, 18)),
    "many channels, stride and dilation": dict(
        x=(2, 9, 10, 17), w=(3, 2, 17, 18), strides=(1, 2), dilation=(2, 1)
    ),
    "more padding than the kernel reaches": dict(
        x=(2, 5, 6, 2), w=(3, 3, 2, 4), padding=((4, 0), (0, 3))
    ),
    "one channel": dict(x=(3, 7, 6, 1), w=(3, 3, 1, 4)),
    "batch of none": dict(x=(0, 7, 6, 1), w=(3, 3, 1, 4)),
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


@pytest.mark.parametrize("name", few(CASES, 4))
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


DEPTHWISE = {
    "same": dict(x=(2, 7, 6, 9), w=(3, 3, 1, 9)),
    "two results of a channel": dict(x=(2, 7, 6, 9), w=(3, 2, 1, 18), padding="VALID"),
    "stride and dilation": dict(
        x=(2, 11, 12, 10), w=(3, 3, 1, 10), window_strides=(2, 3), rhs_dilation=(2, 1)
    ),
    "padding of any sign": dict(x=(2, 8, 8, 9), w=(3, 3, 1, 9), padding=((-1, 3), (2, -2))),
    "one dimension": dict(x=(2, 9, 12), w=(4, 1, 12), dimension_numbers=("NWC", "WIO", "NWC")),
    "three dimensions": dict(
        x=(1, 4, 5, 4, 9), w=(2, 3, 2, 1, 9), dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    ),
    "channels first": dict(
        x=(2, 9, 7, 6), w=(9, 1, 3, 3), dimension_numbers=("NCHW", "OIHW", "NCHW")
    ),
    "a kernel larger than the image": dict(x=(2, 3, 9, 9), w=(4, 3, 1, 9), padding="VALID"),
}


@pytest.mark.parametrize("name", few(DEPTHWISE, 3))
def test_a_depthwise_convolution_equals_xlas_forward_and_backward(name):
    case = dict(DEPTHWISE[name])
    shapes = case.pop("x"), case.pop("w")
    options = {
        "window_strides": (1,) * (len(shapes[0]) - 2), "padding": "SAME", "rhs_dilation": None,
        "dimension_numbers": ("NHWC", "HWIO", "NHWC"), **case,
    }  # fmt: skip
    numbers = lax.conv_dimension_numbers(*shapes, options["dimension_numbers"])
    options["feature_group_count"] = shapes[0][numbers.lhs_spec[1]]
    with jax.enable_x64(True):
        x, w = arrays(*shapes)
        (weights,) = arrays(lax.conv_general_dilated(x, w, **options).shape)

        def both(function):
            loss = lambda x, w: jnp.sum(jnp.sin(function(x, w, **options)) * weights)  # noqa: E731
            return function(x, w, **options), *jax.grad(loss, (0, 1))(x, w)

        results = map(both, (conv_general_dilated, lax.conv_general_dilated))
        for mine, theirs in zip(*results, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10)


def test_short_floats_of_a_depthwise_convolution_are_added_up_in_float32():
    x, w = jnp.ones((1, 40, 9), jnp.bfloat16), jnp.full((33, 1, 9), 1.0, jnp.bfloat16)
    options = dict(
        window_strides=(1,), padding="VALID", dimension_numbers=("NWC", "WIO", "NWC"),
        feature_group_count=9,
    )  # fmt: skip
    many = jnp.concatenate([jnp.full((1, 1, 9), 512, jnp.bfloat16), x[:, 1:]], 1)
    y = conv_general_dilated(many, w, **options)
    assert y.dtype == jnp.bfloat16 and float(y[0, 0, 0]) == 544  # 512 + 1 is 512 in bfloat16


def conv(function, strides=(1, 1)):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lambda x, w: function(x, w, strides, "SAME", dimension_numbers=numbers)


def arrays(*shapes):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 3)])
@pytest.mark.parametrize("channels", few([((3, 4),), ((20, 17),)], 1))
def test_vmapped_equals_lane_by_lane(axes, channels):
    """Values and both gradients of each lane, with shared and own images and kernels."""
    inner, outer = channels
    with jax.enable_x64(True):
        x, w, weights = arrays((5, 2, 6, 7, inner), (5, 3, 3, inner, outer), (2, 6, 7, outer))

        def of(function):
            def one(x, w):
                return conv(function)(x, w), *jax.grad(
                    lambda x, w: jnp.sum(jnp.sin(conv(function)(x, w)) * weights), (0, 1)
                )(x, w)

            return one

        given = [
            value[0] if axis is None else jnp.moveaxis(value, 0, axis)
            for value, axis in zip((x, w), axes, strict=True)
        ]
        ours = jax.jit(jax.vmap(of(conv_general_dilated), axes))(*given)
        for lane in range(5):
            own = [v if a is not None else v[:1] for v, a in zip((x, w), axes, strict=True)]
            exact = of(lax.conv_general_dilated)(*(v[min(lane, len(v) - 1)] for v in own))
            for mine, theirs in zip(ours, exact, strict=True):
                np.testing.assert_allclose(mine[lane], theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
@pytest.mark.parametrize("channels", few([((1, 4),), ((17, 18),)], 1))
def test_derivatives_of_every_order(strides, channels):
    """Forward mode, and a Hessian-vector product, forward over reverse and reverse over reverse."""
    inner, outer = channels
    with jax.enable_x64(True):
        x, w, dx, dw = arrays(*[(2, 5, 6, inner), (3, 3, inner, outer)] * 2)

        def measured(function):
            loss = lambda x, w: jnp.sum(jnp.sin(conv(function, strides)(x, w)))  # noqa: E731
            gradient = jax.grad(loss, (0, 1))
            inside = lambda x, w: sum(  # noqa: E731
                jnp.vdot(g, v) for g, v in zip(gradient(x, w), (dx, dw), strict=True)
            )
            return (
                jax.jvp(conv(function, strides), (x, w), (dx, dw)),
                jax.jvp(gradient, (x, w), (dx, dw)),
                jax.grad(inside, (0, 1))(x, w),
            )

        for ours, theirs in zip(
            jax.tree.leaves(measured(conv_general_dilated)),
            jax.tree.leaves(measured(lax.conv_general_dilated)),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_the_kernel_gradient_is_summed_over_groups_of_images():
    """Images whose patches do not fit in a core's cache go through in groups."""
    with jax.enable_x64(True):
        x, w, g = arrays((6, 40, 40, 8), (3, 3, 8, 4), (6, 40, 40, 4))
        ours, theirs = (
            jax.vjp(lambda w, f=f: conv(f)(x, w), w)[1](g)[0]
            for f in (conv_general_dilated, lax.conv_general_dilated)
        )
        text = str(jax.make_jaxpr(lambda x, g: conv_primitive._by_kernel(x, g, GEOMETRY))(x, g))
        assert "while" in text or "scan" in text
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def test_no_grouped_convolution_is_left_for_xla():
    """`vmap` over kernels makes one of `nn.Conv`; ours stays one lane's, forward and backward."""
    x = np.ones((1, 6, 6, 16), np.float32)

    def program(**options):
        layer = nn.Sequential(
            [nn.Conv(16, (3, 3), **options), nn.tanh, nn.Conv(16, (3, 3), **options)]
        )
        lanes = jax.vmap(lambda key: layer.init(key, x))(jax.random.split(jax.random.key(0), 3))
        loss = lambda p: jnp.sum(layer.apply(p, x) ** 2)  # noqa: E731
        return jax.jit(jax.vmap(jax.grad(loss))).lower(lanes).as_text()

    grouped = re.compile(r"(feature|batch)_group_count = [2-9]")
    assert grouped.search(program())
    assert not grouped.search(program(conv_general_dilated=conv_general_dilated))


def test_operations_are_counted():
    """Forward and both gradients cost the same products."""
    with jax.enable_x64(False):
        x, w = np.ones((2, 6, 6, 3), np.float32), np.ones((3, 3, 3, 4), np.float32)
        loss = lambda x, w: jnp.sum(conv(conv_general_dilated)(x, w) ** 2)  # noqa: E731
        counted = count(jax.make_jaxpr(jax.grad(loss, (0, 1)))(x, w).jaxpr)
    assert counted == 3 * 2 * (2 * 6 * 6 * 4) * (3 * 3 * 3)


def test_nnx_takes_it_by_one_line():
    layer = nnx.Conv(2, 4, (3, 3), conv_general_dilated=conv_general_dilated, rngs=nnx.Rngs(0))
    plain = nnx.Conv(2, 4, (3, 3), rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 6), (5, 6)])
def test_pooling_equals_flax(size):
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    np.testing.assert_allclose(
        avg_pool(x, (2, 2)), nn.avg_pool(x, (2, 2), (2, 2)), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(max_pool(x, (2, 2)), nn.max_pool(x, (2, 2), (2, 2)))
    weights = np.random.default_rng(1).normal(size=max_pool(x, (2, 2)).shape)
    ours = jax.grad(lambda x: (max_pool(x, (2, 2)) * weights).sum())(x)
    theirs = jax.grad(lambda x: (nn.max_pool(x, (2, 2), (2, 2)) * weights).sum())(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("window", few([((2, 2),), ((1, 2),), ((2, 3),)], 1))
def test_max_pooling_gives_ties_to_the_first(window):
    """As XLA's own pooling; images of few values tie in most windows."""
    x = np.random.default_rng(0).integers(0, 3, (2, 4, 6, 5)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=max_pool(x, window).shape)

    def gradient(pool):
        return jax.grad(lambda x: (pool(x) * weights).sum())(x)

    np.testing.assert_array_equal(
        gradient(lambda x: max_pool(x, window)), gradient(lambda x: nn.max_pool(x, window, window))
    )


def test_max_pooling_of_large_windows_in_half_precision_gives_each_gradient_once():
    """bfloat16 has no odd whole numbers above 256, by which an entry could be named."""
    entries = np.random.default_rng(0).permutation(2 * 20 * 20).reshape(2, 20, 20, 1) / 1600
    x = jnp.asarray(entries, jnp.bfloat16)
    gradient = jax.grad(lambda x: max_pool(x, (20, 20)).astype(jnp.float32).sum())(x)
    np.testing.assert_array_equal(gradient.sum((1, 2, 3)), 1)
