"""Iterates of Optax and of the authors' PyTorch packages, and the exact laws of single methods."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few
from places import REFERENCE

from lrlab import optimizers
from lrlab.optimizers.toy import bowl

# Source: optax 0.2.8 on f = (x^2 + 10 y^2) / 2 from (1, 1), float64; see "about" in the file.
OPTAX = json.loads((REFERENCE / "optimizers.json").read_text())["optimizers"]
# Source: the authors' PyTorch packages, named at each method in the file.
PACKAGES = json.loads((REFERENCE / "lr_free_packages.json").read_text())
SCHEDULES = json.loads((REFERENCE / "schedules.json").read_text())

MAKE = {
    "dog(1.0)": ("dog", 1.0, {}),
    "dowg(1.0)": ("dowg", 1.0, {}),
    "cocob()": ("cocob", 1.0, {}),
    "dadapt_adamw(1.0)": ("dadapt_adam", 1.0, {}),
    "prodigy(1.0)": ("prodigy", 1.0, {}),
    "momo(1.0)": ("momo", 1.0, {}),
    "momo_adam(1e-2)": ("momo_adam", 1e-2, {}),
    "mechanize(sgd(1.0))": ("mechanic", 1.0, {"base": "sgd"}),
    "polyak_sgd(1.0)": ("polyak", 1.0, {"cap": 1.0}),
    "schedule_free_sgd(.05,b1=.9) y": ("schedule_free_sgd", 0.05, {}),
    "schedule_free_sgd(.05,b1=.9) x": ("schedule_free_sgd", 0.05, {}),
    "sgd(.05,momentum=.9)": ("momentum", 0.05, {}),
    "adamw(1e-2)": ("adamw", 1e-2, {}),
}


def descend(optimizer, params, steps, loss=bowl, evaluate=False):
    """The iterates after each step in float64, and the step sizes used; one compiled scan."""
    with jax.enable_x64(True):
        optimizer = optax.with_extra_args_support(optimizer)
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)

        def body(carry, _):
            params, state = carry
            value, grads = jax.value_and_grad(loss)(params)
            updates, state = optimizer.update(
                grads, state, params, value=value, grad=grads, value_fn=loss
            )
            params = optax.apply_updates(params, updates)
            used = optimizers.effective_lr(state)
            seen = optimizers.evaluation_params(state, params) if evaluate else params
            return (params, state), (seen, jnp.nan if used is None else used)

        run = jax.jit(lambda c: jax.lax.scan(body, c, None, steps)[1])
        return jax.tree.map(np.asarray, run((params, optimizer.init(params))))


def test_every_reference_is_compared():
    assert set(OPTAX) - {"_problem"} == set(MAKE)


@pytest.mark.parametrize("name", MAKE)
def test_optax_reference_to_1e_6(name):
    method, lr, options = MAKE[name]
    optimizer = optimizers.make(method, lr, **options)
    iterates, _ = descend(optimizer, [1.0, 1.0], 10, bowl, name.endswith(" x"))
    np.testing.assert_allclose(np.stack(iterates, -1), OPTAX[name], rtol=0, atol=1e-6)


def packaged(name, evaluate=False):
    """Ours on the packages' problem with the arguments in the file: iterates after each step."""
    problem = PACKAGES["_problem"]
    x, y = np.asarray(problem["x"]), np.asarray(problem["y"])
    params = {key: np.asarray(problem[key]) for key in ("w1", "b1", "w2")}

    def loss(p):
        return jnp.mean((jnp.tanh(x @ p["w1"] + p["b1"][None]) @ p["w2"] - y) ** 2)

    entry = PACKAGES["methods"][name]
    arguments = dict(entry["arguments"])
    method = entry.get("method", name)
    optimizer = optimizers.make(method, arguments.pop("lr", None), **arguments)
    iterates, used = descend(optimizer, params, 50, loss, evaluate)
    return {**iterates, "used": used}


