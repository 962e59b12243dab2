"""Problems of the first sealed set whose loss or step is their own: a function each.

As those of `finder_regret_opened.py`, they have been looked at since.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from finder_regret_kinds import Bottleneck, Problem, drawn

import lrlab


def denoiser() -> Problem:
    """A denoising autoencoder: sums of two waves, the noise drawn anew at each update."""
    random = np.random.default_rng(0)
    places = np.linspace(0, 1, 24)
    waves = random.uniform(0.5, 4, (500, 2, 1)) * places + random.uniform(0, 1, (500, 2, 1))
    x = np.sin(2 * np.pi * waves).sum(1).astype(np.float32)
    net = Bottleneck(hidden=16, code=6)

    def loss(params, batch, key):
        noisy = batch + 0.4 * jax.random.normal(key, batch.shape)
        return ((net.apply(params, noisy) - batch) ** 2).mean()

    task = lrlab.Task.custom(
        init=drawn(net), loss=loss, train=x[:400], valid=x[400:], name="denoiser"
    )
    return Problem(task, steps=300, batch_size=16)


def gan_ring() -> Problem:
    """Two players: points on a ring, Adam for both, judged by coverage times precision."""
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, 400)
    x = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.05 * random.standard_normal((400, 2))
    x = x.astype(np.float32)
    maker = lrlab.models.module("mlp", 2, width=[16, 16])
    judge = lrlab.models.module("mlp", 1, width=[16, 16])
    adam = optax.scale_by_adam(b1=0.5)

    def init(key, hyper):
        nets = {
            "maker": maker.init(lrlab.rng.key(key, "maker"), jnp.zeros((1, 2))),
            "judge": judge.init(lrlab.rng.key(key, "judge"), jnp.zeros((1, 2))),
        }
        return nets, {name: adam.init(net) for name, net in nets.items()}

    def made(net, key, count):
        return maker.apply(net, jax.random.normal(key, (count, 2)))

    def judged(net, real, fake):
        losses = nn.softplus(-judge.apply(net, real)) + nn.softplus(judge.apply(net, fake))
        return losses.mean()

    def fooled(net, other, key, count):
        return nn.softplus(-judge.apply(other, made(net, key, count))).mean()

    def step(state, batch, hyper, key):
        nets, memory = state
        fake = made(nets["maker"], key, len(batch))
        loss, slope = jax.value_and_grad(judged)(nets["judge"], batch, fake)
        slopes = {
            "judge": slope,
            "maker": jax.grad(fooled)(nets["maker"], nets["judge"], key, len(batch)),
        }
        after = {name: adam.update(slopes[name], memory[name]) for name in nets}
        nets = {
            name: jax.tree.map(lambda w, u: w - hyper["lr"] * u, net, after[name][0])
            for name, net in nets.items()
        }
        return (nets, {name: part[1] for name, part in after.items()}), {"loss": loss}

    def evaluate(state, batch, key):
        fake = made(state[0]["maker"], key, len(batch))
        near = jnp.linalg.norm(batch[:, None] - fake, axis=-1) < 0.2
        return {"overlap": near.any(0).mean() * near.any(1).mean()}

    task = lrlab.Task.step(
        init=init, step=step, evaluate=evaluate, train=x[:300], valid=x[300:],
        metrics={"overlap": "max"}, name="gan-ring",
    )  # fmt: skip
    return Problem(
        task, steps=400, seeds=40, batch_size=16, metric="valid_overlap", schedule="linear"
    )


def turned_bowl() -> Problem:
    """A bowl without noise: 12 dimensions, condition 10,000, turned out of the axes."""
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 12)))
    hessian = (turn * np.geomspace(1e2, 1e-2, 12)) @ turn.T

    def loss(x, key):
        return 0.5 * x @ jnp.asarray(hessian, x.dtype) @ x

    task = lrlab.Task.objective("turned-bowl", lambda key: jax.random.normal(key, (12,)), loss)
    return Problem(task, steps=600, batch_size=None, schedule="linear")


def valley_of_ten() -> Problem:
    """Rosenbrock's valley in 10 dimensions, started near the origin."""

    def init(key, example):
        return 0.3 * jax.random.normal(key, (10,))

    def loss(x, batch, key):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    task = lrlab.Task.custom(init=init, loss=loss, name="valley-of-ten")
    return Problem(task, steps=1500, seeds=40, batch_size=None)


def deep_linear() -> Problem:
    """A plateau: the product of four small matrices becomes a given one, constant schedule."""
    target = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)

    def init(key, example):
        return 0.3 * jax.random.normal(key, (4, 4, 4))

    def loss(w, batch, key):
        return ((w[3] @ w[2] @ w[1] @ w[0] - target) ** 2).mean()

    task = lrlab.Task.custom(init=init, loss=loss, name="deep-linear")
    return Problem(task, steps=1000, batch_size=None, schedule="constant")


