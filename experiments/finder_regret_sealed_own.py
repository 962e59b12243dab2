"""Sealed problems of `finder_regret.py` whose loss or step is their own: a function each.

As those of `finder_regret_sealed.py`, they are run once, at the end.
"""

from __future__ import annotations

import ast
import codecs
import sysconfig
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from finder_regret_kinds import Problem

import lrlab


def zen() -> np.ndarray:
    """The letters of the Zen of Python, 0 for what is none, int[N]; its module prints on import."""
    tree = ast.parse((Path(sysconfig.get_path("stdlib")) / "this.py").read_text(encoding="utf-8"))
    text = next(
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    )
    letters = codecs.decode(text, "rot13").lower()
    return np.array([ord(one) - 96 if one.isalpha() else 0 for one in letters], np.int32)


class Blanks(nn.Module):
    """Hidden letters from their neighbors: two convolutions of width 16."""

    @nn.compact
    def __call__(self, letters):
        h = nn.Embed(28, 16)(letters)
        h = nn.gelu(nn.Conv(16, (5,))(h))
        return nn.Dense(27)(nn.gelu(nn.Conv(16, (3,))(h)))


def blanks() -> Problem:
    """A masked language model: every fifth letter of the Zen of Python hidden at random."""
    text, net = zen(), Blanks()
    windows = np.stack([text[start : start + 16] for start in range(0, len(text) - 16, 4)])

    def init(key, example):
        return net.init(key, example)

    def loss(params, batch, key):
        hidden = jax.random.bernoulli(key, 0.2, batch.shape)
        logits = net.apply(params, jnp.where(hidden, 27, batch))
        values = optax.softmax_cross_entropy_with_integer_labels(logits, batch)
        return (values * hidden).sum() / (hidden.sum() + 1.0)

    task = lrlab.Task.custom(
        init=init, loss=loss, train=windows[:160], valid=windows[160:], name="blanks"
    )
    return Problem(task, steps=120, seeds=40, batch_size=8, schedule_args={"warmup": 0.1})


def forger() -> Problem:
    """Two players: a linear map of noise against a quadratic judge; judged by how near the moments
    come, to be maximized."""
    random = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.6], [0.0, 0.8]])
    x = (random.standard_normal((400, 2)) @ mixing + np.array([1.0, -0.5])).astype(np.float32)

    def init(key, hyper):
        maker = {"w": 0.3 * jax.random.normal(key, (2, 2)), "b": jnp.zeros(2)}
        return maker, {"m": jnp.zeros((2, 2)), "v": jnp.zeros(2)}

    def made(maker, key, count):
        return jax.random.normal(key, (count, 2)) @ maker["w"] + maker["b"]

    def gain(judge, maker, batch, key):
        def score(points):
            return jnp.einsum("ni,ij,nj->n", points, judge["m"], points) + points @ judge["v"]

        return score(batch).mean() - score(made(maker, key, len(batch))).mean()

    def step(state, batch, hyper, key):
        maker, judge = state
        for part in jax.random.split(key, 2):
            slope = jax.grad(gain)(judge, maker, batch, part)
            judge = jax.tree.map(lambda w, g: 0.9 * w + hyper["lr"] * g, judge, slope)
        value, slope = jax.value_and_grad(gain, 1)(judge, maker, batch, key)
        maker = jax.tree.map(lambda w, g: w - hyper["lr"] * g, maker, slope)
        return (maker, judge), {"loss": value}

    def evaluate(state, batch, key):
        maker = state[0]
        covariance = maker["w"].T @ maker["w"]
        apart = ((maker["b"] - batch.mean(0)) ** 2).sum()
        apart += ((covariance - jnp.cov(batch.T)) ** 2).sum()
        return {"likeness": jnp.exp(-apart)}

    task = lrlab.Task.step(
        init=init, step=step, evaluate=evaluate, train=x[:300], valid=x[300:],
        metrics={"likeness": "max"}, name="forger",
    )  # fmt: skip
    return Problem(task, steps=300, batch_size=32, metric="valid_likeness", schedule="cosine")


def cosh_bowl() -> Problem:
    """A bowl without noise: log cosh along 20 axes, slopes from 0.1 to 10."""
    slopes = np.geomspace(0.1, 10, 20)

    def loss(x, key):
        return jnp.logaddexp(slopes * x, -slopes * x).sum() - 20 * jnp.log(2.0)

    task = lrlab.Task.objective("cosh-bowl", lambda key: jax.random.normal(key, (20,)), loss)
    return Problem(task, steps=300, batch_size=None, schedule="linear")


def powell() -> Problem:
    """Powell's function in 4 dimensions: its curvature vanishes at the bottom."""

    def init(key, example):
        return jnp.array([3.0, -1.0, 0.0, 1.0]) + 0.2 * jax.random.normal(key, (4,))

    def loss(x, batch, key):
        return ((x[0] + 10 * x[1]) ** 2 + 5 * (x[2] - x[3]) ** 2
                + (x[1] - 2 * x[2]) ** 4 + 10 * (x[0] - x[3]) ** 4)  # fmt: skip

    task = lrlab.Task.custom(init=init, loss=loss, name="powell")
    return Problem(task, steps=800, batch_size=None)


