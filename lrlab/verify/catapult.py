"""The catapult's phases and recurrence (Lewkowycz et al. 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrlab.theory import catapult, catapult_phase
from lrlab.verify.verdict import Verdict

PRODUCTS, WIDTH, STEPS, SEEDS = (1.9, 2.1, 3.9, 4.1), 512, 50, 20


def train(seed: int, product: float, steps: int) -> tuple[Any, Any, Any]:
    """Gradient descent on f^2/2, f = u.v/sqrt(n), by its weights: f, curvature, the LR used."""
    rng = np.random.default_rng(seed)
    # Before an overflow the map amplifies rounding up to 1e8 times, so extended precision is used.
    u, v = (rng.normal(size=WIDTH).astype(np.longdouble) for _ in range(2))
    lr = np.longdouble(product) / ((u @ u + v @ v) / WIDTH)
    outputs, curvatures = np.empty((2, steps + 1), np.longdouble)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps + 1):
            f = u @ v / np.sqrt(np.longdouble(WIDTH))
            outputs[t], curvatures[t] = f, (u @ u + v @ v) / WIDTH
            push = lr * f / np.sqrt(np.longdouble(WIDTH))
            u, v = u - push * v, v - push * u
    return outputs, curvatures, lr


def phase(outputs: np.ndarray) -> str:
    """What a run did: diverged, or converged with its output rising first, or without that."""
    if not np.isfinite(outputs).all():
        return "divergent"
    rose = np.abs(outputs).max() > 1.05 * np.abs(outputs[0])
    return "catapult" if rose else "lazy"


def case() -> Verdict:
    """Recurrence to 1e-8 of the largest output so far; the right label at four LRs, 20 seeds."""
    worst, wrong, lines = 0.0, 0, {}
    for product in PRODUCTS:
        for seed in range(SEEDS):
            outputs, curvatures, lr = train(seed, product, 400)
            found, _ = catapult(outputs[0], curvatures[0], lr, WIDTH, STEPS)
            short = outputs[: STEPS + 1]
            ok = np.isfinite(short) & np.isfinite(found) & (np.abs(short) < 1e150)
            kept = np.logical_and.accumulate(ok)
            largest = np.maximum.accumulate(np.abs(short[kept]))
            worst = max(worst, float((np.abs(found - short)[kept] / largest).max()))
            wrong += phase(outputs) != catapult_phase(lr, curvatures[0])
            if seed == 0:
                size = np.abs(outputs[: STEPS + 1])
                lines[f"LR x curvature {product}"] = [
                    float(v) if np.isfinite(v) and v < 1e6 else None for v in size
                ]
    return Verdict(
        "catapult",
        "Phases at LR x curvature 2 and 4; outputs follow the two-variable recurrence",
        {"wrong labels": 0, "recurrence error": 0.0},
        {"wrong labels": int(wrong), "recurrence error": worst},
        "1e-8 of the largest |f| so far; every label right",
        bool(wrong == 0 and worst <= 1e-8),
        figure={
            "x": list(range(STEPS + 1)),
            "xlabel": "step",
            "ylabel": "|f|",
            "log": "y",
            "lines": lines,
        },
    )