def remembered() -> Problem:
    """A recurrent net: adds two marked numbers of a sequence of 10; gradients explode."""
    random = np.random.default_rng(0)
    numbers, marks = random.uniform(0, 1, (500, 10)), np.zeros((500, 10))
    for row in marks:
        row[random.choice(10, 2, replace=False)] = 1
    x = np.stack([numbers, marks], -1).astype(np.float32)
    y = (numbers * marks).sum(1).astype(np.float32)

    def init(key, example):
        inner, outer, last = jax.random.split(key, 3)
        return {
            "inner": jax.random.normal(inner, (8, 8)) * 0.4,
            "outer": jax.random.normal(outer, (3, 8)) * 0.5,
            "last": jax.random.normal(last, (8,)) * 0.3,
        }

    def loss(w, batch, key):
        inputs, targets = batch

        def turn(state, row):
            state = jnp.tanh(state @ w["inner"] + row @ w["outer"][:2] + w["outer"][2])
            return state, None

        state, _ = jax.lax.scan(turn, jnp.zeros((len(inputs), 8)), inputs.swapaxes(0, 1))
        return ((state @ w["last"] - targets) ** 2).mean()

    task = lrlab.Task.custom(
        init=init, loss=loss, train=(x[:400], y[:400]), valid=(x[400:], y[400:]), name="remembered"
    )
    return Problem(task, steps=300, seeds=40, batch_size=16)


def counts() -> Problem:
    """A cliff: Poisson regression, whose exponential explodes one step too far."""
    random = np.random.default_rng(0)
    x = random.standard_normal((300, 8)).astype(np.float32)
    y = random.poisson(np.exp(x @ (0.5 * random.standard_normal(8)) + 1)).astype(np.float32)

    def init(key, example):
        return 0.1 * jax.random.normal(key, (9,))

    def loss(w, batch, key):
        inputs, targets = batch
        logs = inputs @ w[:8] + w[8]
        return (jnp.exp(logs) - targets * logs).mean()

    task = lrlab.Task.custom(
        init=init, loss=loss, train=(x[:200], y[:200]), valid=(x[200:], y[200:]), name="counts"
    )
    return Problem(task, steps=300, batch_size=16)


def two_wells() -> Problem:
    """Two valleys: six tilted double wells, started in the shallow one; noisy gradients."""

    def init(key):
        return 1.0 + 0.1 * jax.random.normal(key, (6,))

    def exact(x):
        return (x**4 / 4 - x**2 / 2 + 0.15 * x).sum() + 3.0

    def loss(x, key):
        return exact(x) + 1.0 * (x * jax.random.normal(key, x.shape)).sum()

    task = lrlab.Task.objective("two-wells", init, loss, expected=exact)
    return Problem(task, steps=400, batch_size=None)


def factors() -> Problem:
    """Matrix factorization: a third of the entries of a 30 x 20 matrix of rank 3 are known."""
    random = np.random.default_rng(0)
    whole = random.standard_normal((30, 3)) @ random.standard_normal((3, 20))
    whole = (whole + 0.3 * random.standard_normal(whole.shape)).astype(np.float32)
    places = random.permutation(600)
    entries = {
        "row": (places // 20).astype(np.int32),
        "column": (places % 20).astype(np.int32),
        "value": whole.reshape(-1)[places],
    }

    def init(key, example):
        rows, columns = jax.random.split(key)
        return {
            "rows": 0.3 * jax.random.normal(rows, (30, 3)),
            "columns": 0.3 * jax.random.normal(columns, (20, 3)),
        }

    def loss(w, batch, key):
        guess = (w["rows"][batch["row"]] * w["columns"][batch["column"]]).sum(-1)
        return ((guess - batch["value"]) ** 2).mean()

    task = lrlab.Task.custom(
        init=init, loss=loss, name="factors",
        train={name: part[:250] for name, part in entries.items()},
        valid={name: part[250:400] for name, part in entries.items()},
    )  # fmt: skip
    return Problem(task, steps=500, batch_size=16)


def bandit() -> Problem:
    """A reward to be maximized: a policy chooses among 5 arms by 4 features, REINFORCE."""
    random = np.random.default_rng(0)
    x = random.standard_normal((64, 4)).astype(np.float32)
    rewards = np.tanh(x @ random.standard_normal((4, 5))).astype(np.float32)

    def init(key, example):
        return 0.1 * jax.random.normal(key, (4, 5))

    def loss(w, batch, key):
        arm_key, noise_key = jax.random.split(key)
        logs = jax.nn.log_softmax(batch[0] @ w)
        arms = jax.random.categorical(arm_key, logs)[:, None]
        won = jnp.take_along_axis(batch[1], arms, 1)
        won = won + 0.5 * jax.random.normal(noise_key, won.shape)
        return -(won * jnp.take_along_axis(logs, arms, 1)).mean()

    def evaluate(w, state, batch, key):
        chances = jax.nn.softmax(batch[0] @ w)
        count = jnp.asarray(float(len(batch[0])))
        return {"reward": (chances * batch[1]).sum()}, {"reward": count}

    task = lrlab.Task.custom(
        init=init, loss=loss, evaluate=evaluate, metrics={"reward": "max"}, name="bandit",
        train=(x, rewards), valid=(x, rewards),
    )  # fmt: skip
    return Problem(task, steps=300, batch_size=8, metric="valid_reward")


OPENED_OWN = {
    denoiser: ("adamw",),
    gan_ring: ("own",),
    turned_bowl: ("adam", "momentum"),
    valley_of_ten: ("adam",),
    deep_linear: ("sgd",),
    remembered: ("adam",),
    counts: ("sgd", "lion"),
    two_wells: ("momentum",),
    factors: ("yogi",),
    bandit: ("sgd",),
}
"""Function -> optimizers."""
