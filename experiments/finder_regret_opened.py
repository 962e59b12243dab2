"""Problems of `finder_regret.py` that were the first sealed set: a function each.

They were run once at the end, on 2026-11-29, and have been looked at since: now they are checked.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from finder_regret_kinds import (
    Problem,
    classified,
    held_out,
    ranked,
    regressed,
    standard,
    wrong_labels,
)
from finder_regret_opened_own import OPENED_OWN
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


OPENED = {
    transferred: ("adam", "sgd"),
    masked_text: ("adam", "lion"),
    wrong_digits: ("signum", "adam"),
    thirty_held_out: ("radam",),
    cooled_down: ("sgd", "adagrad"),
    sharp_start: ("adam",),
    scale_free: ("momentum", "adamw"),
    pupil: ("adamax", "sign_sgd"),
    spirals: ("adam",),
    sprint: ("adopt",),
    fraud: ("rmsprop",),
    bars: ("nadam",),
    residual: ("nesterov",),
    **OPENED_OWN,
}
"""Function -> optimizers."""
