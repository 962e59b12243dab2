"""What is trained in the benchmark, and by which ways: plain descriptions, no JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lrlab.core.text import Table

Arrays = Mapping[str, np.ndarray]
"""What `inputs.make` writes, by name: data, batches, rates, parameters."""

WAYS: dict[str, str] = {
    "lrlab": "lrlab.sweep of lrlab's own model, planned by itself",
    "lrlab-linen": "lrlab.sweep of a module of Flax Linen's own layers",
    "lrlab-nnx": "lrlab.sweep of a module of Flax NNX's own layers",
    "lrlab-equinox": "lrlab.sweep of a module of Equinox's own layers",
    "lrlab-plain": "lrlab.sweep of a function in plain JAX",
    "half-diverging": "lrlab.sweep where the upper half of the learning rates diverges at once",
    "vmap-step": "jit(vmap(step)) called in a Python loop",
    "vmap-scan": "jit(vmap(scan)): all lanes, all steps, one call",
    "lanes-scan": "lanes one after another, one compiled scan with a traced learning rate",
    "lanes-step": "lanes one after another, a jitted step in a Python loop",
    "torch-loop": "plain PyTorch loop, one learning rate after another",
    "torch-func": "PyTorch ensembling: torch.func.vmap over stacked parameters",
}
"""Name -> what it does. The JAX ways by hand train the module of Linen's own layers, with Optax's
cross-entropy, on one CPU device with XLA's own threads, as JAX starts."""

STOCK = ("lrlab-linen", "lrlab-nnx", "lrlab-equinox", "lrlab-plain")
"""lrlab with models as people write them, of their library's own layers."""

JAX_WAYS = tuple(way for way in WAYS if not way.startswith("torch"))
"""The ways that run where lrlab runs."""

PACKAGES = {"lrlab-equinox": "equinox", "torch-loop": "torch", "torch-func": "torch"}
"""What a way needs beside lrlab's own requirements."""

USUAL = tuple(way for way in WAYS if way != "half-diverging")


class Workload(NamedTuple):
    """One piece of work that every way does: same data, weights, batches, optimizer, steps.

    `kind` is the architecture (a name of `lrlab.models`, or "trainability"), `model` its options,
    `data` a source of `lrlab.data` with options. `lr` (low, high): log-spaced over the lanes.
    """

    name: str
    kind: str
    model: Table
    data: Table
    lanes: int
    batch_size: int
    steps: int
    optimizer: str
    lr: tuple[float, float]
    ways: tuple[str, ...] = USUAL
    dtype: str = "float32"


DIGITS = {"name": "digits"}
FASHION = {"name": "fashion_mnist"}

WORKLOADS: tuple[Workload, ...] = (
    Workload("mlp-small", "mlp", {"width": [32]}, DIGITS,
             128, 64, 500, "momentum", (1e-4, 0.1)),
    Workload("mlp-medium", "mlp", {"width": [128, 128]}, DIGITS,
             64, 128, 300, "momentum", (1e-4, 0.1), tuple(WAYS)),
    Workload("mlp-wide", "mlp", {"width": [512, 512]}, FASHION,
             16, 128, 100, "momentum", (1e-4, 0.03)),
    Workload("cnn", "cnn", {"channels": [16, 32], "width": 64}, FASHION,
             16, 64, 50, "momentum", (1e-4, 0.03)),
    Workload("resnet", "resnet", {"channels": [16, 32, 64]}, FASHION,
             8, 64, 20, "momentum", (1e-4, 0.03),
             tuple(way for way in USUAL if way != "lrlab-equinox")),
    Workload("transformer", "transformer", {"width": 64, "depth": 2, "heads": 4},
             {"name": "stdlib", "context": 64}, 8, 16, 50, "adam", (1e-5, 1e-3)),
    Workload("grid", "trainability", {}, {}, 256 * 256, 0, 100, "sgd", (1e-3, 1e6),
             ("lrlab", "vmap-step", "vmap-scan"), "float64"),
)  # fmt: skip
"""The grid has two lane axes, one learning rate per layer; `lanes` is their product. The residual
network is not written in Equinox, whose BatchNorm keeps statistics of its own kind."""

NAMES = tuple(workload.name for workload in WORKLOADS)


def workload(name: str) -> Workload:
    """The workload of that name; "grid-512" is the grid with 512 x 512 lanes.

    Raises:
        ValueError: an unknown name.

    >>> workload("grid-16").lanes
    256
    """
    if name.startswith("grid-") and name[5:].isdigit() and int(name[5:]) > 0:
        return workload("grid")._replace(name=name, lanes=int(name[5:]) ** 2)
    for work in WORKLOADS:
        if work.name == name:
            return work
    raise ValueError(f"there is no workload {name!r}; known: {', '.join(NAMES)}, grid-SIZE")