def phases() -> Problem:
    """A plateau: a vector from squared projections, started near 0, batch 8."""
    random = np.random.default_rng(0)
    x = random.standard_normal((320, 10)).astype(np.float32)
    y = ((x @ (random.standard_normal(10) / 3)) ** 2).astype(np.float32)

    def init(key, example):
        return 0.03 * jax.random.normal(key, (10,))

    def loss(w, batch, key):
        return ((batch[0] @ w) ** 2 - batch[1]) ** 2

    def mean(w, batch, key):
        return loss(w, batch, key).mean()

    task = lrlab.Task.custom(
        init=init, loss=mean, train=(x[:240], y[:240]), valid=(x[240:], y[240:]), name="phases"
    )
    return Problem(task, steps=600, batch_size=8, schedule="constant")


def matches() -> Problem:
    """Strengths of 30 players from 400 games of two (Bradley-Terry), sign-based."""
    random = np.random.default_rng(0)
    strength = random.standard_normal(30)
    games = np.stack([random.choice(30, 2, replace=False) for _ in range(600)]).astype(np.int32)
    chance = 1 / (1 + np.exp(strength[games[:, 1]] - strength[games[:, 0]]))
    won = (random.random(600) < chance).astype(np.float32)

    def init(key, example):
        return jax.random.normal(key, (30,))

    def loss(w, batch, key):
        ahead = w[batch["players"][:, 0]] - w[batch["players"][:, 1]]
        return (nn.softplus(ahead) - batch["won"] * ahead).mean()

    task = lrlab.Task.custom(
        init=init, loss=loss, name="matches",
        train={"players": games[:400], "won": won[:400]},
        valid={"players": games[400:], "won": won[400:]},
    )  # fmt: skip
    return Problem(task, steps=300, batch_size=16)


def claims() -> Problem:
    """A cliff: costs with a long tail, their logarithm linear (gamma likelihood)."""
    random = np.random.default_rng(0)
    x = random.standard_normal((350, 6)).astype(np.float32)
    mean = np.exp(x @ (0.6 * random.standard_normal(6)))
    y = (mean * random.gamma(2.0, 0.5, 350)).astype(np.float32)

    def init(key, example):
        return 0.1 * jax.random.normal(key, (7,))

    def loss(w, batch, key):
        logs = batch[0] @ w[:6] + w[6]
        return (batch[1] * jnp.exp(-logs) + logs).mean()

    task = lrlab.Task.custom(
        init=init, loss=loss, train=(x[:250], y[:250]), valid=(x[250:], y[250:]), name="claims"
    )
    return Problem(task, steps=300, batch_size=16)


def echo() -> Problem:
    """A recurrent net (GRU of 8) that says again what it heard four steps before."""
    random = np.random.default_rng(0)
    x = random.integers(0, 2, (300, 12)).astype(np.float32)

    class Echo(nn.Module):
        @nn.compact
        def __call__(self, signs):
            return nn.Dense(1)(nn.RNN(nn.GRUCell(8))(signs[..., None]))[..., 0]

    net = Echo()

    def loss(params, batch, key):
        logits = net.apply(params, batch)[:, 4:]
        return optax.sigmoid_binary_cross_entropy(logits, batch[:, :-4]).mean()

    def init(key, example):
        return net.init(key, example[None])

    task = lrlab.Task.custom(init=init, loss=loss, train=x[:240], valid=x[240:], name="echo")
    return Problem(task, steps=150, seeds=40, batch_size=16)


def washboard() -> Problem:
    """Many valleys: a tilted cosine in 8 dimensions, noisy gradients."""

    def init(key):
        return 4.0 + 0.3 * jax.random.normal(key, (8,))

    def exact(x):
        return (x**2 / 20 - 0.5 * jnp.cos(3 * x)).sum() + 4.0

    def loss(x, key):
        return exact(x) + (x * jax.random.normal(key, x.shape)).sum()

    task = lrlab.Task.objective("washboard", init, loss, expected=exact)
    return Problem(task, steps=400, batch_size=None)


def mixture() -> Problem:
    """The likelihood of three clusters, whose centers and widths are learned."""
    random = np.random.default_rng(0)
    centers = np.array([[-2.0, 0.0], [1.5, 1.5], [1.0, -2.0]])
    x = centers[random.integers(0, 3, 400)] + 0.6 * random.standard_normal((400, 2))
    x = x.astype(np.float32)

    def init(key, example):
        return {
            "center": jax.random.normal(key, (3, 2)),
            "log": jnp.zeros(3),
            "share": jnp.zeros(3),
        }

    def loss(w, batch, key):
        apart = ((batch[:, None] - w["center"]) ** 2).sum(-1)
        logs = nn.log_softmax(w["share"]) - apart * jnp.exp(-2 * w["log"]) / 2 - 2 * w["log"]
        return -jax.nn.logsumexp(logs, 1).mean()

    task = lrlab.Task.custom(init=init, loss=loss, train=x[:300], valid=x[300:], name="mixture")
    return Problem(task, steps=300, batch_size=16)


SEALED_OWN = {
    blanks: ("adam",),
    forger: ("own",),
    cosh_bowl: ("sgd",),
    powell: ("adam",),
    phases: ("sgd",),
    matches: ("lion",),
    claims: ("momentum",),
    echo: ("adam",),
    washboard: ("nesterov",),
    mixture: ("yogi",),
}
"""Function -> optimizers."""
