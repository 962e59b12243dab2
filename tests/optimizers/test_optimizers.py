"""The contract of every registered optimizer, on a small convex problem."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from convex import CURVATURE, NAMES, PARAMS, TARGET, rate
from few import few

from lrlab import optimizers

OWN_ITERATES = [name for name, one in optimizers.METHODS.items() if one.own_iterates]


def loss(params):
    terms = jax.tree.map(lambda p, t, c: 0.5 * jnp.sum(c * (p - t) ** 2), params, TARGET, CURVATURE)
    return sum(jax.tree.leaves(terms))


def floats(name):
    defaults = optimizers.hyperparameters(name)
    own = {key: defaults[key] for key in optimizers.own_hyperparameters(name)}
    return {key: np.float32(value) for key, value in own.items() if isinstance(value, float)}


@functools.lru_cache
def programs(name):
    """`start(hyper)` and `advance(state, hyper, steps)`, one lane each, and a count of traces."""
    made = optimizers.engine_optimizer(name)
    traces = []

    def transformation(hyper):
        return optax.with_extra_args_support(made.make(hyper))

    def start(hyper):
        return PARAMS, transformation(hyper).init(PARAMS)

    def advance(state, hyper, steps):
        traces.append(1)

        def body(_, state):
            params, inner = state
            value, grads = jax.value_and_grad(loss)(params)
            updates, inner = transformation(hyper).update(
                grads, inner, params, value=value, grad=grads, value_fn=loss
            )
            return optax.apply_updates(params, updates), inner

        params, inner = jax.lax.fori_loop(0, steps, body, state)
        evaluated = made.evaluation_params(inner, params)
        used = optimizers.effective_lr(inner)
        return (params, inner), loss(evaluated), jnp.nan if used is None else used

    many = jax.jit(jax.vmap(advance, (0, 0, None)))
    return jax.jit(jax.vmap(start)), many, jax.jit(start), jax.jit(advance), traces


def lanes(name, *scales):
    hyper = {"lr": np.float32(rate(name)), **floats(name)}
    return {
        key: jnp.stack([value * (scale if key == "lr" else 1) for scale in scales])
        for key, value in hyper.items()
    }


@pytest.mark.parametrize("name", few(NAMES, 10))
def test_contract(name):
    start, advance, start_one, advance_one, traces = programs(name)
    hyper = lanes(name, 1.0, 0.5)
    first = start(hyper)
    state, _, used = advance(first, hyper, 12)
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), first)
    assert shapes == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)
    assert jax.tree.map(jnp.shape, state[0]) == jax.tree.map(lambda p: (2, *p.shape), PARAMS)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state[0]))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state[0]))

    half, _, _ = advance(first, hyper, 5)
    resumed, _, _ = advance(half, hyper, 7)
    for one, other in zip(jax.tree.leaves(state), jax.tree.leaves(resumed), strict=True):
        assert np.array_equal(one, other, equal_nan=True)

    # Another value of every float hyper-parameter: the same program.
    changed = {key: values * 0.97 for key, values in hyper.items()}
    assert np.isfinite(advance(start(changed), changed, 3)[1]).all()
    assert len(traces) == 1

    single = {key: values[0] for key, values in hyper.items()}
    alone, _, _ = advance_one(start_one(single), single, 12)
    for one, other in zip(jax.tree.leaves(alone[0]), jax.tree.leaves(state[0]), strict=True):
        np.testing.assert_allclose(one, other[0], rtol=2e-4, atol=2e-5)

    before = float(loss(PARAMS))
    _, converged, _ = advance(first, hyper, 600)
    assert converged[0] < 0.3 * before, (name, before, converged)
    # A warmup from zero: neither nan nor standing still for ever.
    zero = {**hyper, "lr": 0 * hyper["lr"]}
    warmed, _, _ = advance(start(zero), zero, 2)
    _, converged, _ = advance(warmed, hyper, 600)
    assert converged[0] < 0.3 * before, (name, before, converged)

    if optimizers.method(name).kind != "optimizer":
        assert np.isfinite(used).all() and (used >= 0).all() and used.max() > 0
    else:
        assert np.isnan(used).all()


@pytest.mark.parametrize("name", NAMES)
def test_unknown_argument_is_named(name):
    for call in (optimizers.make, lambda name, lr, **bad: optimizers.engine_optimizer(name, **bad)):
        with pytest.raises(
            ValueError, match=f"{name}.*'weight_decey'.*did you mean 'weight_decay'"
        ):
            call(name, 0.1, weight_decey=0.1)


def test_a_name_of_optax_has_its_default():
    params = {"w": jnp.array([1.0, 2.0])}
    grads = {"w": jnp.array([0.1, 0.0])}
    mine = optimizers.make("polyak_sgd")
    theirs = optax.polyak_sgd()
    updates, _ = mine.update(grads, mine.init(params), params, value=5.0)
    expected, _ = theirs.update(grads, theirs.init(params), params, value=5.0)
    np.testing.assert_allclose(updates["w"], expected["w"], rtol=1e-5, atol=1e-8)
    assert optimizers.hyperparameters("polyak_sgd")["cap"] == 1.0
    assert optimizers.hyperparameters("polyak")["cap"] is None


@pytest.mark.filterwarnings("ignore:.*seed:DeprecationWarning")
def test_dpsgd_is_optax_on_one_microbatch():
    grads = {"w": jnp.array([3.0, 4.0])}
    with jax.enable_x64(False):
        mine = optimizers.make("dpsgd", 0.1, l2_norm_clip=2.0, noise_multiplier=0.0, momentum=0.9)
        theirs = optax.contrib.dpsgd(0.1, 2.0, 0.0, 0, momentum=0.9)
        left, right = mine.init(grads), theirs.init(grads)
        for _ in range(3):
            ours, left = mine.update(grads, left, grads)
            batch = jax.tree.map(lambda g: g[None], grads)
            expected, right = theirs.update(batch, right, grads)
            np.testing.assert_allclose(ours["w"], expected["w"], rtol=1e-5, atol=1e-8)
    noisy = optimizers.make("dpsgd", 1.0, l2_norm_clip=2.0, noise_multiplier=0.5)
    zero = {"w": jnp.zeros(20_000)}
    drawn = noisy.update(zero, noisy.init(zero), zero)[0]["w"]
    assert float(jnp.std(drawn)) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("name", OWN_ITERATES)
def test_what_would_be_lost_is_an_error(name):
    with pytest.raises(ValueError, match=r"'multipliers' would be lost: .* groups"):
        optimizers.make(name, 0.1, multipliers={"w": 0.1})
    if "weight_decay" not in optimizers.own_hyperparameters(name):
        with pytest.raises(ValueError, match="'decoupled' would be lost"):
            optimizers.make(name, 0.1, weight_decay=0.1, decoupled=True)
    optimizers.make(name, 0.1, weight_decay=0.1)


def test_names_errors_and_caching():
    with pytest.raises(ValueError, match="did you mean 'adam'"):
        optimizers.make("adamm", 0.1)
    with pytest.raises(ValueError, match="needs a learning rate"):
        optimizers.make("adam")
    optimizers.make("prodigy")
    assert optimizers.engine_optimizer("adam") is optimizers.engine_optimizer("adam")
    assert hash(optimizers.engine_optimizer("adam")) is not None
    with pytest.raises(ValueError, match="'nesterov' shapes the compiled program"):
        jax.jit(lambda n: optimizers.make("adam", 0.1, nesterov=n).init(PARAMS))(True)
    with pytest.raises(ValueError, match="cannot accumulate"):
        optimizers.make("lbfgs", 1.0, accumulate=2)
