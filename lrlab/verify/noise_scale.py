"""The two-batch estimator of gradient noise is unbiased (McCandlish et al. 2018)."""

from __future__ import annotations

import numpy as np

from lrlab.probes.noise import two_batch_estimates
from lrlab.verify.verdict import Verdict

SMALL, BIG, REPEATS, DIMENSION = 8, 64, 2000, 20


def case() -> Verdict:
    """Known mean and covariance of gradients, estimated 2,000 times from 8 and 64 examples."""
    rng = np.random.default_rng(0)
    mean = rng.normal(size=DIMENSION) * 0.3
    root = rng.normal(size=(DIMENSION, DIMENSION)) / 2
    squared, trace = float(mean @ mean), float((root**2).sum())
    estimates = np.empty((2, REPEATS))
    for repeat in range(REPEATS):
        gradients = mean + rng.normal(size=(BIG, DIMENSION)) @ root.T
        small, big = gradients[:SMALL].mean(0), gradients.mean(0)
        estimates[:, repeat] = two_batch_estimates(small @ small, big @ big, SMALL, BIG)
    means, errors = estimates.mean(1), estimates.std(1, ddof=1) / np.sqrt(REPEATS)
    scores = (means - [squared, trace]) / errors
    upto = np.unique(np.geomspace(10, REPEATS, 60).astype(int))
    running = np.cumsum(estimates, axis=1)[:, upto - 1] / upto
    return Verdict(
        "noise-scale",
        "Squared gradient norm and covariance trace from two batch sizes, without bias",
        {"squared norm": squared, "trace": trace},
        {"squared norm": float(means[0]), "trace": float(means[1])},
        f"3 standard errors over {REPEATS} repeats (here {scores[0]:+.2f} and {scores[1]:+.2f})",
        bool(np.all(np.abs(scores) <= 3)),
        source="McCandlish et al. 2018 (arXiv 1812.06162), appendix A.1",
        figure={
            "x": upto.tolist(),
            "xlabel": "repeats",
            "ylabel": "running mean / truth",
            "log": "x",
            "lines": {
                "squared norm": (running[0] / squared).tolist(),
                "trace": (running[1] / trace).tolist(),
            },
            "level": {"y": 1.0, "label": "the truth"},
        },
    )
