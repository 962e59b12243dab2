"""Problems of `finder_regret.py` that are run once, at the end: a function each.

Nobody looks at what `find` does on them while it is being changed.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from finder_regret_kinds import (
    Bottleneck,
    Problem,
    classified,
    drawn,
    held_out,
    ranked,
    regressed,
    standard,
    wrong_labels,
)
from sklearn import datasets

import lrlab


def transferred() -> Problem:
    """Fine-tuning: weights of one regression (Friedman 1) start a shifted one of 60 examples."""
    net = lrlab.models.module("mlp", 1, width=[24])
    x, y = datasets.make_friedman1(600, noise=0.5, random_state=0)
    first = lrlab.Task.supervised(
        name="friedman", model=net, loss="mse", **held_out(x, standard(y)[:, None], 100)
    )
    trained = lrlab.sweep(
        first, lr=[0.01], optimizer="adam", steps=500, batch_size=32, seeds=1, progress=False
    )
    x, y = datasets.make_friedman1(160, noise=0.5, random_state=1)
    y = standard(y + 6 * x[:, 5])
    task = lrlab.Task.supervised(
        name="transferred", model=net, loss="mse", params=trained.params(),
        **held_out(x, y[:, None], 100),
    )  # fmt: skip
    return Problem(task, steps=150, batch_size=16)


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


class Filler(nn.Module):
    """Hidden letters from their neighbors: one attention layer of width 12."""

    @nn.compact
    def __call__(self, batch):
        h = nn.Embed(33, 12)(jnp.where(batch["mask"], 32, batch["letters"]))
        h = h + self.param("places", nn.initializers.normal(0.1), (h.shape[-2], 12))
        h = h + nn.SelfAttention(2)(nn.LayerNorm()(h))
        return nn.Dense(32)(nn.LayerNorm()(h + nn.Dense(12)(nn.relu(nn.Dense(24)(h)))))


def masked_loss(logits, batch):
    """Cross-entropy where a letter was hidden: (values, weights) [N, T]."""
    values = optax.softmax_cross_entropy_with_integer_labels(logits, batch["letters"])
    return values, batch["mask"]


def masked_text() -> Problem:
    """A masked language model: a fifth of the letters of Python's library hidden, warmup."""
    data = lrlab.data.load("stdlib", context=12, max_train=2000, max_valid=64).splits()
    random = np.random.default_rng(0)
    split = {
        part: {
            "letters": np.asarray(text, np.int32) % 32,
            "mask": random.random(text.shape) < 0.2,
        }
        for part, (text, _) in data.items()
    }
    task = lrlab.Task.supervised(name="masked-text", model=Filler(), loss=masked_loss, **split)
    return Problem(task, steps=100, seeds=40, batch_size=8, schedule_args={"warmup": 0.1})


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


def wrong_digits() -> Problem:
    """Wrong labels: 40 % of the digits' training labels are random; judged by accuracy."""
    x, y = datasets.load_digits(return_X_y=True)
    x, y = x[:900], wrong_labels(y[:900], 0.4, 10, 200, seed=3)
    task = classified(x, y, 200, 10, "wrong-digits", pixels=True, width=[24])
    return Problem(task, steps=200, batch_size=16, metric="valid_accuracy")


def thirty_held_out() -> Problem:
    """A tiny validation set: Friedman 2, 200 examples to train on and 30 held out."""
    x, y = datasets.make_friedman2(230, noise=100.0, random_state=0)
    return Problem(regressed(x, y, 30, "thirty-held-out", width=[16]), steps=200)


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


def cooled_down() -> Problem:
    """A late drop: WSD, noisy least squares in 20 dimensions, batch 4."""
    x, y, _ = datasets.make_regression(
        400, 20, n_informative=20, noise=150.0, coef=True, random_state=0
    )
    task = lrlab.Task.supervised(
        name="cooled-down", model=lrlab.models.module("linear", 1), loss="mse",
        **held_out(x, standard(y)[:, None], 100),
    )  # fmt: skip
    return Problem(task, steps=400, batch_size=4, schedule="wsd", schedule_args={"cooldown": 0.2})


def sharp_start() -> Problem:
    """Warmup matters: eight relu layers, b2 = 0.9999, warmup of 10 %, linear schedule."""
    x, y = datasets.make_classification(
        500, 16, n_informative=8, n_classes=4, class_sep=1.5, random_state=0
    )
    task = classified(x, y, 150, 4, "sharp-start", width=16, depth=8, init="he_normal")
    return Problem(
        task, steps=200, seeds=40, batch_size=16, schedule="linear",
        schedule_args={"warmup": 0.1},
        optimizer_args={"adam": {"b2": 0.9999}},
    )  # fmt: skip


