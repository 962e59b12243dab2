"""DeepOBS's quadratic_deep with SGD: one data set, one replayed order, 36 learning rates."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import lrlab
from lrlab.results.sweep import Result
from lrlab.types import Floats, Model
from lrlab.verify.verdict import Verdict, data

DIMENSION, BATCH, EPOCHS = 100, 128, 100

ORDERS = 8
"""Shuffled orders averaged over: which one was published is not known."""


def hessian() -> np.ndarray:
    """Eigenvalues uniform(0, 1) x 90 and uniform(30, 60) x 10, rotated by a Haar matrix."""
    random = np.random.RandomState(42)
    eigenvalues = np.concatenate((random.uniform(0, 1, 90), random.uniform(30, 60, 10)))
    t = 2 * np.pi * random.uniform()
    rotation = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    for d in range(2, DIMENSION):
        v = random.normal(size=d + 1)
        v = v / np.sqrt(v @ v)
        x = np.concatenate(([1.0], np.zeros(d))) - v
        x = x / np.sqrt(x @ x)
        grown = np.eye(d + 1)
        grown[1:, 1:] = rotation
        rotation = grown - 2 * np.outer(x, x @ grown)
    rotation = -rotation
    return rotation.T @ np.diag(eigenvalues) @ rotation


def quadratic_deep() -> lrlab.Task:
    """DeepOBS's problem as a task: loss 1/2 (theta - x)' Q (theta - x), theta from ones.

    Validation is DeepOBS's test set: its first 896 points, because the last partial batch is
    dropped there too.
    """
    q = jnp.asarray(hessian(), "float32")
    train = np.random.RandomState(42).normal(0, 0.6, (1000, DIMENSION)).astype(np.float32)
    test = np.random.RandomState(43).normal(0, 0.6, (1000, DIMENSION)).astype(np.float32)
    kept = len(test) // BATCH * BATCH
    model = Model(
        lambda key, x: {"params": {"theta": jnp.ones(DIMENSION)}},
        lambda variables, x, training, key: (variables["params"]["theta"] - x, variables),
    )
    return lrlab.Task.supervised(
        name="quadratic_deep",
        model=model,
        loss=lambda outputs, targets: 0.5 * jnp.sum((outputs @ q) * outputs, -1),
        train=(train, np.zeros(len(train), np.float32)),
        valid=(test[:kept], np.zeros(kept, np.float32)),
        metrics=(),
    )


def trained(optimizer: str, lrs: Floats, seeds: int) -> Result:
    """Lrlab's lanes on the problem: DeepOBS's 100 epochs, one shuffled order replayed."""
    steps = EPOCHS * (1000 // BATCH)
    return lrlab.sweep(
        quadratic_deep(),
        optimizer=optimizer,
        lr=lrs,
        steps=steps,
        batch_size=BATCH,
        seeds=seeds,
        schedule="constant",
        sampler="replay",
        eval_every=steps,
        progress=False,
    )


def case() -> Verdict:
    """Schneider et al. 2019: final test losses, the best rate and the first that diverges."""
    published = data("deepobs")
    exponents = np.round(np.arange(-5, 2.01, 0.2), 1)
    result = trained("sgd", 10.0**exponents, ORDERS)
    final = result.final["valid_loss"].mean(1)
    start = float(result.initial["valid_loss"][0, 0])
    sane = np.where(np.isfinite(final) & (final < start), final, np.inf)
    best = int(np.argmin(sane))
    broken = exponents[~np.isfinite(sane)]
    measured = {
        "start": start,
        "final": {
            key: float(final[np.isclose(exponents, float(key))][0]) for key in published["final"]
        },
        "best": float(final[best]),
        "best_exponent": float(exponents[best]),
        "diverges_from": float(broken.min()) if len(broken) else None,
    }
    passed = abs(start / published["start"] - 1) < 1e-5
    for key, value in published["final"].items():
        passed &= abs(measured["final"][key] / value - 1) <= 0.003
    passed &= abs(measured["best"] / published["best"] - 1) <= 0.003
    passed &= abs(measured["best_exponent"] - published["best_exponent"]) <= 0.21
    passed &= measured["diverges_from"] == published["diverges_from"]
    claim = "SGD on quadratic_deep is best near 10^-1.8 and diverges from 10^-1.4 on."
    figures = {key: published[key] for key in measured}
    losses = [float(v) if np.isfinite(v) else None for v in sane]
    figure = {
        "x": (10.0**exponents).tolist(),
        "xlabel": "learning rate",
        "ylabel": "final test loss",
        "log": "xy",
        "lines": {"measured": losses},
        "points": {
            "published": [
                [
                    *(10.0 ** float(key) for key in published["final"]),
                    10.0 ** published["best_exponent"],
                ],
                [*published["final"].values(), published["best"]],
            ]
        },
    }
    tolerance = "0.3 %; best within a grid step; same first diverging rate"
    return Verdict(
        "deepobs-sgd",
        claim,
        figures,
        measured,
        tolerance,
        bool(passed),
        figure=figure,
        source=published["source"],
    )
