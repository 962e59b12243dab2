"""Problems of `finder_regret.py` that are run once, at the end: a function each.

Nobody looks at what `find` does on them while it is being changed.
"""

from __future__ import annotations

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
    standard,
    wrong_labels,
)
from finder_regret_sealed_own import SEALED_OWN
from sklearn import datasets

import lrlab


def new_wines() -> Problem:
    """Fine-tuning: an MLP that knows two thirds of the wines learns other labels of 60 of them."""
    x, y = datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(5).permutation(len(y))
    x, y = x[order], y[order].astype(np.int32)
    net = lrlab.models.module("mlp", 3, width=[16])
    common = {"model": net, "loss": "softmax_cross_entropy"}
    before = lrlab.Task.supervised(name="wines", **held_out(x, y, 60), **common)
    known = lrlab.sweep(
        before, lr=[0.01], optimizer="adam", steps=200, batch_size=32, seeds=1, progress=False
    )
    quarters = np.searchsorted(np.quantile(x[:, 9], [1 / 3, 2 / 3]), x[:, 9]).astype(np.int32)
    split = held_out(x, quarters, 118)
    task = lrlab.Task.supervised(name="new-wines", params=known.params(), **split, **common)
    return Problem(task, steps=120, batch_size=16)


def swiss_roll() -> Problem:
    """An autoencoder: a roll in 3 dimensions, lifted to 8, through 2 numbers."""
    x, _ = datasets.make_swiss_roll(500, noise=0.3, random_state=0)
    x = np.concatenate([x, np.sin(x), x[:, :2] * x[:, 1:]], 1)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    net = Bottleneck(hidden=16, code=2)

    def loss(params, batch, key):
        return ((net.apply(params, batch) - batch) ** 2).mean()

    task = lrlab.Task.custom(
        init=drawn(net), loss=loss, train=x[:400], valid=x[400:], name="swiss-roll"
    )
    return Problem(task, steps=300, batch_size=16)


def wrong_quantiles() -> Problem:
    """Wrong labels: a quarter of those of three nested shells; judged by accuracy."""
    x, y = datasets.make_gaussian_quantiles(
        n_samples=700, n_features=4, n_classes=3, random_state=0
    )
    y = wrong_labels(y, 0.35, 3, 300, seed=5)
    task = classified(x, y, 300, 3, "wrong-quantiles", width=[24])
    return Problem(task, steps=300, metric="valid_accuracy")


def twenty_held_out() -> Problem:
    """A tiny validation set: Friedman 3, 150 examples to train on and 20 held out."""
    x, y = datasets.make_friedman3(170, noise=0.1, random_state=0)
    return Problem(regressed(x, y, 20, "twenty-held-out", width=[16]), steps=150, batch_size=16)


def late_hastie() -> Problem:
    """A late drop: WSD, the ten-dimensional shell of Hastie, batch 4."""
    x, y = datasets.make_hastie_10_2(700, random_state=0)
    task = classified(x, (y > 0).astype(np.int32), 200, 2, "late-hastie", width=[16])
    return Problem(task, steps=500, batch_size=4, schedule="wsd", schedule_args={"cooldown": 0.15})


def deep_curve() -> Problem:
    """Warmup matters: ten tanh layers on an s-shaped sheet, b2 = 0.9995, warmup of 15 %."""
    x, y = datasets.make_s_curve(500, noise=0.1, random_state=0)
    task = regressed(x, y, 150, "deep-curve", width=12, depth=10, activation="tanh")
    return Problem(
        task, steps=200, seeds=40, batch_size=16, schedule_args={"warmup": 0.15},
        optimizer_args={"nadam": {"b2": 0.9995}},
    )  # fmt: skip


def normed_blobs() -> Problem:
    """Scale-invariant layers with weight decay: RMS norm, twelve clusters, decay 0.02."""
    x, y = datasets.make_blobs(800, 6, centers=12, cluster_std=3.0, random_state=1)
    task = classified(x, y, 200, 12, "normed-blobs", width=[16, 16], norm="rms")
    return Problem(task, steps=250, optimizer_args={"nesterov": {"weight_decay": 0.02}})


