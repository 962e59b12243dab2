"""The arrays of a workload, made once by lrlab and handed to every way as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from lrlab import data, models
from lrlab.bench import stock_linen, stock_nnx, stock_plain
from lrlab.bench.workloads import Arrays, Workload
from lrlab.data.batches import Batches, segment_indices
from lrlab.rng import key
from lrlab.tasks.trainability import draws
from lrlab.types import Model, Params


def rates(work: Workload) -> dict[str, np.ndarray]:
    """The learning rates by lane axis, f64; `lr` alone except for the grid's two layers."""
    low, high = np.log10(work.lr)
    if work.kind == "trainability":
        axis = np.logspace(low, high, round(work.lanes**0.5))
        return {"lr_hidden": axis, "lr_readout": axis}
    return {"lr": np.logspace(low, high, work.lanes)}


def make(work: Workload, path: Path) -> str:
    """Writes data (`x`, `y`), batches (`indices` int32[steps, batch]), `rates`, the initial
    parameters (`params/...`) and other model variables (`state/...`); returns what the data are.

    Weights and batches are those of lrlab's seed 0, so that every way trains the same runs.
    """
    arrays: dict[str, Any] = dict(rates(work))  # `np.savez` takes an option among its arrays
    if work.kind == "trainability":
        drawn = draws(8, 72)
        arrays |= {"x": drawn["x"], "y": drawn["y"]}
        arrays |= {f"params/{name}": drawn[name] for name in ("hidden", "readout")}
        np.savez(path, **arrays)
        return "72 normal examples"
    (x, y), about = examples(work)
    variables = dict(lrlab_model(work, "xla", y).init(key(0, "init"), x[:1]))
    params = variables.pop("params")
    for root, tree in (("params", params), ("state", variables)):
        leaves = flatten_dict(jax.tree.map(np.asarray, tree), sep="/")
        arrays |= {f"{root}/{name}": leaf for name, leaf in leaves.items()}
    indices = segment_indices(Batches(len(x), work.batch_size), 0, 0, work.steps)
    np.savez(path, x=x, y=y, indices=indices, **arrays)
    return about


def examples(work: Workload) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    """The training split, and its name; images of noise where Fashion-MNIST is not installed,
    which cost the same to train on."""
    try:
        loaded = data.load({**work.data, "flat": False} if work.kind == "cnn" else work.data)
        x, y = loaded.train
        about = f"{loaded.name}, {len(x):,} examples"
    except data.DataError:
        if work.data["name"] != "fashion_mnist":
            raise
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(6_000, 28, 28)), rng.integers(0, 10, 6_000)
        about = "noise in the shape of Fashion-MNIST, which is not installed"
    if np.issubdtype(np.asarray(x).dtype, np.floating):
        x = np.asarray(x, np.float32)
    return (x, np.asarray(y, np.int32)), about


def lrlab_model(work: Workload, conv: str, targets: np.ndarray) -> Model:
    """lrlab's model of a workload; `conv` "xla" is Flax's own convolution."""
    options = {**work.model, **({"conv": conv} if work.kind in ("cnn", "resnet") else {})}
    return models.as_model(models.make(work.kind, outputs_of(work, targets), **options))


def stock_model(work: Workload, library: str, inputs: Arrays) -> tuple[object, Params | None]:
    """(what `Task.supervised` takes as a model, parameters to start from) of a workload in layers
    of a library: "linen", "nnx", "equinox" or "plain". None: the model begins with them by itself.
    """
    params, state = tree_of(inputs, "params"), tree_of(inputs, "state")
    if library == "equinox":
        from lrlab.bench import stock_equinox

        return stock_equinox.model(work, params), None
    variables = {"params": params, **state}
    if library == "plain":
        return stock_plain.model(work, variables), None
    if work.kind == "transformer":
        variables["params"] = stock_linen.attention_apart(params, work.model["heads"])
    outputs = outputs_of(work, inputs["y"])
    if library == "linen":
        return stock_linen.module(work, outputs), variables
    return stock_nnx.factory(work, inputs["x"], outputs), variables["params"]


def outputs_of(work: Workload, targets: np.ndarray) -> int:
    """How many outputs a workload's model has."""
    return 256 if work.kind == "transformer" else int(targets.max()) + 1


def tree_of(inputs: Arrays, root: str) -> Params:
    """The nested dict of the arrays under `root`/."""
    flat = {name: inputs[name] for name in inputs if name.startswith(f"{root}/")}
    return unflatten_dict({name[len(root) + 1 :]: leaf for name, leaf in flat.items()}, sep="/")
