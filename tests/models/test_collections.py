"""What of a module's collections travels with a lane, and what is dropped."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lrlab
from lrlab.models.adapters import as_model
from lrlab.rng import key as key_of

X = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
KEY = jax.random.key(0)


class Sows(nn.Module):
    collection: str
    adds: bool = False
    norm: bool = False
    training_only: bool = False

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(2)(x)
        if self.norm:
            x = nn.BatchNorm(use_running_average=not train)(x)
        if train or not self.training_only:
            if self.adds:
                add, zero = (lambda a, b: a + b), (lambda: 0.0)
                self.sow(self.collection, "aux", (x**2).sum(), reduce_fn=add, init_fn=zero)
            else:
                self.sow(self.collection, "aux", x)
                self.sow(self.collection, "aux", x**2)
        return x


@pytest.mark.parametrize("collection", ["intermediates", "losses", "batch_stats"])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("training_only", [False, True])
def test_what_is_sown_is_dropped(collection, adds, norm, training_only):
    model = as_model(Sows(collection, adds, norm, training_only))
    plain = as_model(Sows("none", training_only=True, norm=norm))
    variables, expected = model.init(KEY, X), plain.init(KEY, X)
    for _ in range(2):
        assert jax.tree.structure(variables) == jax.tree.structure(expected)
        outputs, variables = model.apply(variables, X, True, KEY)
        wanted, expected = plain.apply(expected, X, True, KEY)
        np.testing.assert_array_equal(outputs, wanted)
    assert set(variables) == ({"params", "batch_stats"} if norm else {"params"})


class Remembers(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(2)(x)
        mean = self.variable("ema", "mean", jnp.zeros, (2,))
        count = self.variable("ema", "count", lambda: 0)
        seen = self.variable("told", "sum", jnp.zeros, ())
        put = self.get_variable("put", "last", jnp.zeros(2))
        if train:
            mean.value = 0.9 * mean.value + 0.1 * x.mean(0)
            count.value += 1
            seen.value = x.sum()
        if self.is_mutable_collection("put"):
            self.put_variable("put", "last", x.mean(0))
        self.sow("ema", "log", x)
        return self.perturb("noise", x) - mean.value - put


def test_variables_of_ones_own_are_state():
    model = as_model(Remembers())
    variables = model.init(KEY, X[:1])
    state = {k: v for k, v in variables.items() if k != "params"}
    assert jax.tree.map(jnp.shape, state) == {
        "ema": {"mean": (2,), "count": ()},
        "told": {"sum": ()},
        "put": {"last": (2,)},
    }
    _, after = model.apply(variables, X, True, KEY)
    assert jax.tree.structure(after) == jax.tree.structure(variables)
    hidden = X @ variables["params"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(after["ema"]["mean"], 0.1 * hidden.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after["put"]["last"], hidden.mean(0), rtol=1e-4, atol=1e-6)
    assert int(after["ema"]["count"]) == 1
    frozen = model.apply(after, X, False, KEY)[1]
    jax.tree.map(np.testing.assert_array_equal, frozen, after)


class Note(nnx.Variable[Any]):
    pass


class NnxSows(nnx.Module):
    def __init__(self, rngs):
        self.layer = nnx.Linear(3, 2, rngs=rngs)
        self.norm = nnx.BatchNorm(2, rngs=rngs)
        self.count = nnx.Variable(jnp.array(0))

    def __call__(self, x):
        x = self.layer(x)
        self.sow(nnx.Intermediate, "hidden", x)
        self.sow(Note, "aux", (x**2).sum())
        self.count[...] += 1
        return self.norm(x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_an_nnx_module_sows_is_dropped_and_its_variables_are_state():
    model = as_model(NnxSows)
    variables = model.init(KEY, X)
    _, after = model.apply(variables, X, True, KEY)
    _, again = model.apply(after, X, True, KEY)
    assert jax.tree.structure(variables) == jax.tree.structure(again)
    assert set(again["state"]) == {"norm", "count"} and int(again["state"]["count"]) == 2


def task(model: Any, **options: Any) -> lrlab.Task:
    options = dict(loss="softmax_cross_entropy", train=(X, Y), valid=(X, Y)) | options
    return lrlab.Task.supervised(model=model, **options)


class Grows(nn.Module):
    counts: bool = False

    @nn.compact
    def __call__(self, x, train=False):
        if self.counts:
            number = self.variable("own", "number", lambda: jnp.zeros((), jnp.int32))
            scale = 1 + number.value
        else:
            number, scale = self.variable("own", "number", jnp.zeros_like, x), 1
        if train:
            number.value = number.value * 0.5 + 1 if self.counts else x
        return nn.Dense(2)(x) * scale


@pytest.mark.parametrize(
    ("counts", "change"),
    [(True, r"int32\[\] -> float32\[\]"), (False, r"float32\[1, 3\] -> float32\[7, 3\]")],
)
def test_state_of_another_shape_or_dtype_is_named(counts, change):
    with pytest.raises(ValueError, match=f"collections, .* own/number {change}"):
        task(Grows(counts))


class Short(nn.Module):
    """State in bfloat16: it is float32 in a run, and stays so."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(2, dtype=jnp.bfloat16, param_dtype=jnp.bfloat16)(x)
        mean = self.variable("ema", "mean", jnp.zeros, (2,), jnp.bfloat16)
        if train:
            mean.value = (0.9 * mean.value + 0.1 * x.mean(0)).astype(jnp.bfloat16)
        return x - mean.value.astype(x.dtype)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_model_in_bfloat16_has_its_loss_state_and_metrics_in_the_dtype_of_the_run(precision):
    def own(outputs, targets):
        return (outputs[:, 0] > 0).astype(jnp.float16)

    functions = task(Short(), metrics={"accuracy": None, "own": (own, "max")}).functions
    with jax.enable_x64(precision == "float64"):
        begun = functions.init(key_of(0), (X[:1], Y[:1]))
        params, state = jax.tree.map(lambda leaf: leaf.astype(precision), begun)
        batch = (X.astype(precision), Y)
        loss, (after, extra) = jax.eval_shape(functions.loss, params, state, batch, KEY)
        values = jax.eval_shape(functions.evaluate, params, state, batch, KEY)
        layers = jax.eval_shape(functions.features, params, state, batch, KEY)
    for leaf in jax.tree.leaves((loss, after, extra, values, layers)):
        assert leaf.dtype == precision


