"""The closed-form risk of minibatch SGD on linear regression, against 2,000 lanes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import lrlab
from lrlab.theory import regression_risk
from lrlab.types import Array, Params
from lrlab.verify.verdict import Verdict

LANES, STEPS, BATCH, EXAMPLES, DIMENSION = 2000, 60, 4, 40, 5
LRS = (0.05, 0.2)


def problem() -> tuple[np.ndarray, np.ndarray]:
    """A regression with curvatures over two decades and noisy targets: f64[N, D], f64[N]."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(EXAMPLES, DIMENSION)) * np.geomspace(1, 0.1, DIMENSION)
    weights = rng.normal(size=DIMENSION) * 2
    return inputs, inputs @ weights + 0.5 * rng.normal(size=EXAMPLES)


def trained(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minibatch losses of lrlab's lanes before each update, and their rates: f64[steps, LRs,
    lanes] both.

    An objective rather than a supervised task: the closed form is for batches that are drawn
    independently (with replacement) at every step, lrlab's own batches go through shuffled epochs.
    """

    def loss(params: Params, key: Array) -> Array:
        rows = jax.random.randint(key, (BATCH,), 0, EXAMPLES)
        x, y = jnp.asarray(inputs)[rows], jnp.asarray(targets)[rows]
        return 0.5 * jnp.mean((x @ params - y) ** 2)

    task = lrlab.Task.objective("regression", lambda key: jnp.zeros(DIMENSION), loss)
    result = lrlab.sweep(
        task,
        optimizer="sgd",
        lr=LRS,
        seeds=LANES,
        steps=STEPS,
        schedule="cosine",
        eval_every=STEPS,
        precision="float64",
        progress=False,
    )
    return result.history["train_loss"], result.history["learning_rate"]


def case() -> Verdict:
    """Mean minibatch loss within 4 standard errors of the closed form, at every step."""
    inputs, targets = problem()
    losses, rates = trained(inputs, targets)
    scores, lines, largest = [], {}, {}
    for column, lr in enumerate(LRS):
        want = regression_risk(inputs, targets, rates[:, column, 0], BATCH)[:-1]
        mean = losses[:, column].mean(1)
        error = losses[:, column].std(1, ddof=1) / np.sqrt(LANES)
        scores.append(np.abs(mean - want) / error)
        largest[f"standard errors off, LR {lr:g}"] = float(scores[-1].max())
        lines[f"LR {lr:g}, closed form"] = want.tolist()
        lines[f"LR {lr:g}, {LANES:,} lanes"] = mean.tolist()
    return Verdict(
        "sgd-risk",
        "The expected minibatch loss of SGD on linear regression follows its closed form",
        {f"standard errors off, LR {lr:g}": 0.0 for lr in LRS},
        largest,
        f"4 standard errors at each of {STEPS} steps, {LANES:,} lanes, cosine schedule",
        bool(np.max(scores) <= 4),
        source="second moments of SGD: Bach and Moulines 2013 (arXiv 1306.2119)",
        figure={
            "x": list(range(STEPS)),
            "xlabel": "step",
            "ylabel": "expected minibatch loss",
            "log": "y",
            "lines": lines,
        },
    )
