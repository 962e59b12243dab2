"""Dense layers against `lax.dot_general` and Flax's, in float64: values, gradients, curvature."""

from __future__ import annotations

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from flax import nnx
from jax import lax

from lrlab.engine.flops import count
from lrlab.models.dense import FEW, LONG, Dense, dense, dot_general

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

        @partial(jax.jit, static_argnums=0)
        def values(f):
            mixed = jax.jacrev(jax.grad(f, 1), 0)(x, w)
            return jax.grad(f, (0, 1))(x, w), jax.hessian(f, 1)(x, w), mixed

        assert_equal(values(ours), values(theirs))
        assert_equal(*(jax.jvp(f, (x, w), (0.3 * x, w**2)) for f in (ours, theirs)))


def test_under_vmap_over_weights():
    with jax.enable_x64(True):
        x, w, ct = draws((5, 6), (3, 6, 4), (5, 4))

        def gradient(product):
            return jax.vmap(jax.grad(lambda w: (product(x, w, DENSE) * ct).sum()))(w)

        np.testing.assert_allclose(
            gradient(dot_general), gradient(lax.dot_general), rtol=1e-12, atol=1e-12
        )


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
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_large_layers_are_left_to_lax():
    def program(size):
        shapes = (jax.ShapeDtypeStruct(shape, "float32") for shape in ((2, size), (size, size)))
        return str(jax.make_jaxpr(lambda x, w: dot_general(x, w, DENSE))(*shapes))

    assert "lrlab_dense" in program(128) and "lrlab_dense" not in program(512)


def plain(x, w, b=None):
    y = lax.dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())))
    return y if b is None else y + b


def loss_of(layer, ct):
    return lambda x, w, b: (jnp.tanh(layer(x, w, b)) * ct).sum()


def assert_equal(ours, theirs):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), ours, theirs
    )


def form_of(*args):
    """ "last", "rows" or "xla": how the layer is computed."""
    text = str(jax.make_jaxpr(dense)(*args))
    return "last" if "examples_last=True" in text else "rows" if "lrlab_dense" in text else "xla"


@pytest.mark.parametrize(
    ("rows", "inputs", "outputs", "form"),
    [
        ((FEW,), 6, 4, "last"),
        ((FEW + 5,), 4, 6, "last"),  # the kernel's gradient the other way round
        ((FEW,), 5, 5, "last"),
        ((FEW,), LONG, 3, "last"),
        ((FEW - 1,), 6, 4, "rows"),
        ((FEW,), LONG + 1, 3, "rows"),
        ((3, FEW), 6, 4, "rows"),
    ],
)
def test_layers_with_bias_in_every_form(rows, inputs, outputs, form):
    with jax.enable_x64(True):
        x, w, b, ct = draws((*rows, inputs), (inputs, outputs), (outputs,), (*rows, outputs))
        assert form_of(x, w, b) == form
        ours, theirs = loss_of(dense, ct), loss_of(plain, ct)
        args, tangents = (x, w, b), (0.3 * x, w**2, b - 1)

        def values(f):
            slope = jax.grad(f, (0, 1, 2))
            return jax.jvp(f, args, tangents), jax.jvp(slope, args, tangents)

        assert_equal(jax.jit(values, static_argnums=0)(ours), values(theirs))
        assert_equal(dense(x, w), plain(x, w))


@pytest.mark.parametrize("axes", [(None, 0, 0), (0, 0, 0), (0, None, None), (None, 0, None)])
@pytest.mark.parametrize("sizes", few([((6, 4),), ((4, 6),)], 1))
def test_layers_under_vmap_over_any_of_their_arguments(axes, sizes):
    """Both orders: gradients of lanes, and gradients through lanes."""
    shapes = ((FEW, sizes[0]), sizes, (sizes[1],))
    with jax.enable_x64(True):
        drawn = draws(*((3, *s) if axis == 0 else s for s, axis in zip(shapes, axes, strict=True)))
        args = tuple(map(jnp.asarray, drawn))
        (ct,) = draws((FEW, sizes[1]))

        @partial(jax.jit, static_argnums=0)
        def values(layer):
            lane = loss_of(layer, ct)
            through = jax.grad(lambda *args: jax.vmap(lane, axes)(*args).sum(), (0, 1, 2))
            inside = jax.vmap(jax.grad(lane, (0, 1, 2)), axes)(*args)
            return inside, jax.jvp(through, args, args)

        assert_equal(values(dense), values(plain))


def test_gradients_of_single_examples():
    with jax.enable_x64(True):
        x, w, b, ct = draws((FEW, 6), (6, 4), (4,), (FEW, 4))

        def gradients(layer):
            one = jax.grad(lambda w, b, x, ct: loss_of(layer, ct)(x[None], w, b), (0, 1))
            return jax.vmap(one, (None, None, 0, 0))(w, b, x, ct)

        assert_equal(gradients(dense), gradients(plain))


@pytest.mark.parametrize("examples", [FEW, 2])
def test_flops_are_those_of_three_products(examples):
    x, w, b = jnp.zeros((examples, 6)), jnp.zeros((6, 4)), jnp.zeros(4)
    jaxpr = jax.make_jaxpr(jax.grad(lambda *args: (dense(*args) ** 2).sum(), (0, 1, 2)))(x, w, b)
    assert count(jaxpr.jaxpr) == 3 * 2 * examples * 6 * 4


def test_a_dense_module_is_flaxs():
    x = np.float32(draws((FEW, 6))[0])
    for options in ({}, {"use_bias": False}, {"kernel_init": nn.initializers.ones_init()}):
        ours, theirs = Dense(4, **options), nn.Dense(4, **options)
        variables = ours.init(jax.random.key(1), x)
        jax.tree.map(np.testing.assert_array_equal, variables, theirs.init(jax.random.key(1), x))
        np.testing.assert_allclose(
            ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-6
        )
    with jax.enable_x64(True):
        assert Dense(4).apply(variables, np.float64(x)).dtype == jnp.float64


def test_no_product_of_vmapped_layers_has_ten_outputs_last():
    """What makes them fast, seen in the compiled program: the examples or the inputs are last."""
    w, b = jnp.zeros((8, 32, 10)), jnp.zeros((8, 10))
    x = jnp.zeros((8, 64, 32))
    lane = jax.grad(lambda w, b, x: (dense(x, w, b) ** 2).sum(), (0, 1, 2))
    text = jax.jit(jax.vmap(lane)).lower(w, b, x).compile().as_text()
    products = [line for line in text.splitlines() if " dot(" in line]
    shapes = {line.split("= ")[1].split("{")[0] for line in products}
    assert shapes == {"f32[8,10,64]", "f32[8,32,64]", "f32[8,10,32]"}
