"""Several learning rates of a step: each is read, under the name that it has."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.core.errors import ConfigError

QUICK = {"steps": 3, "seeds": 1, "progress": False}


def task(read):
    def step(state, batch, hyper, key):
        return {**state, "w": state["w"] - read(hyper)}, {"loss": state["w"] ** 2}

    return lrlab.Task.step(name="s", init=lambda key, hyper: {"w": jnp.ones(())}, step=step)


def both(hyper):
    return hyper["lr"]["gen"] + hyper["lr"]["disc"]


@jax.jit
def jitted(rates):
    return rates["gen"]


@pytest.mark.parametrize(
    ("read", "lr", "words"),
    [
        (lambda h: h["lr"]["gen"], {"gen": [0.1], "disc": [0.2]}, r"lr\.disc.*read by nobody"),
        (both, {"gen": [0.1], "dics": [0.2]}, r"\['disc'\].*did you mean 'dics'.*gen, dics"),
        (both, [0.1], r"give each its own: lr=\{'gen': \[0\.01, 0\.1\], 'disc'"),
        (lambda h: 2 * h["lr"], {"gen": [0.1], "disc": [0.2]}, "as one number, and lr names gen"),
    ],
)
def test_rates_that_do_not_fit_are_named(read, lr, words):
    with pytest.raises(ConfigError, match=words):
        lrlab.sweep(task(read), lr=lr, **QUICK)


def test_a_search_says_it_too():
    with pytest.raises(ConfigError, match=r"give each its own: lr=\{'gen'"):
        lrlab.find(task(both), **QUICK)


def test_an_axis_of_the_name_of_a_rate_is_given_twice():
    with pytest.raises(ConfigError, match=r"lr_gen is already given by lr\.gen"):
        lrlab.sweep(task(both), lr={"gen": [0.1], "disc": [0.2]}, axes={"lr_gen": [3.0]}, **QUICK)


def test_rates_may_be_handed_on_and_kept():
    def step(state, batch, hyper, key):
        rates = {name: rate + 0 for name, rate in hyper["lr"].items()}
        return {"w": state["w"] - jitted(hyper["lr"]), "lr": rates}, {"loss": state["w"]}

    kept = lrlab.Task.step(init=lambda k, h: {"w": jnp.ones(()), "lr": h["lr"]}, step=step)
    result = lrlab.sweep(kept, lr={"gen": [0.25], "disc": [0.2]}, schedule="constant", **QUICK)
    np.testing.assert_allclose(result.history["train_loss"][:, 0, 0, 0], [1, 0.75, 0.5], atol=1e-6)
