"""What `finder_regret_axes.py` trains: problems with a further axis, their lanes in a folder."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

import lrlab

MLP = {"name": "mlp", "width": 32}
DECAY, MOMENTUM = [0.0, 1e-3, 1e-2, 1e-1, 1.0], [0.0, 0.5, 0.9, 0.99]
PAIRS = {  # task, optimizer, further axis, its values, updates
    "wine, momentum": (
        {"model": MLP, "data": {"name": "wine"}}, "momentum", "momentum", MOMENTUM, 200,
    ),
    "diabetes, adam": (
        {"model": MLP, "data": {"name": "diabetes"}}, "adam", "b1", [0.0, 0.5, 0.9, 0.99], 200,
    ),
    "cancer, sgd": (
        {"model": {"name": "linear"}, "data": {"name": "breast_cancer"}}, "sgd", "weight_decay",
        DECAY, 200,
    ),
    "quadratic, momentum": (
        {"name": "noisy_quadratic"}, "momentum", "momentum", MOMENTUM, 200,
    ),
    "iris, nesterov": (
        {"model": {"name": "linear"}, "data": {"name": "iris"}}, "nesterov", "momentum", MOMENTUM,
        200,
    ),
    "digits, adamw": (
        {"model": MLP, "data": {"name": "digits"}}, "adamw", "weight_decay", DECAY, 200,
    ),
    "wine, lion": (
        {"model": MLP, "data": {"name": "wine"}}, "lion", "weight_decay", DECAY, 200,
    ),
    "cancer, readout": (
        {"model": MLP, "data": {"name": "breast_cancer"}}, "sgd", "readout",
        [0.1, 0.3, 1.0, 3.0, 10.0], 200,
    ),
}  # fmt: skip
RATES = 10 ** np.linspace(-6, 1.5, 31)
"""4 rates a decade: the 25 of the truth from 1e-5 to 10, and what a search may look at beyond."""

SEEDS, BLOCK = 48, 24
"""The first half is the truth, the other half is for the searches; trained and kept in blocks."""


def recorded(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The lanes of a pair, `metric` f[E, rates, values, seeds] and so on; trained now where they
    are not in the folder yet."""
    path = folder / f"{name.replace(', ', '-')}.npz"
    lanes = dict(np.load(path)) if path.exists() else {}
    spec, optimizer, axis, values, steps = PAIRS[name]
    make = lrlab.tasks.load if "name" in spec else lrlab.tasks.build
    common = {} if "name" in spec else {"batch_size": 32}
    common |= {"multipliers": {axis: values}} if axis == "readout" else {axis: values}
    while (done := lanes["outcome"].shape[-1] if lanes else 0) < SEEDS:
        began = time.perf_counter()
        result = lrlab.sweep(
            make(**spec), lr=RATES, seeds=range(done, done + BLOCK), optimizer=optimizer,
            schedule="cosine", steps=steps, progress=False, **common,
        )  # fmt: skip
        block = {"metric": result.history["valid_loss"], "initial": result.initial["valid_loss"]}
        block |= {
            part: getattr(result, part) for part in ("outcome", "diverged_at", "steps_trained")
        }
        joined = {k: np.concatenate([lanes[k], v], -1) if lanes else v for k, v in block.items()}
        lanes = {
            **joined, "lr": result.lr, "eval_steps": result.eval_steps, "values": np.array(values),
        }  # fmt: skip
        np.savez_compressed(path, **lanes)
        print(f"{name}: {BLOCK} seeds in {time.perf_counter() - began:.0f} s", flush=True)
    return lanes
