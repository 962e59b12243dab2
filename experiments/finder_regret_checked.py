"""Problems of `finder_regret.py` that are looked at between versions of `find`: a function each."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from finder_regret_kinds import (
    Bottleneck,
    Problem,
    classified,
    drawn,
    held_out,
    ranked,
    regressed,
    wrong_labels,
)
from sklearn import datasets

import lrlab


def fine_tuned() -> Problem:
    """Fine-tuning: an MLP that knows the digits 0 to 4 learns 5 to 9 from 150 examples."""
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    net = lrlab.models.module("mlp", 5, width=[32])
    common = {"model": net, "loss": "softmax_cross_entropy"}
    old = {"train": (x[y < 5], y[y < 5].astype(np.int32))}
    before = lrlab.Task.supervised(name="digits-0-4", valid=old["train"], **old, **common)
    trained = lrlab.sweep(
        before, lr=[0.1], optimizer="momentum", steps=300, batch_size=32, seeds=1, progress=False
    )
    few = {
        "train": (x[y > 4][:150], y[y > 4][:150].astype(np.int32) - 5),
        "valid": (x[y > 4][150:350], y[y > 4][150:350].astype(np.int32) - 5),
    }
    task = lrlab.Task.supervised(name="digits-5-9", params=trained.params(), **few, **common)
    return Problem(task, steps=150, batch_size=16)


def autoencoder() -> Problem:
    """An autoencoder: digits through 4 numbers."""
    x = (datasets.load_digits().data / 16).astype(np.float32)
    net = Bottleneck(hidden=16, code=4)

    def loss(params, batch, key):
        return ((net.apply(params, batch) - batch) ** 2).mean()

    task = lrlab.Task.custom(
        init=drawn(net), loss=loss, train=x[:600], valid=x[600:700], name="autoencoder"
    )
    return Problem(task, steps=200, batch_size=16)


def noisy_labels() -> Problem:
    """Wrong labels: 30 % of the training labels are flipped; judged by accuracy on true ones."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], wrong_labels(y[order], 0.6, 2, 150, seed=1)
    task = classified(x, y, 150, 2, "noisy-labels", width=[16])
    return Problem(task, steps=300, metric="valid_accuracy")


def tiny_valid() -> Problem:
    """A tiny validation set: two moons, 30 examples held out."""
    x, y = datasets.make_moons(230, noise=0.3, random_state=0)
    return Problem(classified(x, y, 30, 2, "tiny-valid", width=[16]), steps=200)


def stretched_bowl() -> Problem:
    """A bowl without noise: curvatures 10 / i^2, condition 900."""
    spectrum = [10 / i**2 for i in range(1, 31)]
    task = lrlab.tasks.load("quadratic", spectrum=spectrum)
    return Problem(task, steps=300, batch_size=None)


def beale() -> Problem:
    """Beale's function: a curved valley between steep walls, in two dimensions."""

    def init(key, example):
        return jnp.array([1.0, 1.0]) + 0.2 * jax.random.normal(key, (2,))

    def loss(params, batch, key):
        x, y = params
        return ((1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2
                + (2.625 - x + x * y**3) ** 2)  # fmt: skip

    task = lrlab.Task.custom(init=init, loss=loss, name="beale")
    return Problem(task, steps=500, batch_size=None)


def late_drop() -> Problem:
    """A plateau and a late drop: WSD schedule, noisy circles, batch 8."""
    x, y = datasets.make_circles(300, noise=0.15, factor=0.5, random_state=0)
    task = classified(x, y, 100, 2, "late-drop", width=[16])
    return Problem(task, steps=400, batch_size=8, schedule="wsd", schedule_args={"cooldown": 0.1})


def slow_variance() -> Problem:
    """Warmup matters: Adam with b2 = 0.9999 and a warmup of 20 %, six tanh layers, wines."""
    x, y = datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    task = classified(
        x[order], y[order], 58, 3, "slow-variance", width=16, depth=6, activation="tanh"
    )
    return Problem(
        task, steps=200, schedule_args={"warmup": 0.2}, optimizer_args={"adam": {"b2": 0.9999}}
    )


def batch_of_four() -> Problem:
    """Batch 4: progress of diabetes, least squares by an MLP, constant schedule."""
    x, y = datasets.load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    task = regressed(x[order], y[order], 120, "batch-of-four", width=[16])
    return Problem(task, steps=300, batch_size=4, schedule="constant")


def long_sine() -> Problem:
    """5,000 steps: a sine by 8 tanh units, one input, constant schedule, with plateaus."""
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (120, 1))
    y = np.sin(5 * x[:, 0]) + 0.1 * random.standard_normal(120)
    task = regressed(x, y, 40, "long-sine", width=[8], activation="tanh")
    return Problem(task, steps=5000, seeds=40, batch_size=8, schedule="constant")


def rare_class() -> Problem:
    """AUC: one example in twelve is positive, a logistic model with 16 hidden units."""
    x, y = datasets.make_classification(
        800, 12, n_informative=5, weights=[0.92], flip_y=0.02, class_sep=0.8, random_state=0
    )
    return Problem(ranked(x, y, 300, "rare-class", width=[16]), steps=200, metric="valid_auc")


def normalized() -> Problem:
    """Scale-invariant layers with weight decay: layer norm, wines, decay 0.01."""
    x, y = datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(y))
    task = classified(x[order], y[order], 58, 3, "normalized", width=[16, 16], norm="layer")
    decay = {"weight_decay": 0.01}
    return Problem(task, steps=300, optimizer_args={"sgd": decay, "adamw": decay})


def small_cnn() -> Problem:
    """A small CNN: digits as images of 8x8, 4 and 8 channels."""
    x, y = datasets.load_digits(return_X_y=True)
    split = held_out(x[:700], y[:700].astype(np.int32), 100, pixels=True)
    split = {part: (a.reshape(-1, 8, 8, 1), b) for part, (a, b) in split.items()}
    net = lrlab.models.module("cnn", 10, channels=(4, 8), width=16)
    task = lrlab.Task.supervised(name="small-cnn", model=net, loss="softmax_cross_entropy", **split)
    return Problem(task, steps=100, seeds=40, batch_size=16)


CHECKED = {
    fine_tuned: ("adam",),
    autoencoder: ("adam",),
    noisy_labels: ("momentum",),
    tiny_valid: ("rmsprop",),
    stretched_bowl: ("momentum",),
    beale: ("adam",),
    late_drop: ("nesterov",),
    slow_variance: ("adam",),
    batch_of_four: ("sgd",),
    long_sine: ("sgd",),
    rare_class: ("lion",),
    normalized: ("sgd", "adamw"),
    small_cnn: ("momentum",),
}
"""Function -> optimizers."""
