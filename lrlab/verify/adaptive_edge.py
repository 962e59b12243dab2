"""Full-batch Adam settles where its preconditioned sharpness is 38 / LR (Cohen et al. 2022)."""

from __future__ import annotations

import numpy as np

from lrlab.verify.edge_of_stability import trained
from lrlab.verify.verdict import Verdict, data

STEPS, EVERY = 8000, 25


def case() -> Verdict:
    """Mean of preconditioned sharpness x LR over the last half of training, at three LRs."""
    published = data("adaptive_edge")
    lrs, level = published["lr"], published["preconditioned_sharpness_times_lr"]
    result = trained("adam", lrs, STEPS, EVERY)
    scaled = result.history["preconditioned_sharpness"] * result.lr[:, None]
    means = scaled[result.eval_steps > STEPS // 2].mean(0)
    return Verdict(
        "adaptive-edge",
        "Adam sharpens until its preconditioned sharpness reaches 38 / LR, and stays there",
        {f"LR {lr:g}": level for lr in lrs},
        {f"LR {lr:g}": means[i].tolist() for i, lr in enumerate(lrs)},
        f"7 % over the last half of {STEPS:,} steps; each of {means.shape[1]} seeds",
        bool(np.all(np.abs(means / level - 1) <= 0.07)),
        source=published["source"],
        figure={
            "x": result.eval_steps.tolist(),
            "xlabel": "step",
            "ylabel": "preconditioned sharpness x LR",
            "log": "",
            "lines": {f"LR {lr:g}": scaled[:, i, 0].tolist() for i, lr in enumerate(lrs)},
            "level": {"y": level, "label": "38 / LR"},
        },
    )