def four_at_a_time() -> Problem:
    """Batch 4: four useful inputs of ten, least squares, constant schedule."""
    x, y = datasets.make_sparse_uncorrelated(300, 10, random_state=0)
    task = lrlab.Task.supervised(
        name="four-at-a-time", model=lrlab.models.module("linear", 1), loss="mse",
        **held_out(x, standard(y)[:, None], 100),
    )  # fmt: skip
    return Problem(task, steps=250, batch_size=4, schedule="constant")


def whole_waves() -> Problem:
    """Full batch: a sum of waves from 40 random Fourier features."""
    random = np.random.default_rng(0)
    t = random.uniform(-1, 1, (160, 2))
    y = np.sin(4 * t[:, 0]) * np.cos(3 * t[:, 1]) + 0.2 * random.standard_normal(160)
    x = np.cos(t @ random.standard_normal((2, 40)) * 3 + random.uniform(0, 2 * np.pi, 40))
    task = lrlab.Task.supervised(
        name="whole-waves", model=lrlab.models.module("linear", 1), loss="mse",
        **held_out(x, standard(y)[:, None], 60),
    )  # fmt: skip
    return Problem(task, steps=300, batch_size="full", schedule="linear")


def checkers() -> Problem:
    """5,000 steps: a board of 3 x 3 noisy fields by a net of 8 + 4 units, batch 4."""
    random = np.random.default_rng(0)
    x = random.uniform(0, 3, (250, 2))
    y = np.floor(x).sum(1).astype(int) % 2
    task = classified(
        x + 0.1 * random.standard_normal(x.shape), y, 80, 2, "checkers", width=[8, 4],
        activation="tanh",
    )  # fmt: skip
    return Problem(task, steps=5000, seeds=40, batch_size=4)


def hinge_dash() -> Problem:
    """50 steps: breast cancer by an MLP with a squared hinge, linear schedule."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(y))
    sides = 2 * y[order].astype(np.float32) - 1

    def loss(outputs, targets):
        return jnp.maximum(1 - outputs * targets, 0)[..., 0] ** 2

    task = lrlab.Task.supervised(
        name="hinge-dash", model=lrlab.models.module("mlp", 1, width=[24]), loss=loss,
        **held_out(x[order], sides[:, None], 169),
    )  # fmt: skip
    return Problem(task, steps=50, schedule="linear")


def outliers() -> Problem:
    """AUC: three in a hundred are positive, in clusters at the corners of a cube."""
    x, y = datasets.make_classification(
        1200, 10, n_informative=6, n_clusters_per_class=3, weights=[0.97], flip_y=0.005,
        random_state=3,
    )  # fmt: skip
    return Problem(ranked(x, y, 500, "outliers", width=[16]), steps=200, metric="valid_auc")


def stripes() -> Problem:
    """A small CNN: which of four ways do the noisy stripes of an image of 8x8 run?"""
    random = np.random.default_rng(0)
    y = random.integers(0, 4, 500)
    rows, columns = np.mgrid[:8, :8]
    ways = np.stack([rows, columns, rows + columns, rows - columns])[y]
    phase = random.uniform(0, 2 * np.pi, (500, 1, 1))
    x = np.sin(2 * np.pi * ways / 4 + phase) + 1.2 * random.standard_normal((500, 8, 8))
    net = lrlab.models.module("cnn", 4, channels=(4, 8), width=0)
    x, labels = x.astype(np.float32)[..., None], y.astype(np.int32)
    task = lrlab.Task.supervised(
        name="stripes", model=net, loss="softmax_cross_entropy",
        train=(x[:400], labels[:400]), valid=(x[400:], labels[400:]),
    )  # fmt: skip
    return Problem(task, steps=120, seeds=40, batch_size=16)


SEALED = {
    new_wines: ("radam",),
    swiss_roll: ("adamax",),
    wrong_quantiles: ("adopt",),
    twenty_held_out: ("adabelief",),
    late_hastie: ("momentum",),
    deep_curve: ("nadam",),
    normed_blobs: ("nesterov",),
    four_at_a_time: ("adagrad",),
    whole_waves: ("rmsprop",),
    checkers: ("sgd",),
    hinge_dash: ("adamw",),
    outliers: ("adam",),
    stripes: ("signum",),
    **SEALED_OWN,
}
"""Function -> optimizers."""
