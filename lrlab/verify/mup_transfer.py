"""muP on digits: the best learning rate stays where it is from width 32 to 512."""

from __future__ import annotations

import numpy as np

import lrlab
from lrlab import models, scaling
from lrlab.data import load
from lrlab.results.sweep import Result
from lrlab.verify.verdict import Verdict

WIDTHS, BASE, STEPS, BATCH, SEEDS = (32, 128, 512), 32, 150, 64, 5
EXPONENTS = np.arange(-14, -1)


def case() -> Verdict:
    """Yang et al. 2022 (arXiv 2203.03466), figure 1: Adam, 64-w-w-10 ReLU without biases."""
    curves: dict[str, np.ndarray] = {}
    history: dict[str, np.ndarray] = {}
    for width in WIDTHS:
        for name in ("standard", "muP"):
            result = trained(width, name == "muP")
            final = result.final["valid_loss"].mean(1)
            initial = result.initial["valid_loss"].mean(1)
            curves[f"{name} {width}"] = np.where(np.isfinite(final), final, initial)
            if width == BASE:
                history[name] = result.history["train_loss"]
    best = {name: int(EXPONENTS[np.argmin(values)]) for name, values in curves.items()}
    shift = {
        name: best[f"{name} {WIDTHS[0]}"] - best[f"{name} {WIDTHS[-1]}"]
        for name in ("standard", "muP")
    }
    apart = float(np.nanmax(np.abs(history["standard"] - history["muP"])))
    return Verdict(
        "mup-transfer",
        "The best LR (Adam, digits MLP) is stable over width in muP and falls in the standard "
        "parametrization",
        {"shift in muP": "at most 1 octave", "shift in standard": "falls with width"},
        {"log2 of the best LR": best, "shift in octaves": shift, "apart at the base width": apart},
        "muP: at most 1 octave; standard: at least 2 down; equal at the base width to 1e-6",
        abs(shift["muP"]) <= 1 and shift["standard"] >= 2 and apart <= 1e-6,
        figure={
            "x": (2.0**EXPONENTS).tolist(),
            "xlabel": "LR",
            "ylabel": f"final training loss, mean of {SEEDS} seeds",
            "log": "xy",
            "lines": {name: values.tolist() for name, values in curves.items()},
        },
    )


def trained(width: int, in_mup: bool) -> Result:
    """The sweep at a width; the training split is what `valid_loss` is evaluated on."""
    train = load("digits").splits()["train"]
    model = models.module("mlp", 10, width=width, depth=2, bias=False)
    optimizer = "adam"
    if in_mup:
        base = models.module("mlp", 10, width=BASE, depth=2, bias=False)
        mup = scaling.mup(model, base, train[0], optimizer="adam")
        model, optimizer = mup.model, mup.optimizer("adam")
    task = lrlab.Task.supervised(
        name="digits-mlp",
        model=model,
        loss="softmax_cross_entropy",
        train=train,
        valid=train,
        metrics=(),
    )
    return lrlab.sweep(
        task, optimizer=optimizer, lr=2.0**EXPONENTS, steps=STEPS, batch_size=BATCH, seeds=SEEDS,
        schedule="constant", eval_every=STEPS, progress=False,
    )  # fmt: skip
