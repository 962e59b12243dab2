"""A loss of one's own on parameters of one's own, against the same by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from plain_training import rows_of, scanned

import lrlab
from lrlab import rng
from lrlab.core.errors import ConfigError

STEPS, BATCH = 10, 8
RANDOM = np.random.default_rng(8)
X = RANDOM.standard_normal((44, 5)).astype(np.float32)
DATA = {"x": X, "y": (X @ RANDOM.standard_normal((5, 2))).astype(np.float32)}
HELD = {name: part[:21] for name, part in DATA.items()}


def init(key, example):
    return {"w": jax.random.normal(key, (example["x"].shape[1], 2)), "b": jnp.zeros(2)}


def loss(params, batch, key):
    noise = 0.1 * jax.random.normal(key, batch["x"].shape)
    error = (batch["x"] + noise) @ params["w"] + params["b"] - batch["y"]
    return (error**2).mean(), {"mae": jnp.abs(error).mean()}


def task(**more):
    options = {"init": init, "loss": loss, "train": DATA, "valid": HELD, "name": "mine"}
    return lrlab.Task.custom(**{**options, **more})


def sweep(of, **more):
    options = {"lr": [0.03, 0.3], "optimizer": "adam", "schedule": "constant", "seeds": 2}
    options |= {"steps": STEPS, "batch_size": BATCH, "progress": False}
    return lrlab.sweep(of, **{**options, **more})


def by_hand(lr, seed):
    params = init(rng.key(seed, "init"), {"x": X[:1]})

    def step(carry, batch, key, lr):
        params, state = carry
        (value, more), grads = jax.value_and_grad(loss, has_aux=True)(params, batch, key)
        updates, state = optax.adam(lr).update(grads, state, params)
        return (optax.apply_updates(params, updates), state), (value, more["mae"])

    start = (params, optax.adam(0.1).init(params))
    rows = rows_of(len(X), BATCH, seed, STEPS)
    (params, _), values = scanned(step, start, DATA, rows, seed, lr)
    return params, values


def test_a_lane_is_the_run_by_hand_bit_for_bit():
    result = sweep(task(), plan=lrlab.Plan(tile_width=1))
    for place, lr in enumerate(result.lr):
        for column, seed in enumerate(result.seeds):
            _, (losses, errors) = by_hand(lr, int(seed))
            history = result.history
            np.testing.assert_array_equal(history["train_loss"][:, place, column], losses)
            np.testing.assert_array_equal(history["train_mae"][:, place, column], errors)


def test_by_default_the_loss_is_evaluated_in_batches_of_the_training_size():
    result = sweep(task(), plan=lrlab.Plan(tile_width=1))
    params, _ = by_hand(float(result.lr[0]), 0)
    noise = rng.key(0, "evaluation")
    totals = np.zeros(2)
    for number, first in enumerate(range(0, 21, BATCH)):
        batch = {name: part[first : min(first + BATCH, 21)] for name, part in HELD.items()}
        key = noise if number == 0 else jax.random.fold_in(noise, number)
        value, more = loss(params, batch, key)
        totals += len(batch["x"]) * np.array([value, more["mae"]])
    last = [result.final[name][0, 0] for name in ("valid_loss", "valid_mae")]
    np.testing.assert_allclose(last, totals / 21, rtol=1e-5, atol=1e-6)


def test_an_evaluation_of_one_s_own_is_exact_over_the_split():
    def evaluate(params, state, batch, key):
        assert state == ()
        error = jnp.abs(batch["x"] @ params["w"] + params["b"] - batch["y"]).mean(1)
        weight = (batch["x"][:, 0] > 0).astype(error.dtype)
        return {"mae": (error * weight).sum()}, {"mae": weight.sum()}

    result = sweep(task(evaluate=evaluate, metrics={"mae": "min"}), metric="valid_mae")
    params, _ = by_hand(float(result.lr[0]), 0)
    error = np.abs(HELD["x"] @ params["w"] + params["b"] - HELD["y"]).mean(1)
    expected = error[HELD["x"][:, 0] > 0].mean()
    np.testing.assert_allclose(result.final["valid_mae"][0, 0], expected, rtol=1e-5, atol=1e-6)
    assert "valid_loss" not in result.final


def test_a_state_beside_the_parameters_is_carried():
    def started(key, example):
        return init(key, example), {"count": jnp.zeros((), jnp.int32), "mean": jnp.zeros(2)}

    def counted(params, state, batch, key):
        value, more = loss(params, batch, key)
        after = {"count": state["count"] + 1, "mean": 0.9 * state["mean"] + 0.1 * params["b"]}
        return value, (after, {**more, "count": state["count"]})

    result = sweep(task(init=started, loss=counted, stateful=True))
    assert (result.history["train_count"][:, 0, 0] == np.arange(STEPS)).all()
    assert (result.history["valid_count"][:, 0, 0] == result.eval_steps).all()
    plain = sweep(task())
    np.testing.assert_array_equal(plain.history["train_loss"], result.history["train_loss"])


def test_a_scalar_of_the_loss_is_a_lane_axis():
    def weighted(params, batch, key, hyper):
        value, more = loss(params, batch, key)
        return value + hyper["l2"] * (params["w"] ** 2).sum(), more

    result = sweep(task(loss=weighted), axes={"l2": [0.0, 1.0]})
    plain = sweep(task())
    np.testing.assert_allclose(
        result.history["train_loss"][:, :, 0], plain.history["train_loss"], rtol=1e-5, atol=1e-6
    )
    assert (result.history["train_loss"][0, :, 1] > plain.history["train_loss"][0]).all()


def test_there_need_be_no_data():
    def bowl(params, batch, key):
        assert batch is None
        return (params**2).sum() + 0 * jax.random.normal(key)

    free = lrlab.Task.custom(init=lambda key, example: jax.random.normal(key, (3,)), loss=bowl)
    result = lrlab.sweep(
        free,
        lr=[0.1, 0.5],
        optimizer="sgd",
        schedule="constant",
        steps=3,
        progress=False,
    )
    losses = result.history["train_loss"][:, :, 0]
    np.testing.assert_allclose(losses[1:, 0], 0.8**2 * losses[:-1, 0], rtol=1e-5, atol=1e-7)
    assert (losses[0] > 0).all() and (losses[1:, 1] == 0).all()
    assert (result.final["valid_loss"][1] == 0).all()


def test_without_held_out_data_training_decides_and_find_asks_for_a_metric(tmp_path):
    alone = task(valid=None)
    result = sweep(alone, out=tmp_path / "run")
    assert result.metric == "train_loss" and result.best().metric == "train_loss"
    assert np.isfinite(lrlab.range_test(alone, num_steps=40, progress=False).loss).any()
    assert not [name for name in result.history if name.startswith("valid")]
    options = {"steps": 30, "batch_size": BATCH, "seeds": 2, "budget": 8, "progress": False}
    for call in (lrlab.find, lambda task, **given: sweep(task, metric="valid_loss")):
        with pytest.raises(ConfigError, match=r"no metric 'valid_loss'.*train_loss"):
            call(alone, **options)
    answer = lrlab.find(alone, metric="train_loss", **options)
    assert answer.interval[0] <= answer.lr <= answer.interval[1]


def test_given_parameters_and_frozen_ones():
    given = {"w": np.ones((5, 2), np.float32), "b": np.zeros(2, np.float32)}
    result = sweep(task(params=given, trainable="b"), lr=[0.0, 0.1])
    value, _ = loss(given, HELD, jax.random.key(0))
    assert np.allclose(
        result.initial["valid_mae"], result.initial["valid_mae"][0, 0], rtol=0.1, atol=0.1
    )
    assert abs(float(value) - result.initial["valid_loss"][0, 0]) < 0.5 * float(value)
    with pytest.raises(ValueError, match="w has shape"):
        task(params={**given, "w": np.ones((4, 2), np.float32)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"loss": lambda p, b, k: (b["x"] @ p["w"]) ** 2},
            r"float32\[8, 2\], expected one real number",
        ),
        ({"loss": lambda p, b, k: "good"}, "as str, expected a number"),
        ({"loss": lambda p, b, k: (0.0, 1.0, 2.0)}, "a tuple of 3, expected value, or"),
        ({"loss": lambda p, b, k: p["v"].sum()}, r"KeyError.*'v'"),
        ({"loss": lambda p, b, k: p["w"].sum() if p["b"].sum() > 0 else 0.0}, "decides in Python"),
        (
            {"loss": lambda p, b: p["w"].sum()},
            r"loss is called with \(params, batch, key\), and takes \(p, b\) at .*test_custom",
        ),
        ({"loss": 3}, "loss must be a function"),
        ({"init": lambda k, e: {"n": 3}}, "must be floating, and init gave int32 at n"),
        ({"init": lambda k, e: {}}, "init gave no parameters"),
        ({"init": lambda k: {}}, r"init is called with \(key, example\), and takes \(k\) at"),
        ({"init": lambda k, e, hyper: {}}, r"takes \(k, e, hyper\).*; it gets no hyper"),
        ({"evaluate": lambda p, b, k: {}}, r"evaluate is called with \(params, state, batch"),
        ({"stateful": True}, r"loss is called with \(params, state, batch, key\)"),
        (
            {"stateful": True, "loss": lambda p, s, b, k: 0.0},
            r"init gave dict, expected \(params, state\)",
        ),
        ({"evaluate": lambda p, s, b, k: {"a": 1.0}}, r"evaluate gave dict.*\(sums, weights\)"),
        ({"evaluate": lambda p, s, b, k: ({"a": 1.0}, {"b": 1.0})}, "different metrics: a, b"),
        ({"metrics": {"auc": "max"}}, "'auc', which nothing gives.*There are: loss, mae"),
        ({"metrics": {"mae": "maximum"}}, "did you mean 'max'"),
        ({"valid": {"x": X}}, "valid lacks the part y of one of train"),
        ({"train": {"x": X, "y": 3.0}}, "train y: is a single number, expected an array"),
        ({"train": {"x": X, "y": DATA["y"][:9]}}, "one length.*x has 44, y has 9"),
    ],
)
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(ValueError, match=words):
        sweep(task(**change))


def test_find_range_test_probes_and_population(tmp_path):
    options = {"batch_size": BATCH, "seeds": 2, "progress": False}
    answer = lrlab.find(task(), steps=30, budget=8, out=tmp_path / "a", **options)
    again = lrlab.find(task(), steps=30, budget=8, out=tmp_path / "a", **options)
    assert answer.lr == again.lr
    assert np.isfinite(lrlab.range_test(task(), num_steps=50, **options).loss).any()
    probed = sweep(task(), probes=["gradient_snr", "sharpness"], eval_every=5)
    assert np.isfinite(probed.history["sharpness"]).any()
    with pytest.raises(ValueError, match="outputs"):
        sweep(task(), probes=["ntk"])


def squared(params, batch, key, hyper):
    value, more = loss(params, batch, key)
    return value + hyper["l2"] * (params["w"] ** 2).sum(), more


def test_a_scalar_for_all_lanes_is_no_axis_and_is_known_to_every_workflow():
    mine, options = task(loss=squared), {"batch_size": BATCH, "seeds": 2, "progress": False}
    fixed = sweep(mine, l2=0.5)
    axis = sweep(mine, axes={"l2": [0.5]})
    np.testing.assert_allclose(
        fixed.history["train_loss"], axis.history["train_loss"][:, :, 0], rtol=1e-5, atol=1e-6
    )
    answer = lrlab.find(mine, steps=20, budget=8, l2=0.5, **options)
    assert answer.interval[0] <= answer.lr <= answer.interval[1]
    assert np.isfinite(lrlab.range_test(mine, num_steps=30, l2=0.5, **options).loss).any()


def test_the_weights_of_an_answer_are_of_its_rate_whatever_axes_there_are(tmp_path):
    options = {"axes": {"l2": [0.0, 5.0]}, "keep": "last", "lr": [0.3, 0.1, 1e-6]}
    for out in (None, tmp_path / "run"):
        result = sweep(task(loss=squared), out=out, **options)
        answer = result.best()
        assert answer.details["at"] == {"l2": 0.0} and answer.lr > 0.01
        near = min((0.3, 0.1), key=lambda lr: abs(np.log(lr / answer.lr)))
        mine = result.params(lr=near, l2=0.0, seed=1)
        np.testing.assert_array_equal(answer.params(seed=1)["w"], mine["w"])


def test_complex_data_and_parameters():
    random = np.random.default_rng(3)
    x = random.standard_normal((64, 3)) + 1j * random.standard_normal((64, 3))
    pair = x, x @ np.array([1 + 1j, 2.0, -1j])

    def loss(params, batch, key):
        return jnp.mean(jnp.abs(batch[0] @ params["w"] - batch[1]) ** 2)

    task = lrlab.Task.custom(
        init=lambda key, example: {"w": jnp.zeros(3, complex)}, loss=loss, train=pair, valid=pair
    )
    options = {"steps": 60, "batch_size": 16, "seeds": 1, "progress": False}
    result = lrlab.sweep(task, lr=[0.1], optimizer="sgd", schedule="constant", **options)
    assert result.params(lr=0.1)["w"].dtype == np.complex64
    np.testing.assert_allclose(result.params(lr=0.1)["w"], [1 + 1j, 2, -1j], atol=1e-3)
    spoiled = x.copy()
    spoiled[3, 0] = complex(0, np.inf)
    with pytest.raises(ValueError, match="at row 3, position"):
        lrlab.Task.custom(init=lambda k, e: jnp.zeros(3), loss=loss, train=(spoiled, pair[1]))
