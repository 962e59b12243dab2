"""Full-batch gradient descent settles where sharpness x LR = 2 (Cohen et al. 2021)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lrlab
from lrlab.results.sweep import Result
from lrlab.types import Array, Model, PyTree
from lrlab.verify.verdict import Verdict, data

STEPS, EVERY, SEEDS = 40_000, 125, 2
"""Steps, updates between two looks at the sharpness (odd: the iterates swing with period 2)."""


@functools.lru_cache(maxsize=4)
def chebyshev(width: int = 100, points: int = 20, degree: int = 4) -> lrlab.Task:
    """The paper's regression as a task: a Chebyshev polynomial, a net 1-`width`-1 with tanh.

    `points` evenly spaced on [-1, 1]; biases in the hidden layer only, from zero; Xavier normal
    weights with gain 1.9 (hidden) and 1; loss half the mean square.
    """
    x = np.linspace(-1, 1, points)[:, None]
    y = np.polynomial.chebyshev.Chebyshev.basis(degree)(x)
    xavier = np.sqrt(2 / (1 + width))

    def init(key: Array, example: Array) -> PyTree:
        hidden, readout = jax.random.split(key)
        return {
            "params": {
                "hidden": 1.9 * xavier * jax.random.normal(hidden, (1, width)),
                "bias": jnp.zeros(width),
                "readout": xavier * jax.random.normal(readout, (width, 1)),
            }
        }

    def apply(variables: PyTree, x: Array, train: bool, key: Array) -> tuple[Array, PyTree]:
        p = variables["params"]
        return jnp.tanh(x @ p["hidden"] + p["bias"]) @ p["readout"], variables

    def half_square(outputs: Array, targets: Array) -> Array:
        return 0.5 * jnp.sum((outputs - targets) ** 2, -1)

    return lrlab.Task.supervised(
        name="chebyshev-regression",
        model=Model(init, apply),
        loss=half_square,
        train=(x, y),
        valid=(x, y),
        metrics=(),
    )


def trained(optimizer: str, lrs: Sequence[float], steps: int, every: int, **options: Any) -> Result:
    """Lrlab's own lanes on the task, full batch, float64, with the probe `stability`.

    `history["stability"]` is the (preconditioned) sharpness over the optimizer's threshold.
    """
    return lrlab.sweep(
        chebyshev(),
        optimizer=optimizer,
        lr=lrs,
        seeds=SEEDS,
        steps=steps,
        batch_size="full",
        schedule="constant",
        eval_every=every,
        precision="float64",
        probes=["stability"],
        progress=False,
        **options,
    )


def case() -> Verdict:
    """Mean of sharpness x LR / 2 over the last half; three LRs at the edge, one far below."""
    published = data("edge_of_stability")
    at_edge, below = published["lr"], published["lr_below"]
    result = trained("sgd", [*at_edge, below], STEPS, EVERY)
    ratio = result.history["stability"]
    half = result.eval_steps > STEPS // 2
    means = ratio[half].mean(0)
    measured = {f"LR {lr:g}": means[i].tolist() for i, lr in enumerate([*at_edge, below])}
    edge, low = means[: len(at_edge)], means[len(at_edge)]
    passed = np.all((edge >= 0.97) & (edge <= 1.03)) and np.all(low < 0.5)
    lines = {f"LR {lr:g}": ratio[:, i, 0].tolist() for i, lr in enumerate([*at_edge, below])}
    return Verdict(
        "edge-of-stability",
        "Gradient descent sharpens until sharpness x LR / 2 reaches 1, and stays there",
        {f"LR {lr:g}": published["sharpness_times_lr_half"] for lr in at_edge}
        | {f"LR {below:g}": "below 0.5"},
        measured,
        "0.97 to 1.03 over the last half of 40,000 steps; below 0.5 at LR 0.02; each of 2 seeds",
        bool(passed),
        source=published["source"],
        figure={
            "x": result.eval_steps.tolist(),
            "xlabel": "step",
            "ylabel": "sharpness x LR / 2",
            "log": "",
            "lines": lines,
            "level": {"y": 1.0, "label": "2 / LR"},
        },
    )
