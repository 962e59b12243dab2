"""What `finder_regret.py` trains: problems, and their lanes in a folder, some seeds at a time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

import lrlab
from lrlab.search import rules

MLP = {"name": "mlp", "width": 64}
TEXT = {"name": "transformer", "width": 32, "depth": 1, "heads": 2}
BYTES = {"name": "stdlib", "context": 16, "max_valid": 64}
FASHION = {"name": "fashion_mnist", "max_valid": 1000}
PROBLEMS = {  # task, updates, seeds
    "wine": ({"model": {"name": "mlp", "width": 32}, "data": {"name": "wine"}}, 400, 48),
    "digits": ({"model": MLP, "data": {"name": "digits"}}, 400, 48),
    "breast_cancer": ({"model": {"name": "linear"}, "data": {"name": "breast_cancer"}}, 400, 48),
    "diabetes": ({"model": MLP, "data": {"name": "diabetes"}}, 400, 48),
    "mnist1d": ({"model": {**MLP, "width": [64, 64]}, "data": {"name": "mnist1d"}}, 400, 48),
    "fashion_mnist": ({"model": MLP, "data": FASHION}, 400, 40),
    "text": ({"model": TEXT, "data": BYTES}, 100, 40),
}
OPTIMIZERS = ("momentum", "adam", "sgd", "adamw", "lion")
SMALL = {"name": "mlp", "width": [32, 32]}
OUTSIDE = {  # the same, and with which optimizers: not looked at while find was made
    "quadratic": ({"name": "quadratic"}, 300, 48, ("sgd", "nesterov")),
    "rosenbrock": ({"name": "rosenbrock"}, 1000, 48, ("adam", "momentum")),
    "noisy_quadratic": ({"name": "noisy_quadratic"}, 300, 48, ("sgd", "rmsprop")),
    "iris": ({"model": {"name": "linear"}, "data": {"name": "iris"}}, 200, 48,
             ("adagrad", "adamax")),
    "iris_mlp": ({"model": SMALL, "data": {"name": "iris"}}, 200, 48, ("nadam", "signum")),
    "cancer_mlp": ({"model": SMALL, "data": {"name": "breast_cancer"}}, 200, 48,
                   ("radam", "rmsprop")),
    "diabetes_linear": ({"model": {"name": "linear"}, "data": {"name": "diabetes"}}, 200, 48,
                        ("adabelief", "nesterov")),
    "wine_linear": ({"model": {"name": "linear"}, "data": {"name": "wine"}}, 200, 48,
                    ("amsgrad", "adopt")),
}  # fmt: skip
RATES = 10 ** np.linspace(-6, 1.5, 61)
"""8 rates a decade: the 49 of the truth from 1e-5 to 10, and what a search may look at beyond."""

BLOCK = 8
"""Seeds that are trained and kept at a time."""


def recorded(
    folder: Path, name: str, optimizer: str, until: float = float("inf")
) -> dict[str, np.ndarray] | None:
    """The lanes of a pair, and what each rule picks from 16 ramps; trained now where they are not
    in the folder yet. None where `until` (seconds of `time.monotonic`) came before the last block.
    """
    path = folder / f"{name}-{optimizer}.npz"
    spec, steps, seeds = (PROBLEMS | OUTSIDE)[name][:3]
    make = lrlab.tasks.load if "name" in spec else lrlab.tasks.build
    common = {"optimizer": optimizer} | ({} if "name" in spec else {"batch_size": 32})
    lanes = dict(np.load(path)) if path.exists() else {}
    while (done := lanes["outcome"].shape[-1] if lanes else 0) < seeds:
        if time.monotonic() > until:
            return None
        result = lrlab.sweep(
            make(**spec), lr=RATES, seeds=range(done, min(done + BLOCK, seeds)),
            schedule="cosine", steps=steps, progress=False, **common,
        )  # fmt: skip
        block = {"metric": result.history["valid_loss"], "initial": result.initial["valid_loss"]}
        block |= {
            part: getattr(result, part) for part in ("outcome", "diverged_at", "steps_trained")
        }
        joined = {k: np.concatenate([lanes[k], v], -1) if lanes else v for k, v in block.items()}
        lanes = {**joined, "lr": result.lr, "eval_steps": result.eval_steps}
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, **lanes)
        part.replace(path)  # a call that is killed leaves whole files
    picks = path.with_suffix(".json")
    if not picks.exists():
        test = lrlab.range_test(make(**spec), seeds=16, num_steps=100, **common)
        found = {rule: np.asarray(test.suggest(rule)).tolist() for rule in rules.NAMES}
        picks.write_text(json.dumps(found))
    return {**lanes, "picks": json.loads(picks.read_text())}
