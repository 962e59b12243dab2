"""The catapult's phases and recurrence (Lewkowycz et al. 2020)."""

from __future__ import annotations

import numpy as np

from lrlab.theory import catapult, catapult_phase
from lrlab.verify.verdict import Verdict

PRODUCTS, WIDTH, STEPS, SEEDS = (1.9, 2.1, 3.9, 4.1), 512, 50, 20


def train(seed: int, product: float, steps: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Gradient descent on f^2/2, f = u.v/sqrt(n), by its weights: f, curvature, the LR used."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=WIDTH), rng.normal(size=WIDTH)
    lr = product / ((u @ u + v @ v) / WIDTH)
    outputs, curvatures = np.empty(steps + 1), np.empty(steps + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps + 1):
            f = u @ v / np.sqrt(WIDTH)
            outputs[t], curvatures[t] = f, (u @ u + v @ v) / WIDTH
            push = lr * f / np.sqrt(WIDTH)
            u, v = u - push * v, v - push * u
    return outputs, curvatures, lr


def phase(outputs: np.ndarray, curvatures: np.ndarray) -> str:
    """What a run did: diverged; or converged after its curvature fell visibly, or without that."""
    if not np.isfinite(outputs).all():
        return "divergent"
    grew = np.abs(outputs).max() > 3 * max(np.abs(outputs[0]), 1e-12)
    return "catapult" if grew else "lazy"


def case() -> Verdict:
    """Recurrence to 1e-8 of the largest output so far; the right label at four LRs, 20 seeds."""
    worst, wrong, lines = 0.0, 0, {}
    for product in PRODUCTS:
        for seed in range(SEEDS):
            outputs, curvatures, lr = train(seed, product, 3000)
            found, _ = catapult(outputs[0], curvatures[0], lr, WIDTH, STEPS)
            short = outputs[: STEPS + 1]
            ok = np.isfinite(short) & np.isfinite(found) & (np.abs(short) < 1e150)
            kept = np.logical_and.accumulate(ok)
            largest = np.maximum.accumulate(np.abs(short[kept]))
            worst = max(worst, float((np.abs(found - short)[kept] / largest).max()))
            wrong += phase(outputs, curvatures) != catapult_phase(lr, curvatures[0])
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
