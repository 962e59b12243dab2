"""Kernels that a tile carries turned: which they are, and that nobody notices."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrlab
from lrlab.engine import programs
from lrlab.engine.state import LaneState
from lrlab.engine.turning import Turned, to_turn, turned
from lrlab.models.dense import Dense

DRAWN = np.random.default_rng(0)
X = DRAWN.normal(size=(64, 48))
Y = np.arange(64) % 3


def net(layer=nn.Dense, first=20):
    return nn.Sequential([layer(first), nn.relu, layer(16), nn.relu, layer(3)])


class Embedded(nn.Module):
    """A table that rows are read from, and a product of the very same table."""

    @nn.compact
    def __call__(self, x):
        table = self.param("table", nn.initializers.normal(0.1), (48, 20))
        rows = table[jnp.arange(len(x)) % 48]
        return nn.Dense(3)(nn.relu(x @ table) + rows)


class Gated(nn.Module):
    """A loop over the numbers of a vector, fewer than a tile has lanes: they come turned."""

    @nn.compact
    def __call__(self, x):
        gates = self.param("gates", nn.initializers.ones, (3,))
        x, _ = jax.lax.scan(lambda x, gate: (x + gate * jnp.tanh(x), None), nn.Dense(20)(x), gates)
        return nn.Dense(3)(x)


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Arrays:
    """Parameters of somebody's own, who looks at what they are given."""

    a: jax.Array
    b: jax.Array

    def __post_init__(self):
        if isinstance(self.a, (bool, int, float)):
            raise TypeError(f"an array, not {self.a!r}")


def kernels(monkeypatch, model, optimizer="momentum", width=4, **options):
    """(shapes of the parameters, of the optimizer's arrays) that a sweep carries turned."""
    shapes = []

    def look(update, state, first):
        which = to_turn(update, state, first)
        chosen = (None, None) if which is None else (which.params, which.optimizer)
        for tree, flags in zip((state.params, state.optimizer), chosen, strict=True):
            if flags is not None:
                pairs = zip(jax.tree.leaves(tree), flags, strict=True)
                shapes.append([leaf.shape[1:] for leaf, swaps in pairs if swaps])
        return which

    with monkeypatch.context() as looking:
        looking.setattr(programs, "to_turn", look)
        sweep(model, optimizer, width, **options)
    return shapes


def sweep(model, optimizer="momentum", width=4, **options):
    task = lrlab.Task.supervised(
        name="turned", model=model, loss="softmax_cross_entropy", train=(X, Y), valid=(X, Y)
    )
    options = {"steps": 12, "lr": [0.01, 0.03, 0.1, 0.3], "plan": lrlab.Plan(width, 1)} | options
    return lrlab.sweep(task, optimizer=optimizer, batch_size=32, seeds=[0], eval_every=4,
                       progress=False, **options)  # fmt: skip


@pytest.mark.parametrize("layer", [nn.Dense, Dense], ids=["stock", "ours"])
def test_the_first_kernel_and_its_momentum_are_carried_turned(monkeypatch, layer):
    """The second kernel's gradient by its input takes it as it is; the third's too."""
    assert kernels(monkeypatch, net(layer)) == [[(48, 20)], [(48, 20)]]


def test_what_optimizers_hold_for_it(monkeypatch):
    assert kernels(monkeypatch, net(), "adam") == [[(48, 20)], [(48, 20), (48, 20)]]
    groups = {"first": "layers_0/*", "second": "layers_2/*", "third": "layers_4/*"}
    rates = {name: [0.01, 0.02] for name in groups}
    turned_there = kernels(monkeypatch, net(), "adam", lr=rates, groups=groups)
    assert turned_there == [[(48, 20)], [(48, 20), (48, 20)]]


@pytest.mark.parametrize(
    ("model", "width"),
    [(net(), 1), (net(first=64), 4), (Embedded(), 4)],
    ids=["a lane alone", "more outputs than inputs", "also read in rows"],
)
def test_other_kernels_are_left_as_they_are(monkeypatch, model, width):
    assert kernels(monkeypatch, model, width=width) == []


