"""A value of an example is its own: broadcasts and losses of a whole batch are named; so are
metrics of the wrong form, outputs that no loss takes, and models of other libraries."""

from __future__ import annotations

import importlib.util
import sys
import types
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrlab
from lrlab.models import foreign
from lrlab.models.adapters import as_model

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
R = X[:, 1]


def classes(**options: Any) -> lrlab.Task:
    usual = dict(model=nn.Dense(2), loss="softmax_cross_entropy", train=(X, Y), valid=(X, Y))
    return lrlab.Task.supervised(**(usual | options))


def numbers(loss: Any = "mse", **options: Any) -> lrlab.Task:
    return classes(**(dict(model=nn.Dense(1), loss=loss, train=(X, R), valid=(X, R)) | options))


def contrastive(outputs, targets):
    z = outputs / jnp.linalg.norm(outputs, axis=-1, keepdims=True)
    likeness = 10 * z @ z.T - 1e9 * jnp.eye(len(z))
    partner = (jnp.arange(len(z)) + 1) % len(z)
    return optax.softmax_cross_entropy_with_integer_labels(likeness, partner)


@pytest.mark.parametrize(
    "loss",
    [
        lambda o, t: ((o - t) ** 2).mean(-1),
        lambda o, t: ((o - t) ** 2).mean(0),
        lambda o, t: ((o - t) ** 2)[:, 0],
        lambda o, t: jnp.abs(o[:, 0] - t) * t / t.mean(),
        lambda o, t: -jnp.log(o[:, 0]) * t.mean(),  # known for some outputs only
        lambda o, t: (o[:, 0] - jnp.roll(o[:, 0], 2)) ** 2,
    ],
)
def test_a_loss_that_sees_other_examples_is_named(loss):
    with pytest.raises(ValueError, match="another value when the other examples") as error:
        numbers(loss)
    assert "(7, 1), targets (7,)" in str(error.value) and "[N, N]" in str(error.value)
    assert "batch_loss=True" in str(error.value)


def test_a_contrastive_loss_is_named_whether_in_the_loss_or_in_the_model():
    with pytest.raises(ValueError, match=r"loss 'contrastive' gives .*\(contrastive, ranking\)"):
        classes(loss=contrastive)

    class Pairs(nn.Module):
        @nn.compact
        def __call__(self, x):
            z = nn.Dense(4)(x)
            return z @ z.T

    with pytest.raises(ValueError, match=r"follows from how many examples there are: \(7, 7\)"):
        classes(model=Pairs())


def shifted(outputs, targets):
    """A maximum over the batch is subtracted and added: only rounding depends on it."""
    largest = outputs.max()
    total = jnp.log(jnp.exp(outputs - largest).sum(-1)) + largest
    return total - outputs[jnp.arange(len(outputs)), targets]


def test_losses_of_each_example_are_taken():
    for loss in (
        lambda o, t: (o[:, 0] - t) ** 2,
        lambda o, t: ((o - t[:, None]) ** 2).mean(-1),
        lambda o, t: -jnp.log(o[:, 0]) * t,
        lambda o, t: jnp.where(t > 0, o[:, 0], jnp.nan),
    ):
        numbers(loss)
    for loss in (shifted, optax.softmax_cross_entropy_with_integer_labels):
        classes(loss=loss)


def test_a_split_of_one_example_and_constant_targets_are_taken():
    one = (X[:1], R[:1])
    numbers(lambda o, t: (o[:, 0] - t) ** 2, train=one, valid=one)
    numbers(lambda o, t: (o[:, 0] - t) ** 2, train=(X, R * 0), valid=(X, R))


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda o, t: ((o - t) ** 2).mean(), "metric 'm' broadcasts outputs with targets"),
        (lambda o, t: o[:, 0] - o.mean(), "metric 'm' .* gives one number"),
        (lambda o, t: jnp.corrcoef(o[:, 0], t)[0, 1], None),
        (lambda o, t: jnp.linalg.norm(o, axis=-1).mean(), None),
        (lambda o, t: ((o.reshape(t.shape) - t) ** 2).mean(), None),
        (lambda o, t: jnp.abs(o[:, 0] - t), None),
    ],
)
def test_metrics_are_tried_too(metric, message):
    metrics = {"m": (metric, "min")}
    if message is None:
        assert dict(numbers(metrics=metrics).metrics) == {"loss": "min", "m": "min"}
        return
    with pytest.raises(ValueError, match=message):
        numbers(metrics=metrics)


def acc(outputs, targets):
    return outputs.argmax(-1) == targets


OWN = r"metrics=\{'acc': \(acc, \"min\" or \"max\"\)\}"


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ([acc], OWN),
        ((acc, "max"), OWN),
        ([("acc", acc)], OWN),
        (acc, OWN),
        ({"acc": acc}, OWN),
        ([lambda o, t: o], r"metrics=\{'name': \(function, "),
        ({"acc": ("max", acc)}, r"metrics=\{'acc': \(function"),
        ({"acc": (acc,)}, r"metrics=\{'acc': \(function"),
        ({"acc": (acc, "maximize")}, "got 'maximize'; did you mean 'max'"),
        ({"acc": (acc, 1)}, 'must say "min" or "max", got 1'),
        (["acuracy"], "did you mean 'accuracy'"),
        ({"acc": "acuracy"}, "did you mean 'accuracy'"),
        ({"accuracy": "min"}, "is 'max', not 'min'"),
        (["accuracy", "accuracy"], "given twice"),
        ({3: (acc, "max")}, "cannot be named 3"),
        ({"my acc": (acc, "max")}, "cannot be named 'my acc'"),
        (3, "metrics must be names or"),
    ],
)
def test_metrics_of_another_form_are_told_the_form(metrics, message):
    with pytest.raises(ValueError, match=message):
        classes(metrics=metrics)


