"""The best base LR and the bound of four schedules (Schaipp et al. 2025)."""

from __future__ import annotations

import numpy as np

from lrlab.theory import last_iterate_bound, optimal_base_lr
from lrlab.verify.verdict import Verdict, data


def case() -> Verdict:
    """Constants to 1e-9; cosine's best LR is 1.90 times that of WSD."""
    published = data("schedule_bound")
    steps = published["steps"]
    k = np.arange(steps)
    shapes = {
        "constant": np.ones(steps),
        "cosine": (1 + np.cos(np.pi * k / steps)) / 2,
        "wsd": np.where(k < 0.8 * steps, 1.0, (steps - k) / (0.2 * steps)),
        "linear": 1 - k / steps,
    }
    optimal = {name: optimal_base_lr(shape) for name, shape in shapes.items()}
    lrs = {name: best.lr for name, best in optimal.items()}
    bounds = {name: best.bound for name, best in optimal.items()}
    ratio = lrs["cosine"] / lrs["wsd"]
    error = max(
        max(abs(lrs[n] - published["lr"][n]), abs(bounds[n] - published["bound"][n])) for n in lrs
    )
    rates = np.logspace(-2.7, -0.3, 61)
    lines = {
        name: [last_iterate_bound(shape, base_lr=lr) for lr in rates]
        for name, shape in shapes.items()
    }
    return Verdict(
        "schedule-bound",
        "The last-iterate bound's best base LR and value for four schedules",
        {"lr": published["lr"], "bound": published["bound"], "cosine/wsd": 1.9},
        {"lr": lrs, "bound": bounds, "cosine/wsd": ratio},
        "1e-9 absolute; ratio to two decimals",
        bool(error <= 1e-9 and round(ratio, 2) == published["cosine_over_wsd"]),
        source=published["source"],
        figure={
            "x": rates.tolist(),
            "xlabel": "base LR",
            "ylabel": "bound",
            "log": "xy",
            "lines": lines,
            "points": {
                "published": [list(published["lr"].values()), list(published["bound"].values())]
            },
        },
    )
