"""A search that judges by the training loss, which is read before its update."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import lrlab
from lrlab.search.scores import Table
from lrlab.search.sentences import nothing

X = np.random.default_rng(0).standard_normal((50, 5)).astype(np.float32)
Y = np.sin(X[:, 0])


def error(w, batch):
    return ((batch[0] @ w - batch[1]) ** 2).mean()


def stepped(state, batch, hyper, key):
    value, grads = jax.value_and_grad(error)(state["w"], batch)
    return {"w": state["w"] - hyper["lr"] * grads}, {"loss": value}


def test_no_rung_judges_what_no_update_has_touched():
    mine = lrlab.Task.step(
        name="s",
        init=lambda key, hyper: {"w": jnp.ones(5)},
        step=stepped,
        train=(X, Y),
    )
    answer = lrlab.find(
        mine, metric="train_loss", steps=10, batch_size=10, budget=5, progress=False
    )
    assert min(rung["step"] for rung in answer.details["rungs"]) > 1
    assert answer.lr is not None and answer.details["best_score"] < 0.5


def test_rates_that_a_rung_ended_are_counted():
    score = np.array([[np.nan], [2.8], [np.nan]])
    no = np.zeros((3, 1), int)
    lr = np.array([1e-6, 1e-3, 1.0])
    whole = Table(lr, no[0], score, np.array([2.8]), no > 0, no - 1, no + 5, 5)
    assert "(2 of 3 rates ended at a rung)" in nothing("no_gain", whole, "loss")
    every = whole._replace(score=np.full((3, 1), 2.8))
    assert "rung" not in nothing("no_gain", every, "loss")