def test_an_objective_has_metrics_of_the_same_form():
    def bowl(metrics):
        init, loss = (lambda key: jnp.ones(2)), (lambda p, key: (p**2).sum())
        return lrlab.Task.objective("bowl", init, loss, metrics=metrics)

    assert dict(bowl({"size": (jnp.max, "min")}).metrics) == {"loss": "min", "size": "min"}
    for metrics in ([acc], {"acc": acc}, ["accuracy"], {"acc": (acc, "up")}, "accuracy"):
        with pytest.raises(ValueError, match='"min" or "max"'):
            bowl(metrics)


def test_a_registered_metric_may_have_another_name():
    assert dict(classes(metrics={"acc": "accuracy"}).metrics) == {"loss": "min", "acc": "max"}


def net(call: Any) -> nn.Module:
    return type("Net", (nn.Module,), {"__call__": nn.compact(call)})()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda self, x: (nn.Dense(2)(x), x), r"gave a tuple \(float32\[7, 2\], float32\[7, 3\]\)"),
        (lambda self, x: {"a": nn.Dense(2)(x)}, "gave a dict"),
        (lambda self, x: nn.Dense(2)(x).argmax(-1), "dtype int32, which no gradient"),
        (lambda self, x: nn.Dense(2)(x).sum(), "expected one array with first axis 7"),
        (lambda self, x: nn.Dense(2)(x.reshape(32, 3)), "must take any number of examples, here 7"),
        (lambda self, x: x, "no parameters"),
    ],
)
def test_models_that_no_loss_can_train_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        classes(model=net(call))


# Models of other libraries


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Foreign:
    """As an Equinox module: a tree of arrays that is called with one example."""

    weight: Any

    def __call__(self, x):
        return self.weight @ x


class Transformed(NamedTuple):
    init: Any
    apply: Any


class Estimator:
    pass


class Torch:
    def __call__(self, x):
        return x


def with_state(params, state, rng, x):
    return x, state


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Foreign(jnp.ones((2, 3))), "eqx.partition"),
        (Foreign(np.ones((2, 3))), "eqx.partition"),
        (Transformed(lambda key, x: {}, lambda params, key, x: x), "net.apply.params, key, x"),
        (Transformed(lambda key, x: {}, with_state), "net.apply.v"),
        ((lambda key, x: {}, lambda params, x: x), "lrlab.Model.init, lambda"),
        (lambda params, x: x @ params, "wrapped:\nmodel = lrlab.Model"),
        (Torch(), "PyTorch module Torch"),
        (Estimator(), "scikit-learn estimator Estimator"),
    ],
)
def test_models_of_other_libraries_are_told_how_to_be_wrapped(network, message, monkeypatch):
    torch = types.SimpleNamespace(nn=types.SimpleNamespace(Module=Torch))
    monkeypatch.setitem(sys.modules, "torch", torch)  # pyright: ignore[reportArgumentType]
    learn = types.SimpleNamespace(BaseEstimator=Estimator)
    monkeypatch.setitem(sys.modules, "sklearn.base", learn)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=message):
        as_model(network)


def wrapped(lines: str, **names: Any) -> lrlab.Model:
    space = {"lrlab": lrlab, "jax": jax, "jnp": jnp, **names}
    exec(lines, space)
    return space["model"]


def test_the_lines_for_haiku_and_plain_functions_work():
    def init(key, x):
        return {"w": jax.random.normal(key, (x.shape[-1], 2))}

    pair = Transformed(init, lambda params, key, x: x @ params["w"])
    stateful = Transformed(
        lambda key, x: (init(key, x), {"n": jnp.zeros(())}),
        lambda params, state, key, x: (x @ params["w"] + state["n"], {"n": state["n"] + 1}),
    )
    classes(model=wrapped(foreign.HAIKU, net=pair))
    model = wrapped(foreign.HAIKU_STATE, net=stateful)
    classes(model=model)
    variables = model.init(jax.random.key(0), X)
    assert float(model.apply(variables, X, True, jax.random.key(0))[1]["state"]["n"]) == 1
    params_of = lambda key: init(key, X)["w"]  # noqa: E731
    classes(model=wrapped(foreign.PLAIN, params_of=params_of, f=lambda params, x: x @ params))


@pytest.mark.skipif(importlib.util.find_spec("equinox") is None, reason="without Equinox")
def test_the_lines_for_equinox_work():
    import equinox as eqx  # pyright: ignore[reportMissingImports]

    def make(key):
        return eqx.nn.MLP(3, 2, 8, 1, key=key)

    with pytest.raises(ValueError, match=r"eqx.partition"):
        as_model(make(jax.random.key(0)))
    model = wrapped(foreign.EQUINOX, eqx=eqx, make=make)
    variables = model.init(jax.random.key(1), X)
    outputs, _ = model.apply(variables, X, True, jax.random.key(0))
    np.testing.assert_allclose(outputs, jax.vmap(make(jax.random.key(1)))(X), rtol=1e-5, atol=1e-6)
    classes(model=model)
