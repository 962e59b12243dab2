"""Which pairs of layer learning rates train: the picture of Sohl-Dickstein 2024."""

from __future__ import annotations

import numpy as np

import lrlab
from lrlab.verify.verdict import Verdict, data


def decisions(rates: np.ndarray, width: int, steps: int) -> np.ndarray:
    """bool[readout, hidden]: True where training converged, of lrlab's lanes, one per pair.

    Full-batch gradient descent in float64 on mean (tanh(sqrt(2/w) x A) b / w - y)^2; converged: the
    losses of the last 20 steps over the first (non-finite counted as 1e6) have a mean below 1.
    """
    result = lrlab.sweep(
        lrlab.tasks.load("trainability", width=width),
        optimizer="sgd",
        lr={"hidden": rates, "readout": rates},
        groups={"hidden": "hidden", "readout": "readout"},
        schedule="constant",
        steps=steps,
        seeds=1,
        eval_every=steps,
        precision="float64",
        progress=False,
    )
    losses = result.history["train_loss"][..., 0]
    losses = np.where(np.isfinite(losses), losses, 1e6)
    return (np.minimum(losses / losses[0], 1e6)[-20:].mean(0) < 1).T


def case() -> Verdict:
    """At least 99 % of 64 x 64 decisions as in the published picture."""
    published = data("fractal")
    rates = np.logspace(-3, 6, 512)[published["index"]]
    expected = np.array([[c == "1" for c in row] for row in published["rows"]])
    measured = decisions(rates, published["width"], published["steps"])
    agreement = float((measured == expected).mean())
    return Verdict(
        "fractal",
        "Which of 64 x 64 pairs of layer learning rates converge",
        {"decisions that agree": 1.0},
        {"decisions that agree": agreement},
        "99 % of the decisions",
        agreement >= 0.99,
        source="Sohl-Dickstein 2024 (arXiv 2402.06184), the public notebook's picture",
        figure={
            "image": (measured.astype(int) + (measured != expected) * 2).tolist(),
            "names": ["diverged", "converged", "diverged here only", "converged here only"],
            "extent": np.log10([rates[0], rates[-1], rates[0], rates[-1]]).tolist(),
            "xlabel": "log10 of the hidden layer's LR",
            "ylabel": "log10 of the readout's LR",
        },
    )  # fmt: skip
