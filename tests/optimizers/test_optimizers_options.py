"""Options that every optimizer has, parameter groups, and the population."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrlab import optimizers
from lrlab.optimizers import groups, population

PARAMS = {"hidden_0": {"kernel": jnp.ones((3, 2))}, "readout": {"kernel": jnp.full((2, 1), 2.0)}}
GRADS = jax.tree.map(lambda p: 0.3 * p + 0.1, PARAMS)


def run(optimizer, steps=3, grads=GRADS, params=PARAMS):
    optimizer = optax.with_extra_args_support(optimizer)
    state = optimizer.init(params)
    for k in range(steps):
        current = grads(k) if callable(grads) else grads
        updates, state = optimizer.update(current, state, params, value=1.0)
        params = optax.apply_updates(params, updates)
    return params, state


def same(left, right):
    equal = jax.tree.map(lambda a, b: np.array_equal(a, b), left, right)
    return all(jax.tree.leaves(equal))


def close(left, right, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), left, right)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sgd", optax.sgd),
        ("momentum", lambda lr: optax.sgd(lr, momentum=0.9)),
        ("nesterov", lambda lr: optax.sgd(lr, momentum=0.9, nesterov=True)),
        ("adam", optax.adam),
        ("adamw", optax.adamw),
        ("rmsprop", optax.rmsprop),
        ("adagrad", optax.adagrad),
        ("lion", optax.lion),
        ("lamb", optax.lamb),
        ("adafactor", optax.adafactor),
        ("muon", optax.contrib.muon),
    ],
)
def test_without_options_the_bits_are_optax(name, theirs):
    def lane(build):
        return jax.jit(lambda lr: run(build(lr)))(jnp.float32(0.01))

    mine = lane(lambda lr: optimizers.engine_optimizer(name).make({"lr": lr, "init_scale": 2.0}))
    expected = lane(theirs)
    assert jax.tree.structure(mine) == jax.tree.structure(expected)
    assert same(mine, expected)


def test_weight_decay_coupled_and_decoupled():
    lr, decay = 0.1, 0.2
    coupled, _ = run(optimizers.make("momentum", lr, weight_decay=decay, decoupled=False))
    expected, _ = run(optax.chain(optax.add_decayed_weights(decay), optax.sgd(lr, 0.9)))
    assert same(coupled, expected)
    decoupled, _ = run(optimizers.make("adam", lr, weight_decay=decay))
    expected, _ = run(optax.adamw(lr, weight_decay=decay))
    close(decoupled, expected, rtol=1e-6)
    penalty, _ = run(optimizers.make("adamw", lr, weight_decay=decay, decoupled=False))
    expected, _ = run(optax.chain(optax.add_decayed_weights(decay), optax.adam(lr)))
    close(penalty, expected, rtol=1e-6)
    assert optimizers.hyperparameters("dog")["decoupled"] is False
    swept = optimizers.engine_optimizer("momentum").make({"lr": 0.1, "weight_decay": 0.2})
    fixed = optimizers.engine_optimizer("momentum", weight_decay=0.2).make({"lr": 0.1})
    assert same(run(swept), run(fixed))


def test_clipping_and_accumulation():
    clipped, _ = run(optimizers.make("sgd", 1.0, clip_norm=0.5), 1)
    moved = jax.tree.map(lambda a, b: a - b, clipped, PARAMS)
    assert float(optax.tree.norm(moved)) == pytest.approx(0.5, rel=1e-6)
    with pytest.raises(ValueError, match="clip_norm must be positive"):
        optimizers.make("sgd", 1.0, clip_norm=-1.0)

    def alternating(k):
        return jax.tree.map(lambda g: g * (1 + (-1) ** k * 0.5), GRADS)

    accumulated, _ = run(optimizers.make("adam", 0.1, accumulate=2), 6, alternating)
    expected, _ = run(optax.adam(0.1), 3)
    close(accumulated, expected, rtol=1e-5)
    for bad in (0, 1.5, True):
        with pytest.raises(ValueError, match="accumulate"):
            optimizers.make("adam", 0.1, accumulate=bad)


def test_averages_are_for_evaluation_only():
    plain, _ = run(optimizers.make("sgd", 0.1), 4)
    params, state = run(optimizers.make("sgd", 0.1, ema=0.5), 4)
    assert same(params, plain)
    iterates = [PARAMS] + [run(optimizers.make("sgd", 0.1), k)[0] for k in (1, 2, 3, 4)]
    average = iterates[0]
    for one in iterates[1:]:
        average = jax.tree.map(lambda a, w: 0.5 * a + 0.5 * w, average, one)
    close(optimizers.evaluation_params(state, params), average, rtol=1e-6)
    params, state = run(optimizers.make("sgd", 0.1, average_from=0), 4)
    mean = jax.tree.map(lambda *leaves: sum(leaves) / 5, *iterates)
    close(optimizers.evaluation_params(state, params), mean, rtol=1e-6)
    with pytest.raises(ValueError, match="two averages"):
        optimizers.make("sgd", 0.1, ema=0.5, average_from=1)
    with pytest.raises(ValueError, match=r"ema must lie in \[0, 1\)"):
        optimizers.make("sgd", 0.1, ema=1.0)


def test_a_function_of_the_step_as_learning_rate():
    def schedule(k):
        return 0.1 / (1.0 + k)

    mine, _ = run(optimizers.make("adam", schedule), 4)
    expected, _ = run(optax.adam(schedule), 4)
    close(mine, expected, rtol=1e-6)


GROUPS = {"hidden": "hidden_*", "readout": "readout"}


def test_groups_have_their_own_rates():
    two = optimizers.grouped(optimizers.engine_optimizer("adam"), GROUPS)
    assert two is optimizers.grouped(optimizers.engine_optimizer("adam"), GROUPS)
    mine, _ = run(two.make({"lr_hidden": 0.1, "lr_readout": 0.01, "b1": 0.8}))
    for group, lr in (("hidden_0", 0.1), ("readout", 0.01)):
        expected, _ = run(optax.adam(lr, b1=0.8), 3, {group: GRADS[group]}, {group: PARAMS[group]})
        close(mine[group], expected[group], rtol=1e-6)
    with pytest.raises(ValueError, match="lr_readout"):
        two.make({"lr_hidden": 0.1})


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"a": "hidden_*"}, "readout/kernel is in no group"),
        ({"a": "*", "b": "readout"}, "readout/kernel is in a and b"),
        ({"a": "*", "b": "nothing"}, "group 'b' .* holds no parameter"),
        ({"a": "(", "b": "*"}, "no regular expression"),
    ],
)
def test_groups_name_what_does_not_fit(patterns, message):
    made = optimizers.grouped(optimizers.engine_optimizer("sgd"), patterns)
    with pytest.raises(ValueError, match=message):
        made.make({"lr": 0.1}).init(PARAMS)


def test_multipliers_are_rates_of_their_own():
    multiplied = {"multipliers": {"hidden_*": 0.1}}
    for name, options in (("momentum", {"weight_decay": 0.3}), ("adam", {}), ("lion", {})):
        mine, _ = run(optimizers.make(name, 0.1, **multiplied, **options))
        for group, lr in (("hidden_0", 0.01), ("readout", 0.1)):
            alone = optimizers.make(name, lr, **options)
            expected, _ = run(alone, 3, {group: GRADS[group]}, {group: PARAMS[group]})
            close(mine[group], expected[group], rtol=1e-6)
    lanes = optimizers.engine_optimizer("sgd", **multiplied)
    assert lanes is optimizers.engine_optimizer("sgd", multipliers={"hidden_*": 0.1})
    in_groups = optimizers.grouped(lanes, GROUPS).make({"lr_hidden": 1.0, "lr_readout": 0.1})
    close(run(in_groups)[0], run(optimizers.make("sgd", 0.1))[0], rtol=1e-6)
    for patterns, message in (
        ({"nothing": 0.1}, "'nothing' matches no parameter; the paths are hidden_0/kernel"),
        ({"*": 0.1, "readout": 2.0}, "readout/kernel matches"),
    ):
        with pytest.raises(ValueError, match=message):
            optimizers.make("sgd", 0.1, multipliers=patterns).init(PARAMS)


def test_patterns():
    paths = ["layer_1/kernel", "layer_10/kernel", "out/bias"]
    assert groups.matches("layer_1", paths) == {"layer_1/kernel"}
    assert groups.matches("layer", paths) == set(paths[:2])
    assert groups.matches("layer_.*", paths) == set(paths[:2])
    assert groups.matches("*/bias", paths) == {"out/bias"}
    assert groups.matches("^out/", paths) == {"out/bias"}


def test_averages_and_step_sizes_in_groups():
    free = optimizers.engine_optimizer("schedule_free_sgd")
    two = optimizers.grouped(free, GROUPS)
    params, state = run(two.make({"lr_hidden": 0.1, "lr_readout": 0.3}))
    evaluated = two.evaluation_params(state, params)
    one, alone = run(free.make({"lr": 0.3}), 3, {"r": GRADS["readout"]}, {"r": PARAMS["readout"]})
    close(evaluated["readout"], free.evaluation_params(alone, one)["r"], rtol=1e-6)
    assert float(optimizers.effective_lr(state)) == pytest.approx(0.2)
    assert optimizers.effective_lr(run(optimizers.make("adam", 0.1))[1]) is None


@pytest.mark.slow
def test_population_based_training_repeats_and_improves():
    def segment(w, hyper, number):
        for _ in range(5):
            w = w * (1 - hyper["lr"])
        return w, w**2

    def train(seed):
        rates = {"lr": jnp.geomspace(1e-3, 2.5, 10)}
        return population.train(segment, jnp.ones(10), rates, seed, 8)

    w, hyper, rows = train(0)
    again, hyper_again, _ = train(0)
    assert same((w, hyper), (again, hyper_again)) and not same(hyper, train(1)[1])
    alone = segment(jnp.ones(10), {"lr": jnp.geomspace(1e-3, 2.5, 10)}, 0)[1]
    assert float(jnp.max(rows[-1]["scores"])) < float(jnp.max(alone))
    for row in rows[:-1]:
        order = np.argsort(np.asarray(row["scores"]), kind="stable")
        assert set(np.asarray(row["source"])[order[-2:]]) <= set(order[:2])
    with pytest.raises(ValueError, match="fraction"):
        population.exploit_explore(jax.random.key(0), jnp.ones(4), {}, fraction=0.9)
    rates = {"lr": jnp.ones(4)}
    with pytest.raises(ValueError, match="needs a range for lr"):
        population.exploit_explore(jax.random.key(0), jnp.ones(4), rates, resample=0.5)
    drawn = population.exploit_explore(
        jax.random.key(0),
        jnp.array([1.0, 2.0, jnp.nan, 0.5]),
        {"lr": jnp.ones(4)},
        resample=1.0,
        ranges={"lr": (1e-3, 1e-2)},
    )
    assert 1e-3 <= float(drawn.hyper["lr"][2]) <= 1e-2 and int(drawn.source[2]) == 3
