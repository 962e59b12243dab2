"""Whether numbers stay what they are: the histories of six configurations, bit by bit.

    python tests/bits.py write before.npz     with the code before a change
    python tests/bits.py write after.npz      with the code after it, on the same machine
    python tests/bits.py compare before.npz after.npz

MLP, CNN, residual network, transformer, an objective in float64, several schedules; about a minute.
Ends with status 1 where an array, a dtype or a bit differs.
"""

from __future__ import annotations

import sys

import numpy as np

CONFIGURATIONS = {
    "mlp": {"task": "digits-mlp", "optimizer": "momentum", "batch_size": 32, "steps": 40},
    "cnn": {
        "task": "digits-cnn", "optimizer": "sgd", "schedule": "constant", "batch_size": 16,
        "steps": 6,
    },
    "residual": {
        "task": {
            "model": {"name": "resnet", "channels": [4, 8]},
            "data": {"name": "digits", "max_train": 64, "max_valid": 32},
        },
        "optimizer": "adamw", "schedule": "wsd", "batch_size": 16, "steps": 4,
    },
    "transformer": {
        "task": {
            "model": {"name": "transformer", "width": 16, "depth": 1, "heads": 2},
            "data": {"name": "stdlib", "max_train": 64, "max_valid": 16},
        },
        "optimizer": "adam", "schedule": "linear", "batch_size": 8, "steps": 6,
    },
    "objective": {
        "task": "quadratic", "optimizer": "nesterov", "schedule": "linear", "steps": 12,
        "precision": "float64",
    },
    "schedules": {
        "task": "wine-mlp", "optimizer": "adam", "batch_size": 16, "steps": 30,
        "schedule": ["linear", {"name": "wsd", "cooldown": 0.3}, "one_cycle"],
    },
}  # fmt: skip


def write(path: str) -> None:
    """Trains every configuration at one plan, and writes what came of it."""
    import lrlab

    arrays = {}
    for name, arguments in CONFIGURATIONS.items():
        task, plan = arguments["task"], lrlab.Plan(tile_width=2, devices=2)
        others = {key: value for key, value in arguments.items() if key != "task"}
        result = lrlab.sweep(task, lr=[0.01, 0.1], seeds=2, progress=False, plan=plan, **others)
        arrays |= {f"{name}/{metric}": rows for metric, rows in result.history.items()}
        arrays |= {f"{name}/final/{metric}": rows for metric, rows in result.final.items()}
    np.savez(path, **arrays)


def compare(before: str, after: str) -> bool:
    """Prints every array that differs; whether there is none."""
    old, new = np.load(before), np.load(after)
    names = sorted({*old.files, *new.files})
    apart = [
        name
        for name in names
        if name not in old
        or name not in new
        or old[name].dtype != new[name].dtype
        or not np.array_equal(old[name], new[name], equal_nan=True)
    ]
    print(*apart, f"{len(names)} arrays, {len(apart)} differ", sep="\n")
    return not apart


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    if command == "write":
        write(*paths)
    else:
        sys.exit(0 if compare(*paths) else 1)
