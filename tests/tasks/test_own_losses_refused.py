"""Losses and scalars of one's own that would silently be trained in another sense."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.core.errors import ConfigError

X = np.random.default_rng(3).standard_normal((20, 3)).astype(np.float32)
DATA = (X, X[:, 0])
QUICK = {"steps": 3, "batch_size": 5, "seeds": 1, "progress": False}


def init(key, example):
    return {"w": jax.random.normal(key, (3,))}


def error(params, batch):
    return ((batch[0] @ params["w"] - batch[1]) ** 2).mean()


def decayed(params, batch, key, hyper):
    return error(params, batch) + hyper["kl"] * (params["w"] ** 2).sum()


def task(loss):
    return lrlab.Task.custom(name="c", init=init, loss=loss, train=DATA, valid=DATA)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda p, b, k: (error(p, b), {"loss": 2.0}), "metric named 'loss' beside its value"),
        (lambda p, b, k: ((b[0] @ p["w"] > 0) != (b[1] > 0)).sum(), "int32, which has no gradient"),
        (lambda p, b, k: jnp.bool_(True), "bool, which has no gradient"),
    ],
)
def test_what_would_train_otherwise_is_refused(loss, words):
    with pytest.raises(ConfigError, match=words):
        lrlab.sweep(task(loss), lr=[0.1], **QUICK)


@pytest.mark.parametrize("kl", [0.5, [0.5, 0.7]])
def test_a_scalar_is_given_once(kl):
    with pytest.raises(ConfigError, match=r"kl: kl is already given by axes\.kl"):
        lrlab.sweep(task(decayed), lr=[0.1], kl=kl, axes={"kl": [0.1, 0.2]}, **QUICK)


def started(key, hyper):
    return {"w": jax.random.normal(key, (3,)) * hyper["kl"]}


def stepped(state, batch, hyper, key):
    value, grads = jax.value_and_grad(error)(state, batch)
    return {"w": state["w"] - hyper["lr"] * hyper["kl"] * grads["w"]}, {"loss": value}


@pytest.mark.parametrize("own_step", [False, True])
def test_a_scalar_for_all_lanes_is_recorded(own_step, tmp_path):
    mine = task(decayed)
    if own_step:
        mine = lrlab.Task.step(name="s", init=started, step=stepped, train=DATA)
    alone = lrlab.sweep(mine, lr=[0.1, 0.3], kl=0.5, **QUICK)
    written = lrlab.sweep(mine, lr=[0.1, 0.3], kl=0.5, out=tmp_path / "run", **QUICK)
    again = lrlab.sweep(mine, lr=[0.1, 0.3], kl=0.5, out=tmp_path / "run", **QUICK)
    for one in (written, again):
        np.testing.assert_array_equal(one.history["train_loss"], alone.history["train_loss"])


def test_a_mistyped_score_is_refused_where_results_are_read():
    result = lrlab.sweep(task(lambda p, b, k: error(p, b)), lr=[0.1], **QUICK)
    for score in ("bst", "mean:x"):
        with pytest.raises(ValueError, match=r"score must be .last"):
            result._replace(score=score).best()
        with pytest.raises(ValueError, match=r"score must be .last"):
            result._replace(score=score).scores("valid_loss")


def counting(params, state, batch, key):
    return error(params, batch), ({**state, "n": 1.0}, {})


def test_a_state_takes_numbers_of_python():
    def of(start, loss=counting):
        return lrlab.Task.custom(
            init=lambda key, example: (init(key, example), start), loss=loss, train=DATA,
            valid=DATA, stateful=True,
        )  # fmt: skip

    result = lrlab.sweep(of({"n": jnp.zeros(())}), lr=[0.1], **QUICK)
    assert result.state(lr=0.1)[1]["n"] == 1.0
    with pytest.raises(ConfigError, match=r"n was not there -> float32\[\]"):
        lrlab.sweep(of({}), lr=[0.1], **QUICK)
    with pytest.raises(ConfigError, match="the state that the loss gave holds str at n"):
        lrlab.sweep(
            of({"n": jnp.zeros(())}, lambda p, s, b, k: (error(p, b), ({"n": "a"}, {}))),
            lr=[0.1], **QUICK,
        )  # fmt: skip


def test_a_lane_that_diverged_is_said_to_have_diverged(tmp_path):
    mine, options = task(lambda p, b, k: error(p, b)), {**QUICK, "steps": 40, "optimizer": "sgd"}
    result = lrlab.sweep(mine, lr=[0.01, 1e3], out=tmp_path / "run", **options)
    for one in (result, lrlab.load(tmp_path / "run")):
        at = int(one.diverged_at[1, 0])
        with pytest.raises(KeyError, match=f"lr = 1000, seed = 0 diverged at update {at}, and"):
            one.params(lr=1e3, seed=0)
        with pytest.raises(KeyError, match=r"no lane has lr = 5; there are 0\.01"):
            one.params(lr=5)


def ranked(outputs, targets):
    return np.median(np.asarray(outputs))


def test_a_metric_of_another_library_is_told_the_way_out():
    with pytest.raises(ValueError, match=r"metric 'auc' hands a traced value.*pure_callback"):
        lrlab.Task.supervised(
            model=nn.Dense(1), loss=lambda o, t: (o[:, 0] - t) ** 2, train=DATA, valid=DATA,
            metrics={"auc": (ranked, "max")},
        )  # fmt: skip