def test_vectors_are_left_as_they_are(monkeypatch):
    """Their last two axes are lanes and numbers."""
    assert kernels(monkeypatch, Gated()) == [[(48, 20)], [(48, 20)]]
    state = LaneState(jnp.ones((4, 3)), (), (), *[jnp.zeros(4)] * 3)
    held = jax.make_jaxpr(lambda state: jax.lax.optimization_barrier(state.params.T))(state)
    assert to_turn(held, state, first=0) is None


@pytest.mark.parametrize(("inputs", "rewrite"), [(24, False), (24, True), (300, True)])
def test_transpositions_that_xla_folds_are_left_to_it(monkeypatch, inputs, rewrite):
    """PyTorch's layout, with more outputs than inputs: not rewritten, or too large for it."""
    outputs = 600 if inputs == 300 else 32

    def init(key, x):
        keys = jax.random.split(key)
        return {"a": 0.1 * jax.random.normal(keys[0], (outputs, inputs)),
                "b": 0.1 * jax.random.normal(keys[1], (3, outputs))}  # fmt: skip

    def apply(params, x, train, key):
        x = jnp.tile(x, 7)[:, :inputs]
        return nn.relu(x @ params["a"].T) @ params["b"].T, params

    model = lrlab.Model(init, apply)
    plan = lrlab.Plan(4, 1, rewrite=rewrite)
    assert kernels(monkeypatch, model, plan=plan) == []


def test_kernels_that_are_stored_turned_stay_so(monkeypatch):
    """Equinox has [out, in], and applies a layer to one example."""

    def init(key, x):
        keys = jax.random.split(key)
        return {"a": 0.1 * jax.random.normal(keys[0], (20, 48)),
                "b": 0.1 * jax.random.normal(keys[1], (3, 20))}  # fmt: skip

    def apply(params, x, train, key):
        def one(x):
            return params["b"] @ nn.relu(params["a"] @ x)

        return jax.vmap(one)(x), params

    assert kernels(monkeypatch, lrlab.Model(init, apply)) == []


def test_containers_of_somebodys_own_are_given_arrays_alone(monkeypatch):
    def init(key, x):
        return Arrays(0.1 * jax.random.normal(key, (48, 20)), jnp.ones((20, 3)))

    model = lrlab.Model(init, lambda params, x, train, key: (x @ params.a @ params.b, params))
    assert kernels(monkeypatch, model) == [[(48, 20)], [(48, 20)]]


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "muon", "lamb", "schedule_free_adamw"])
def test_the_numbers_are_those_of_a_lane_alone(optimizer):
    """float64, 12 updates; muon and lamb look at a matrix's shape and norm."""
    wide, alone = (sweep(net(), optimizer, width, precision="float64") for width in (4, 1))
    assert wide.plan.tile_width == 4 and alone.plan.tile_width == 1
    for name, values in alone.history.items():
        np.testing.assert_allclose(wide.history[name], values, rtol=1e-8, atol=1e-10)


def test_weights_come_back_as_the_model_has_them():
    result = sweep(net(), keep="last", precision="float64")
    alone = sweep(net(), width=1, keep="last", precision="float64")
    for one, other in zip(
        jax.tree.leaves(result.params(lr=0.1)), jax.tree.leaves(alone.params(lr=0.1)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


def test_turning_twice_changes_nothing():
    adam = optax.adam(0.1)
    params = {"a": jnp.ones((4, 3)), "b": jnp.ones(3)}
    state = LaneState(params, (), adam.init(params), *[jnp.zeros(())] * 3)
    which = Turned([True, False], [False, True, False, False, False])  # count, mu, nu
    once = turned(state, which)
    assert once.params["a"].shape == once.optimizer[0].mu["a"].shape == (3, 4)
    assert once.optimizer[0].nu["a"].shape == (4, 3)
    assert jax.tree.map(jnp.shape, turned(once, which)) == jax.tree.map(jnp.shape, state)
