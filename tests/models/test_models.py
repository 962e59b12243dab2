"""One contract for every architecture and every kind of module: Linen, NNX, plain functions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few
from flax import nnx

from lrlab import models
from lrlab.models.adapters import as_model
from lrlab.types import Model

OUTPUTS = 4
FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


class LinenBatchNorm(nn.Module):
    @nn.compact
    def __call__(self, x, train):  # no default: must be told, at init too
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(5)(x))
        return nn.Dense(OUTPUTS)(nn.Dropout(0.5, deterministic=not train)(x))


class NnxBatchNorm(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.List([nnx.Linear(6, 5, rngs=rngs)])
        self.norm = nnx.BatchNorm(5, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.readout = nnx.Linear(5, OUTPUTS, rngs=rngs)

    def __call__(self, x):
        return self.readout(self.drop(self.norm(self.hidden[0](x))))


class NnxTrain(nnx.Module):
    def __init__(self, width: int, rngs):
        self.layer = nnx.Linear(6, width, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x, train: bool):
        return self.drop(self.layer(x), deterministic=not train)


def nnx_factory(rngs):
    return NnxTrain(OUTPUTS, rngs=rngs)


def plain_init(key, x):
    return {"w": jax.random.normal(key, (x.shape[-1], OUTPUTS)) * 0.1}


def plain_apply(variables, x, train, key):
    return x @ variables["w"], variables


class Case(NamedTuple):
    make: Callable[[], Model]
    shape: tuple[int, ...] = (6,)
    tokens: bool = False
    statistics: bool = False
    dropout: bool = False


def registered(name: str, **options: Any) -> Callable[[], Model]:
    return lambda: models.make(name, OUTPUTS, **options)


IMAGE = (8, 8)
CASES = {
    "linear": Case(registered("linear")),
    "mlp": Case(registered("mlp", width=8)),
    "mlp-batchnorm-dropout": Case(
        registered("mlp", width=[8, 8], norm="batch", dropout=0.5, activation="tanh"),
        statistics=True,
        dropout=True,
    ),
    "cnn": Case(registered("cnn", channels=[4], width=8), IMAGE),
    "cnn-signal": Case(registered("cnn", channels=[4], width=0, kernel=5, pool="avg"), (12,)),
    "cnn-color": Case(registered("cnn", channels=[4], norm="layer", pool="none"), (8, 8, 3)),
    "resnet-batch": Case(registered("resnet", channels=[4, 8]), IMAGE, statistics=True),
    "resnet-group": Case(registered("resnet", channels=[4], norm="group", conv="xla"), IMAGE),
    "transformer": Case(registered("transformer", width=8, heads=2, depth=1), (6,), tokens=True),
    "linen": Case(lambda: as_model(nn.Dense(OUTPUTS))),
    "linen-batchnorm": Case(lambda: as_model(LinenBatchNorm()), statistics=True, dropout=True),
    "nnx-class": Case(lambda: as_model(NnxBatchNorm), statistics=True, dropout=True),
    "nnx-factory": Case(lambda: as_model(nnx_factory), dropout=True),
    "plain": Case(lambda: as_model(Model(plain_init, plain_apply))),
}


def jit(function: Callable[..., Any], **options: Any) -> Any:
    """Compiled fast rather than well: these programs run once."""
    return jax.jit(function, compiler_options=FAST, **options)


def inputs(case: Case, count: int = 5) -> np.ndarray:
    random = np.random.RandomState(0)
    if case.tokens:
        return random.randint(0, OUTPUTS, (count, *case.shape)).astype(np.int32)
    return random.randn(count, *case.shape).astype(np.float32)


def changed(before: Any, after: Any) -> bool:
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return any(not np.array_equal(a, b) for a, b in pairs)


def test_every_architecture_has_a_case():
    assert set(models.NAMES) <= {name.split("-")[0] for name in CASES}


@pytest.mark.parametrize("name", few(CASES, 4))
def test_contract(name):
    case = CASES[name]
    model = case.make()
    assert hash(model) == hash(case.make()) and model == case.make()
    x, key = inputs(case), jax.random.key(3)
    apply = jit(model.apply, static_argnums=2)
    variables = jit(model.init)(key, x[:1])

    outputs, after = apply(variables, x, True, key)
    assert outputs.shape == ((5, 6, OUTPUTS) if case.tokens else (5, OUTPUTS))
    assert np.isfinite(outputs).all() and outputs.dtype == jnp.float32
    assert jax.tree.structure(after) == jax.tree.structure(variables)
    assert changed(variables, after) == case.statistics
    other = apply(variables, x, True, jax.random.key(4))[0]
    assert changed(outputs, other) == case.dropout

    still, frozen = apply(after, x, False, key)
    assert not changed(after, frozen)
    assert not changed(still, apply(after, x, False, jax.random.key(4))[0])
    # In evaluation an example does not see its neighbors.
    neighbors = np.concatenate([x[:1], x[:0:-1] * 0])
    assert not changed(apply(after, neighbors, False, key)[0][:1], still[:1])


@pytest.mark.parametrize("name", few(CASES, 1))
def test_lanes_are_runs_in_float64_and_learn(name):
    """Three vmapped lanes equal single ones, in double precision, over a few updates."""
    case = CASES[name]
    model = case.make()
    x = inputs(case, 8)
    y = np.arange(8 * (6 if case.tokens else 1)).reshape((8, 6) if case.tokens else (8,)) % OUTPUTS
    with jax.enable_x64(True):
        x = x if case.tokens else x.astype(np.float64)
        key = jax.random.key(0)

        def start(key):
            variables = model.init(key, x[:1])
            return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), variables)

        def loss(params, rest, key):
            variables = {"params": params, **rest} if rest is not None else params
            outputs, after = model.apply(variables, x, True, key)
            assert outputs.dtype == jnp.float64
            values = optax.softmax_cross_entropy_with_integer_labels(outputs, y)
            return values.mean(), after

        variables = jit(start)(key)

        def train(lr):
            wrapped = "params" in variables
            rest = {k: v for k, v in variables.items() if k != "params"} if wrapped else None
            params = variables["params"] if wrapped else variables

            def update(carry, step):
                params, rest = carry
                noise = jax.random.fold_in(key, step)
                (value, after), grads = jax.value_and_grad(loss, has_aux=True)(params, rest, noise)
                params = jax.tree.map(lambda p, g: p - lr * g, params, grads)
                if wrapped:
                    rest = {k: v for k, v in after.items() if k != "params"}
                return (params, rest), value

            carry, values = jax.lax.scan(update, (params, rest), jnp.arange(30))
            for leaf in jax.tree.leaves(carry):
                assert leaf.dtype == jnp.float64
            return values

        rates = np.array([0.0, 0.05, 0.1])
        lanes = np.asarray(jit(jax.vmap(train))(rates))
        single = np.asarray(jit(train)(rates[2]))
    np.testing.assert_allclose(lanes[2], single, rtol=1e-9, atol=1e-12)
    if case.dropout:
        assert lanes[2][-10:].mean() < lanes[0][-10:].mean()
    else:
        assert lanes[2][-1] < lanes[0][-1]


def test_linen_weights_are_those_of_init():
    module, x, key = LinenBatchNorm(), np.zeros((1, 6), np.float32), jax.random.key(5)
    assert not changed(as_model(module).init(key, x), module.init(key, x, train=False))
    module = models.module("mlp", 3, width=4)
    assert not changed(jit(models.make("mlp", 3, width=4).init)(key, x), jit(module.init)(key, x))


def test_the_example_decides_nothing_but_shapes():
    x, key = inputs(CASES["linen-batchnorm"]), jax.random.key(5)
    model = as_model(LinenBatchNorm())
    assert not changed(model.init(key, x[:1]), model.init(key, x))


def test_nnx_weights_are_those_of_the_factory():
    key = jax.random.key(5)
    state = nnx.to_pure_dict(nnx.state(NnxBatchNorm(nnx.Rngs(key)), nnx.Param))
    assert not changed(as_model(NnxBatchNorm).init(key, np.zeros((1, 6)))["params"], state)


def test_nnx_batch_statistics_are_those_of_flax():
    x, key = inputs(CASES["nnx-class"]), jax.random.key(0)
    model = as_model(NnxBatchNorm)
    variables = model.init(key, x)
    _, after = model.apply(variables, x, True, key)
    module = NnxBatchNorm(nnx.Rngs(key))
    module.train()
    module(x)
    np.testing.assert_allclose(
        after["state"]["norm"]["mean"], module.norm.mean[...], rtol=1e-5, atol=1e-6
    )


def test_modules_that_cannot_be_hashed_are_kept_by_identity():
    class Lists(nn.Module):
        sizes: Any

        @nn.compact
        def __call__(self, x):
            return nn.Dense(len(self.sizes))(x)

    module = Lists(np.zeros(3))
    assert as_model(module) is as_model(module)


class NeedsMore(nn.Module):
    @nn.compact
    def __call__(self, x, mask):
        return x


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (LinenBatchNorm, "give an instance"),
        (NeedsMore(), "must be called with mask"),
        (NnxTrain, "must take rngs alone"),
        (3, "must be a Flax Linen module"),
    ],
)
def test_what_is_no_model_is_named(network, message):
    with pytest.raises(ValueError, match=message):
        as_model(network)


def test_an_nnx_instance_or_a_linen_factory_is_named():
    with pytest.raises(ValueError, match="give the function that makes it"):
        as_model(NnxBatchNorm(nnx.Rngs(0)))
    with pytest.raises(ValueError, match="must return an NNX module"):
        as_model(lambda rngs: nn.Dense(3)).init(jax.random.key(0), np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mpl", {}, "did you mean 'mlp'"),
        ("mlp", {"widht": 3}, "did you mean 'width'"),
        ("mlp", {"width": 0}, "width must be a whole number of at least 1, got 0"),
        ("mlp", {"width": 2.5}, "width must be"),
        ("mlp", {"width": []}, "at least one layer"),
        ("mlp", {"width": [2, 3], "depth": 3}, "lists 2 layers, but depth = 3"),
        ("mlp", {"activation": "rellu"}, "did you mean 'relu'"),
        ("mlp", {"dropout": 1.0}, "below 1"),
        ("mlp", {"bias": "no"}, "true or false"),
        ("cnn", {"conv": "fast"}, "conv must be one of auto, xla"),
        ("resnet", {"norm": "instance"}, "norm must be one of"),
        ("transformer", {"width": 10, "heads": 4}, "multiple of heads"),
        ("transformer", {"norm": "batch"}, "norm must be one of"),
    ],
)
def test_wrong_options_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.make(name, 3, **options)


def test_wrong_inputs_and_outputs_are_named():
    with pytest.raises(ValueError, match="num_outputs"):
        models.make("mlp", 0)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="takes tokens"):
        models.make("transformer", 4, width=4).init(key, np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="takes images"):
        models.make("cnn", 4).init(key, np.zeros((1, 2, 2, 2, 2), np.float32))


def test_the_transformer_does_not_look_ahead():
    model = models.make("transformer", 9, width=8, heads=2)
    key, x = jax.random.key(0), np.arange(7, dtype=np.int32)[None]
    variables, apply = jit(model.init)(key, x), jit(model.apply, static_argnums=2)
    later = x.copy()
    later[0, 4:] = 8
    one, two = (np.asarray(apply(variables, z, False, key)[0]) for z in (x, later))
    np.testing.assert_allclose(one[0, :4], two[0, :4], rtol=1e-5, atol=1e-6)
    assert not np.allclose(one[0, 4:], two[0, 4:])


def test_import_does_not_bring_jax():
    code = "import sys, lrlab.models as m; m.NAMES; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