def scale_free() -> Problem:
    """Scale-invariant layers with weight decay: batch norm, digits, decay 0.03."""
    x, y = datasets.load_digits(return_X_y=True)
    task = classified(
        x[:700], y[:700], 150, 10, "scale-free", pixels=True, width=[16, 16], norm="batch"
    )
    decay = {"weight_decay": 0.03}
    return Problem(task, steps=200, optimizer_args={"momentum": decay, "adamw": decay})


def pupil() -> Problem:
    """Full batch: a net of 16 units learns from a net of 3, on 80 examples."""
    random = np.random.default_rng(0)
    x = random.standard_normal((180, 5))
    y = np.tanh(x @ random.standard_normal((5, 3))) @ random.standard_normal(3)
    task = regressed(x, y, 100, "pupil", width=[16], activation="tanh")
    return Problem(task, steps=300, batch_size="full")


def spirals() -> Problem:
    """5,000 steps: two spirals by a net of 8 + 8 units, batch 8."""
    random = np.random.default_rng(0)
    y = np.arange(200) % 2
    turn = np.sqrt(random.uniform(0.05, 1, 200)) * 1.5 * np.pi
    x = np.stack([np.cos(turn + np.pi * y), np.sin(turn + np.pi * y)], 1) * turn[:, None]
    x = x + 0.2 * random.standard_normal((200, 2))
    task = classified(x, y, 60, 2, "spirals", width=[8, 8], activation="tanh")
    return Problem(task, steps=5000, seeds=40, batch_size=8)


def sprint() -> Problem:
    """50 steps: six clusters in 20 dimensions, constant schedule."""
    x, y = datasets.make_blobs(600, 20, centers=6, cluster_std=7.0, random_state=0)
    task = classified(x, y, 200, 6, "sprint", width=[32])
    return Problem(task, steps=50, schedule="constant")


def fraud() -> Problem:
    """AUC: one positive in twenty, 20 features of which most are useless."""
    x, y = datasets.make_classification(
        1000, 20, n_informative=4, n_redundant=0, weights=[0.95], flip_y=0.01, random_state=7
    )
    return Problem(ranked(x, y, 400, "fraud", width=[24]), steps=250, metric="valid_auc")


def bars() -> Problem:
    """A small CNN: is the noisy bar in an image of 8x8 upright, level, or not there?"""
    random = np.random.default_rng(0)
    x = random.standard_normal((600, 8, 8)).astype(np.float32)
    y = random.integers(0, 3, 600)
    for image, kind, place in zip(x, y, random.integers(0, 8, 600), strict=True):
        image[place] += 1.0 * (kind == 0)
        image[:, place] += 1.0 * (kind == 1)
    net = lrlab.models.module("cnn", 3, channels=(4, 8), width=16)
    labels = y.astype(np.int32)
    task = lrlab.Task.supervised(
        name="bars", model=net, loss="softmax_cross_entropy",
        train=(x[:500, ..., None], labels[:500]), valid=(x[500:, ..., None], labels[500:]),
    )  # fmt: skip
    return Problem(task, steps=120, seeds=40, batch_size=16)


def residual() -> Problem:
    """A residual net: eight layers of 16 on MNIST-1D, 1,000 signals."""
    data = lrlab.data.load("mnist1d", max_train=1000, max_valid=200).splits()
    net = lrlab.models.module("mlp", 10, width=16, depth=8, residual=True)
    split = {part: data[part] for part in ("train", "valid")}
    task = lrlab.Task.supervised(name="residual", model=net, loss="softmax_cross_entropy", **split)
    return Problem(task, steps=200, seeds=40, batch_size=16)


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


SEALED = {
    transferred: ("adam", "sgd"),
    denoiser: ("adamw",),
    masked_text: ("adam", "lion"),
    gan_ring: ("own",),
    wrong_digits: ("signum", "adam"),
    thirty_held_out: ("radam",),
    turned_bowl: ("adam", "momentum"),
    valley_of_ten: ("adam",),
    deep_linear: ("sgd",),
    cooled_down: ("sgd", "adagrad"),
    sharp_start: ("adam",),
    scale_free: ("momentum", "adamw"),
    pupil: ("sgd", "adamax"),
    spirals: ("adam",),
    sprint: ("adopt",),
    fraud: ("rmsprop",),
    bars: ("nadam",),
    residual: ("nesterov",),
    remembered: ("adam",),
    counts: ("sgd", "lion"),
    two_wells: ("momentum",),
    factors: ("yogi",),
    bandit: ("sgd",),
}
"""Function -> optimizers."""