def test_a_bfloat16_model_is_recorded_in_float32(tmp_path):
    def loss(outputs, targets):
        return ((outputs[:, 0] - targets) ** 2).astype(jnp.bfloat16)

    model = nn.Dense(1, dtype=jnp.bfloat16)
    made = task(model, loss=loss, metrics={"m": (loss, "min")})
    common = dict(lr=[0.1], optimizer="sgd", steps=2, seeds=1, batch_size=8)
    common |= dict(eval_every=1, progress=False)
    run = lrlab.sweep(made, out=tmp_path / "run", **common)
    again = lrlab.load(tmp_path / "run")
    for result in (run, again):
        for values in (*result.history.values(), *result.final.values()):
            assert values.dtype == np.float32 and np.isfinite(values).all()
    np.testing.assert_array_equal(run.history["valid_loss"], again.history["valid_loss"])
    assert run.best("valid_loss").verdict


def test_an_objective_in_bfloat16_is_recorded_in_float32():
    bowl = lrlab.Task.objective(
        "bowl",
        init=lambda key: jnp.ones(3, jnp.bfloat16),
        loss=lambda p, key: (p.astype(jnp.bfloat16) ** 2).sum(),
    )
    common = dict(lr=[0.1], optimizer="sgd", steps=2, seeds=1, progress=False)
    run = lrlab.sweep(bowl, schedule="constant", **common)
    assert {values.dtype for values in run.history.values()} == {np.dtype(np.float32)}
    # 3 (0.8^2)^n to the digits of bfloat16
    np.testing.assert_allclose(run.history["train_loss"][:, 0, 0], [3, 1.92], rtol=1e-2, atol=1e-3)


def test_networks_are_kept_no_longer_than_their_models():
    class Table(nn.Module):
        values: Any

        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(x)

    network = Table(np.zeros(3))
    model = as_model(network)
    assert as_model(network) is model and as_model(Table(np.zeros(3))) is not model
    gone = weakref.ref(network)
    del network, model
    gc.collect()
    assert gone() is None
