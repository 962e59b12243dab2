"""The rewritten program of a loss: the same numbers, gradients and curvature, and what it says."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few
from flax import nnx

from lrlab.core.tracing import beside_others
from lrlab.engine.jaxprs import inner_programs, opened
from lrlab.engine.rewriting import Note, in_words, notes, rewritten
from lrlab.task_types import TaskFunctions

LANES = 3
DRAWN = np.random.default_rng(0)
X = DRAWN.normal(size=(64, 12))
IMAGES = DRAWN.normal(size=(4, 8, 8, 3))
ROWS = DRAWN.normal(size=(4, 6, 12))


def draw(*shape):
    return 0.3 * np.random.default_rng(1).normal(size=shape)


class Two(nnx.Module):
    def __init__(self, rngs):
        self.a = nnx.Linear(12, 16, rngs=rngs, param_dtype=jnp.float64)
        self.b = nnx.Linear(16, 5, rngs=rngs, param_dtype=jnp.float64)

    def __call__(self, x):
        return self.b(nnx.relu(self.a(x)))


def linen(model, x):
    model = model.clone(**({"param_dtype": jnp.float64} if hasattr(model, "param_dtype") else {}))
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    return jax.tree.map(lambda leaf: draw(*leaf.shape), params), model.apply


@jax.custom_vjp
def with_its_own(w, x):
    return x @ w


with_its_own.defvjp(lambda w, x: (x @ w, (w, x)), lambda kept, g: (kept[1].T @ g, g @ kept[0].T))


def layers(w, x):
    return jax.lax.scan(lambda h, one: (jnp.tanh(h @ one), None), x, w)[0]


def looped(w, x):
    return jax.lax.fori_loop(0, 2, lambda i, h: jnp.tanh(h @ w), x)


KERNEL = draw(12, 7)
SQUARE = draw(12, 12)
MODELS = {
    "Linen MLP": lambda: (*linen(nn.Sequential([nn.Dense(16), nn.relu, nn.Dense(5)]), X), X),
    "NNX MLP": lambda: nnx_model(),
    "without bias": lambda: (*linen(nn.Dense(16, use_bias=False), X), X),
    "x w + b": lambda: ((KERNEL, draw(7)), lambda p, x: x @ p[0] + p[1], X),
    "x w^T + b": lambda: ((KERNEL.T, draw(7)), lambda p, x: x @ p[0].T + p[1], X),
    "x^T first": lambda: (KERNEL, lambda w, x: jnp.einsum("in,io->no", x.T, w), X),
    "w x of one example": lambda: (
        (KERNEL.T, draw(7)),
        lambda p, x: jax.vmap(lambda one: jnp.tanh(p[0] @ one + p[1]))(x),
        X,
    ),
    "several axes of outputs": lambda: (
        draw(12, 3, 2), lambda w, x: jnp.tensordot(x, w, ((2,), (0,))), ROWS,
    ),
    "several axes of inputs": lambda: (
        draw(6, 12, 2), lambda w, x: jnp.tensordot(x, w, ((1, 2), (0, 1))), ROWS,
    ),
    "scan over layers": lambda: (draw(3, 12, 12), layers, X),
    "a loop": lambda: (SQUARE, looped, X),
    "a branch": lambda: (
        KERNEL, lambda w, x: jax.lax.cond(x[0, 0] > 0, lambda w: x @ w, lambda w: 2 * x @ w, w), X,
    ),
    "remat": lambda: (KERNEL, jax.checkpoint(lambda w, x: jnp.tanh(x @ w)), X),
    "jit": lambda: (KERNEL, jax.jit(lambda w, x: jnp.tanh(x @ w)), X),
    "cast on the way": lambda: (
        KERNEL, lambda w, x: (x.astype("float32") @ w.astype("float32")).astype("float64"), X,
    ),
    "a vmap of models": lambda: (
        draw(2, 12, 4), lambda w, x: jax.vmap(lambda one: x @ one)(w), X,
    ),
    "convolutions and pooling": lambda: (
        *linen(
            nn.Sequential([
                nn.Conv(4, (3, 3), param_dtype=jnp.float64), nn.relu,
                lambda x: nn.max_pool(x, (2, 2), (2, 2)),
                nn.Conv(8, (3, 3), strides=2, param_dtype=jnp.float64),
                lambda x: nn.avg_pool(x, (2, 2), (2, 2)),
            ]),
            IMAGES,
        ),
        IMAGES,
    ),
    "convolutions and pooling, channels first": lambda: (
        draw(4, 3, 3, 3), channels_first, np.moveaxis(IMAGES, -1, 1),
    ),
    "depthwise convolutions": lambda: (
        *linen(
            nn.Sequential([
                nn.Conv(12, (1, 1), param_dtype=jnp.float64),
                nn.Conv(12, (3, 3), feature_group_count=12, param_dtype=jnp.float64), nn.relu,
                nn.Conv(24, (5, 3), strides=(1, 2), feature_group_count=12,
                        param_dtype=jnp.float64),
            ]),
            IMAGES,
        ),
        IMAGES,
    ),
    "pooling of signals": lambda: (
        draw(12), lambda w, x: nn.max_pool(x * w, (2,), (2,)) + nn.avg_pool(x, (2,), (2,)), ROWS,
    ),
    "cross-entropy of Optax": lambda: crossed(
        optax.softmax_cross_entropy_with_integer_labels
    ),
    "log_softmax and one-hot": lambda: crossed(
        lambda z, t: -(jax.nn.log_softmax(z) * jax.nn.one_hot(t, 7)).sum(-1)
    ),
    "log_softmax and a choice": lambda: crossed(
        lambda z, t: -jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], -1)[:, 0]
    ),
    "log_softmax and two indices": lambda: crossed(
        lambda z, t: -jax.nn.log_softmax(z)[jnp.arange(len(t)), t]
    ),
    "logsumexp": lambda: crossed(
        lambda z, t: jax.nn.logsumexp(z, -1) - jnp.take_along_axis(z, t[:, None], 1).squeeze(1)
    ),
    "LayerNorm between dense layers": lambda: (
        *linen(nn.Sequential([nn.Dense(16, param_dtype=jnp.float64),
                              nn.LayerNorm(param_dtype=jnp.float64), nn.gelu,
                              nn.Dense(5, param_dtype=jnp.float64)]), X), X,
    ),
    "convolution of one axis": lambda: (*linen(nn.Conv(4, (3,), strides=2), ROWS), ROWS),
    "attention": lambda: (*linen(nn.MultiHeadDotProductAttention(num_heads=2), ROWS), ROWS),
    "LSTM": lambda: (*linen(nn.RNN(nn.LSTMCell(8, param_dtype=jnp.float64)), ROWS), ROWS),
}  # fmt: skip


def channels_first(w, x):
    y = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME")
    window = (1, 1, 2, 2)
    return jax.lax.reduce_window(jax.nn.relu(y), -jnp.inf, jax.lax.max, window, window, "VALID")


def crossed(loss):
    labels = jnp.arange(len(X)) * 5 % 7
    return KERNEL, lambda w, x: loss(x @ w, labels), X


def nnx_model():
    graph, state = nnx.split(Two(nnx.Rngs(0)))
    return state, lambda p, x: nnx.merge(graph, p)(x), X


def task_of(loss):
    def of(params, state, batch, key):
        return loss(params, batch), (state, {})

    return TaskFunctions(init=lambda key, example: ({}, {}), loss=of, evaluate=None)


def value_of(loss, rewrite):
    task = rewritten(task_of(loss)) if rewrite else task_of(loss)
    return lambda params, batch: task.loss(params, {}, batch, jax.random.key(0))[0]


def over_lanes(function, params, batch):
    lanes = jax.tree.map(lambda leaf: leaf + 0.1 * draw(LANES, *leaf.shape), params)
    return jax.jit(jax.vmap(beside_others()(function), (0, None)))(lanes, batch)


def primitives(jaxpr):
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for program in inner_programs(equation):
            yield from primitives(opened(program))


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", few(MODELS, 10))
def test_loss_gradient_and_curvature_are_the_same(name):
    params, apply, x = MODELS[name]()
    batch = jnp.asarray(x)

    def loss(params, batch):
        return jnp.sum(jnp.sin(apply(params, batch)) ** 2)

    results = []
    for rewrite in (False, True):
        value = value_of(loss, rewrite)

        def curvature(params, batch, value=value):
            grad = jax.grad(value)
            return jax.jvp(lambda p: grad(p, batch), (params,), (grad(params, batch),))[1]

        def measured(params, batch, value=value, curvature=curvature):
            return jax.value_and_grad(value)(params, batch), curvature(params, batch)

        results.append(over_lanes(measured, params, batch))
    tolerance = 1e-4 if name == "cast on the way" else 1e-10
    for a, b in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


STAY = ("a vmap of models", "pooling of signals", "a loop", "LSTM")


@pytest.mark.parametrize("name", [name for name in MODELS if name not in STAY])
def test_what_is_said_to_be_rewritten_is(name):
    params, apply, x = MODELS[name]()
    loss = value_of(lambda p, b: jnp.sum(apply(p, b)), True)
    said = notes(lambda p, b: jnp.sum(apply(p, b)), params, jnp.asarray(x))
    with beside_others():
        traced = set(primitives(jax.make_jaxpr(loss)(params, jnp.asarray(x)).jaxpr))
    number = sum(note.number for note in said if note.why is None)
    assert number > 0 and traced & {"lrlab_dense", "lrlab_convolve"}


def test_the_bias_of_a_layer_of_one_example_is_added_with_the_examples_last():
    """As Equinox has them: between product and bias `vmap` puts a transposition."""
    params, apply, x = MODELS["w x of one example"]()
    loss = value_of(lambda p, b: jnp.sum(apply(p, b)), True)
    with beside_others():
        text = str(jax.make_jaxpr(loss)(params, jnp.asarray(x)))
    assert "name=_columns" in text


def test_a_lane_alone_keeps_the_program_of_the_run_by_hand():
    params, apply, x = MODELS["Linen MLP"]()

    def loss(p, b):
        return jnp.sum(apply(p, b))

    programs = [
        str(jax.make_jaxpr(value_of(loss, rewrite))(params, jnp.asarray(x)))
        for rewrite in (False, True)
    ]
    assert programs[0] == programs[1]


@pytest.mark.parametrize(("function", "w", "why"), [
    (with_its_own, KERNEL, "in a function with a derivative of its own"),
    (jax.checkpoint(lambda w, x: jnp.tanh(x @ w), policy=jax.checkpoint_policies.dots_saveable),
     KERNEL, "in a checkpoint with a policy"),
    (lambda w, x: x @ w, draw(12), "a product with a vector"),
    (looped, SQUARE, "a kernel that a loop reads at every turn"),
    (lambda w, x: jax.lax.scan(lambda h, one: (jnp.tanh(h @ w.T + one), None), x, x[None])[0],
     SQUARE, "a kernel that a loop reads at every turn"),
    (lambda w, x: x @ x.T, KERNEL, "no factor is a kernel alone"),
    (lambda w, x: x[:, :0] @ w, draw(0, 3), "a product of nothing"),
    (lambda w, x: jax.vmap(lambda one: x @ one)(w), draw(2, 12, 3),
     "not the product of examples with a matrix"),
    (lambda w, x: x @ w, draw(12, 2**14), "a kernel of 131,072 weights or more"),
    (lambda w, x: jnp.einsum("bi,bio->bo", x, w), draw(64, 12, 3),
     "a product of several matrices at once"),
])  # fmt: skip
def test_what_stays_is_said_with_its_reason(function, w, why):
    (note,) = notes(lambda w, x: jnp.sum(function(w, x)), w, jnp.asarray(X))
    assert note == Note("products", 1, why)
    assert why in in_words(note)


@pytest.mark.parametrize(("pool", "why"), [
    (lambda x: nn.max_pool(x, (2, 2), (2, 2)), False),
    (lambda x: nn.max_pool(x, (3, 3), (2, 2)), True),
    (lambda x: nn.avg_pool(x, (2, 2), (2, 2), padding="SAME"), False),
    (lambda x: nn.max_pool(x, (3, 3), (3, 3)), True),
    (lambda x: nn.max_pool(x, (2, 1), (2, 1)), False),
    (lambda x: nn.max_pool(x[..., None], (2, 2, 3), (2, 2, 3)), True),
    (lambda x: nn.max_pool(x, (8, 8), (8, 8)), True),
    (lambda x: nn.avg_pool(x, (8, 8), (8, 8)), False),
])  # fmt: skip
def test_windows_side_by_side_are_rewritten(pool, why):
    said = notes(lambda w, x: jnp.sum(pool(w * x)), draw(3), jnp.asarray(IMAGES))
    assert [note.why is not None for note in said] == [why]


def test_labels_that_are_no_class_stay_nan():
    labels = jnp.asarray([0, 6, 7, -1, -8, 3] + 26 * [1])
    x = jnp.asarray(X[:32])

    def loss(w, x):
        logits = jnp.where(jnp.arange(7) == 2, -jnp.inf, x @ w)  # a class that is ruled out
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels)

    values = [
        over_lanes(lambda p, b, rewrite=rewrite: _values(loss, rewrite)(p, b), KERNEL, x)
        for rewrite in (False, True)
    ]
    np.testing.assert_allclose(values[1], values[0], rtol=1e-12, atol=1e-12)
    assert np.isnan(values[0][:, [2, 4]]).all()


def _values(loss, rewrite):
    """The values of a loss by example, as its metric."""
    task = task_of(lambda p, b: 0.0)._replace(outputs=loss)
    return (rewritten(task) if rewrite else task).outputs