@pytest.mark.parametrize("name", few(PACKAGES["methods"], 10))
def test_packages_to_1e_5(name):
    entry = PACKAGES["methods"][name]
    iterates = packaged(name)
    for step, expected in zip((1, 10, 25, 50), entry["iterates"], strict=True):
        for key, values in zip(("w1", "b1", "w2"), expected, strict=True):
            np.testing.assert_allclose(iterates[key][step - 1], values, rtol=1e-5, atol=1e-9)
    if "evaluation" in entry:
        averages = packaged(name, evaluate=True)
        for key, values in zip(("w1", "b1", "w2"), entry["evaluation"], strict=True):
            np.testing.assert_allclose(averages[key][-1], values, rtol=1e-5, atol=1e-9)
    if "d_used" in entry:  # by the update, not what it estimated after it
        used = iterates["used"][[0, 9, 24, 49]]
        np.testing.assert_allclose(used, entry["d_used"], rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", ["momo with weight decay", "momo_adam with weight decay"])
def test_momo_decays_like_its_package(name):
    """To rounding; Optax's own form is another method, by name."""
    entry = PACKAGES["methods"][name]
    iterates = packaged(name)
    for step, expected in zip((1, 10, 25, 50), entry["iterates"], strict=True):
        for key, values in zip(("w1", "b1", "w2"), expected, strict=True):
            np.testing.assert_allclose(iterates[key][step - 1], values, rtol=1e-10, atol=1e-11)
    theirs = {"momo": optax.contrib.momo, "momo_adam": optax.contrib.momo_adam}[entry["method"]]
    lr = entry["arguments"]["lr"]
    optimizer = optimizers.make(entry["method"], lr, weight_decay=0.1, form="optax")
    mine, _ = descend(optimizer, jnp.ones(2), 10)
    expected, _ = descend(theirs(lr, weight_decay=0.1), jnp.ones(2), 10)
    np.testing.assert_array_equal(mine, expected)
    package, _ = descend(optimizers.make(entry["method"], lr, weight_decay=0.1), jnp.ones(2), 10)
    assert np.abs(package - mine).max() > 1e-5
    with pytest.raises(ValueError, match="form must be package or optax"):
        optimizers.make(entry["method"], lr, form="torch")


@pytest.mark.parametrize("timing", ["torch", "optax"])
def test_plateau_timings(timing):
    torch = SCHEDULES["torch"]["ReduceLROnPlateau"]
    name = {"torch": ("torch", "ReduceLROnPlateau"), "optax": ("optax", "reduce_on_plateau")}
    expected = SCHEDULES[name[timing][0]][name[timing][1]]["values"]
    lr = 0.1 if timing == "torch" else 1.0
    optimizer = optimizers.make(
        "reduce_on_plateau", lr, base="sgd", factor=0.5, patience=2, cooldown=1, timing=timing
    )
    with jax.enable_x64(True):
        params, used = jnp.zeros(1), []
        state = optimizer.init(params)
        for metric in torch["params"]["metrics"]:
            updates, state = optimizer.update(jnp.ones(1), state, params, value=metric)
            used.append(-float(updates[0]))
            assert float(optimizers.effective_lr(state)) == pytest.approx(used[-1])
    np.testing.assert_allclose(used, expected, rtol=0, atol=1e-7)


def test_schedule_free_without_interpolation_is_polyak_ruppert_averaging():
    lr, steps = 0.03, 20
    plain, _ = descend(optimizers.make("sgd", lr), jnp.ones(2), steps)
    free = optimizers.make("schedule_free_sgd", lr, b1=0.0)
    trained, _ = descend(free, jnp.ones(2), steps)
    averages, _ = descend(free, jnp.ones(2), steps, evaluate=True)
    means = np.cumsum(plain, 0) / np.arange(1, steps + 1)[:, None]
    np.testing.assert_allclose(trained, plain, rtol=0, atol=1e-14)
    np.testing.assert_allclose(averages, means, rtol=0, atol=1e-14)
    tail, _ = descend(optimizers.make("sgd", lr, average_from=5), jnp.ones(2), steps, evaluate=True)
    np.testing.assert_allclose(tail[-1], plain[4:].mean(0), rtol=0, atol=1e-14)


def test_momo_without_momentum_and_cap_is_polyak():
    momo, _ = descend(optimizers.make("momo", 1e30, beta=0.0), jnp.ones(2), 20)
    polyak, _ = descend(optimizers.make("polyak"), jnp.ones(2), 20)
    np.testing.assert_allclose(momo, polyak, rtol=0, atol=1e-13)


def test_polyak_halves_the_iterate_of_a_parabola():
    iterates, used = descend(optimizers.make("polyak"), jnp.ones(1), 30, lambda p: 1.7 * p[0] ** 2)
    np.testing.assert_allclose(iterates[:, 0], 0.5 ** np.arange(1, 31), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(used, 1 / (4 * 1.7), rtol=1e-13, atol=1e-15)


def test_bb1_is_the_exact_step_of_the_update_before():
    iterates, used = descend(optimizers.make("bb1", 0.02), np.array([1.0, 0.7]), 10)
    points = np.concatenate([[[1.0, 0.7]], iterates])
    grads = points * np.array([1.0, 10.0])
    exact = (grads**2).sum(1) / (grads**2 * np.array([1.0, 10.0])).sum(1)
    # Two dimensions are solved in about ten steps; after that, numbers are rounding.
    np.testing.assert_allclose(used[1:], exact[:9], rtol=1e-9, atol=1e-12)
    _, found = descend(optimizers.make("exact_line_search"), np.array([1.0, 0.7]), 1)
    np.testing.assert_allclose(found[0], exact[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("name", "c"), [("armijo", 1e-4), ("stochastic_line_search", 0.1)])
def test_accepted_steps_satisfy_armijo_on_their_batch(name, c):
    """Each step has a batch of its own: rows of a random least-squares problem."""
    random = np.random.RandomState(0)
    rows, goals = random.randn(40, 4, 3), random.randn(40, 4)
    optimizer = optimizers.make(name, 5.0)
    with jax.enable_x64(True):

        def loss(params, batch):
            return jnp.mean((batch[0] @ params - batch[1]) ** 2)

        @jax.jit
        def step(params, state, batch):
            value, grads = jax.value_and_grad(loss)(params, batch)
            updates, state = optimizer.update(
                grads, state, params, value=value, grad=grads, value_fn=lambda p: loss(p, batch)
            )
            after = loss(params + updates, batch)
            used = optimizers.effective_lr(state)
            return params + updates, state, used, after <= value - c * used * jnp.sum(grads**2)

        params = jnp.zeros(3)
        state, accepted = optimizer.init(params), 0
        for batch in zip(rows, goals, strict=True):
            params, state, used, holds = step(params, state, batch)
            accepted += float(used) > 0
            assert holds
    assert accepted == 40


def test_weight_decay_is_an_exponentially_growing_rate_for_scale_invariant_losses():
    lr, decay, steps = 0.05, 0.1, 60
    goal = np.array([0.3, -0.5, 0.8])

    def loss(w):
        return jnp.sum((w / jnp.linalg.norm(w) - goal) ** 2)

    start = np.array([1.0, 2.0, -0.5])
    for decoupled in (True, False):  # the same thing for plain gradient descent
        tx = optimizers.make("sgd", lr, weight_decay=decay, decoupled=decoupled)
        decayed, _ = descend(tx, start, steps, loss)
        growing = optimizers.make("sgd", lambda k: lr * (1 - lr * decay) ** (-2.0 * k - 1))
        grown, _ = descend(growing, start, steps, loss)
        shrunk = (1 - lr * decay) ** np.arange(1, steps + 1)
        np.testing.assert_allclose(decayed, shrunk[:, None] * grown, rtol=0, atol=1e-10)


def test_prodigy_underestimates_the_distance_and_ignores_the_scale_of_the_loss():
    goal = np.array([3.0, -1.0, 0.5])
    endpoints = []
    for scale in (1e-2, 1.0, 1e2):
        optimizer = optimizers.make("prodigy", eps=1e-30)
        iterates, used = descend(
            optimizer, np.zeros(3), 300, lambda p, s=scale: s * jnp.sum(jnp.abs(p - goal))
        )
        assert (np.diff(used) >= 0).all() and used[-1] > 1e-3
        assert used.max() <= np.linalg.norm(goal)
        endpoints.append(iterates)
    np.testing.assert_allclose(endpoints[0], endpoints[1], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(endpoints[2], endpoints[1], rtol=1e-6, atol=1e-9)


def test_hypergradient_follows_the_agreement_of_gradients():
    for kind, rate in (("additive", 1e-4), ("multiplicative", 0.1)):
        tx = optimizers.make("hypergradient_sgd", 0.01, rate=rate, kind=kind)
        iterates, used = descend(tx, jnp.ones(2), 3)
        points = np.concatenate([[[1.0, 1.0]], iterates])
        grads = points * np.array([1.0, 10.0])
        h = (grads[1] * grads[0]).sum()
        cosine = h / np.linalg.norm(grads[0]) / np.linalg.norm(grads[1])
        expected = 0.01 + rate * h if kind == "additive" else 0.01 * (1 + rate * cosine)
        assert used[:2] == pytest.approx([0.01, expected], rel=1e-12)


def test_greedy_doubles_while_the_loss_falls_and_halves_when_it_rises():
    tx = optimizers.make("greedy", 0.001, every=1)
    _, used = descend(tx, jnp.ones(2), 40)
    ratios = used[1:] / used[:-1]
    assert set(np.round(ratios, 6)) <= {0.5, 1.0, 2.0} and 0.5 in ratios and 2.0 in ratios


def test_lookahead_is_optax_lookahead():
    mine, _ = descend(optimizers.make("lookahead", 0.1, base="sgd"), jnp.ones(2), 13)
    theirs = optax.lookahead(optax.sgd(0.1), 6, 0.5)
    with jax.enable_x64(True):
        params = optax.LookaheadParams.init_synced(jnp.ones(2))
        state, rows = theirs.init(params), []
        for _ in range(13):
            updates, state = theirs.update(jax.grad(bowl)(params.fast), state, params)
            params = optax.apply_updates(params, updates)
            rows.append(np.asarray(params.fast))
    np.testing.assert_allclose(mine, rows, rtol=0, atol=1e-14)


def test_sam_takes_the_gradient_uphill():
    iterates, _ = descend(optimizers.make("sam", 0.01, base="sgd", rho=0.1), jnp.ones(2), 1)
    g = np.array([1.0, 10.0])
    worst = 1 + 0.1 * g / np.linalg.norm(g)
    np.testing.assert_allclose(iterates[0], 1 - 0.01 * worst * g, rtol=1e-13, atol=1e-14)
