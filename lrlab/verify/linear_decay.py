"""Linear decay meets its last-iterate guarantee on every convex Lipschitz problem."""

from __future__ import annotations

import numpy as np

from lrlab.verify.verdict import Verdict

PROBLEMS = 1000


def gap_over_bound(seed: int) -> tuple[int, float]:
    """A random max-affine problem, subgradient descent: steps N, and (f - f*) sqrt(N+1) / (D G).

    f(x) = max_i a_i.(x - z) + c_i with a_1 = -sum of the other slopes and c = 0 where the slopes
    are active at z: 0 is then in the subdifferential at z, which makes z a minimizer with value 0.
    """
    rng = np.random.default_rng(seed)
    dimension, pieces, steps = rng.integers(1, 9), rng.integers(2, 13), int(rng.integers(1, 121))
    slopes = rng.normal(size=(pieces, dimension)) * 10 ** rng.uniform(-1, 1)
    slopes[0] = -slopes[1:].sum(0)
    offsets = np.zeros(pieces)
    if rng.random() < 0.5:  # further pieces below the optimum, active away from it
        extra = rng.normal(size=(3, dimension)) * np.abs(slopes).max()
        slopes = np.concatenate([slopes, extra])
        offsets = np.concatenate([offsets, -rng.exponential(size=3)])
    x = rng.normal(size=dimension) * 10 ** rng.uniform(-2, 2)
    distance, lipschitz = np.linalg.norm(x), np.linalg.norm(slopes, axis=1).max()
    for k in range(1, steps + 1):
        lr = distance / lipschitz * (steps + 1 - k) / (steps + 1) ** 1.5
        x = x - lr * slopes[np.argmax(slopes @ x + offsets)]
    value = (slopes @ x + offsets).max()
    return steps, float(value * np.sqrt(steps + 1) / (distance * lipschitz))


def case() -> Verdict:
    """No violation in 1,000 random problems."""
    found = [gap_over_bound(seed) for seed in range(PROBLEMS)]
    shares = np.array([share for _, share in found])
    violations = int((shares > 1 + 1e-12).sum())
    ordered = np.sort(shares)[::10]
    return Verdict(
        "linear-decay",
        "eta_k = (D/G)(N+1-k)/sqrt((N+1)^3) gives f - f* <= D G / sqrt(N+1)",
        {"violations": 0},
        {"violations": violations, "largest share of the bound": float(shares.max())},
        f"no violation in {PROBLEMS} random max-affine problems",
        violations == 0,
        figure={
            "x": np.linspace(0, 1, len(ordered)).tolist(),
            "xlabel": "share of problems",
            "ylabel": "(f - f*) / bound",
            "log": "",
            "lines": {"measured": ordered.tolist(), "bound": [1.0] * len(ordered)},
        },
    )
