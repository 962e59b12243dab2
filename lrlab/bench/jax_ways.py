"""The JAX ways to train many learning rates: lrlab, and what people write by hand.

Each function gives `run() -> losses [steps, lanes]`, one call being the whole work: from the
initial parameters to the losses as a NumPy array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrlab
from lrlab.bench.inputs import lrlab_model, stock_model
from lrlab.bench.workloads import STOCK, Arrays, Workload
from lrlab.core.text import JsonObject
from lrlab.engine.flops import count
from lrlab.models.adapters import as_model
from lrlab.types import PyTree

Run = Callable[[], np.ndarray]


def prepare(work: Workload, way: str, inputs: Arrays) -> Run:
    """The run of a JAX way; `inputs` is the file that `inputs.make` wrote."""
    if way == "lrlab":
        return _lrlab(work, inputs)
    if way in STOCK:
        return _lrlab(work, inputs, way.removeprefix("lrlab-"))
    if way == "half-diverging":
        upper = np.arange(work.lanes) >= work.lanes // 2
        return _lrlab(work, {**inputs, "lr": np.where(upper, 1e30, inputs["lr"])})
    return {
        "vmap-step": _vmap_step,
        "vmap-scan": _vmap_scan,
        "lanes-scan": _lanes_scan,
        "lanes-step": _lanes_step,
    }[way](_byhand(work, inputs))


def _lrlab(work: Workload, inputs: Arrays, library: str | None = None) -> Run:
    """A sweep; of a model in layers of a library (see `inputs.stock_model`), or lrlab's own."""
    shared: JsonObject = {"steps": work.steps, "eval_every": work.steps, "progress": False}
    if work.kind == "trainability":
        task = lrlab.tasks.load("trainability")
        lr = {name[3:]: inputs[name] for name in ("lr_hidden", "lr_readout")}
        groups = {"hidden": "hidden", "readout": "readout"}
        shared |= {"groups": groups, "precision": "float64"}
    else:
        # Evaluation is part of a sweep: here of one batch, before and after training.
        x, y = inputs["x"], inputs["y"]
        lr, few = inputs["lr"], slice(0, work.batch_size)
        model, params = lrlab_model(work, "auto", y), None
        if library is not None:
            model, params = stock_model(work, library, inputs)
        task = lrlab.Task.supervised(
            name=work.name,
            model=model,
            params=params,
            loss="softmax_cross_entropy",
            train=(x, y),
            valid=(x[few], y[few]),
            test=None,
            metrics=(),
        )
        shared |= {"batch_size": work.batch_size}

    def run() -> np.ndarray:
        result = lrlab.sweep(
            task, optimizer=work.optimizer, lr=lr, seeds=1, schedule="constant", **shared
        )
        return result.history["train_loss"].reshape(work.steps, -1)

    return run


class _ByHand(NamedTuple):
    """What a researcher writes: `step(state, lr, rows) -> (state, loss)` of one lane."""

    init: Callable[[PyTree], PyTree]
    step: Callable[[PyTree, PyTree, jax.Array], tuple[PyTree, jax.Array]]
    rates: PyTree
    rows: jax.Array
    steps: int


def _byhand(work: Workload, inputs: Arrays) -> _ByHand:
    if work.kind == "trainability":
        return _grid_by_hand(work, inputs)
    module, variables = stock_model(work, "linen", inputs)
    assert variables is not None, "Linen's modules take their parameters from outside"
    other = jax.tree.map(jnp.asarray, variables)
    params = other.pop("params")
    x, y = jnp.asarray(inputs["x"]), jnp.asarray(inputs["y"])
    model = as_model(module)
    noise = jax.random.key(0)

    def loss(params: PyTree, other: PyTree, rows: jax.Array) -> tuple[jax.Array, PyTree]:
        outputs, variables = model.apply({"params": params, **other}, x[rows], True, noise)
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, y[rows])
        return losses.mean(), {name: variables[name] for name in other}

    def transformation(lr: jax.Array) -> optax.GradientTransformation:
        return optax.adam(lr) if work.optimizer == "adam" else optax.sgd(lr, momentum=0.9)

    def init(lr: jax.Array) -> PyTree:
        return params, other, transformation(lr).init(params)

    def step(state: PyTree, lr: PyTree, rows: jax.Array) -> tuple[PyTree, jax.Array]:
        params, other, opt = state
        (value, other), grads = jax.value_and_grad(loss, has_aux=True)(params, other, rows)
        updates, opt = transformation(lr).update(grads, opt, params)
        return (optax.apply_updates(params, updates), other, opt), value

    rows = jnp.asarray(inputs["indices"])
    return _ByHand(init, step, jnp.asarray(inputs["lr"], jnp.float32), rows, work.steps)


def _grid_by_hand(work: Workload, inputs: Arrays) -> _ByHand:
    jax.config.update("jax_enable_x64", True)
    x, y = jnp.asarray(inputs["x"]), jnp.asarray(inputs["y"])
    params = {name: jnp.asarray(inputs[f"params/{name}"]) for name in ("hidden", "readout")}
    width = x.shape[1]

    def loss(params: PyTree) -> jax.Array:
        h = jnp.tanh(x @ params["hidden"] / np.sqrt(width) * np.sqrt(2))
        return jnp.mean((h @ params["readout"] / width - y) ** 2)

    def step(state: PyTree, lr: PyTree, rows: jax.Array) -> tuple[PyTree, jax.Array]:
        value, grads = jax.value_and_grad(loss)(state)
        return jax.tree.map(lambda p, g, rate: p - rate * g, state, grads, lr), value

    hidden, readout = np.meshgrid(inputs["lr_hidden"], inputs["lr_readout"], indexing="ij")
    lr = {"hidden": jnp.asarray(hidden.ravel()), "readout": jnp.asarray(readout.ravel())}
    rows = jnp.zeros((work.steps, 0), jnp.int32)
    return _ByHand(lambda lr: params, step, lr, rows, work.steps)


def _lanes(hand: _ByHand) -> list[PyTree]:
    count = len(jax.tree.leaves(hand.rates)[0])
    return [jax.tree.map(lambda leaf, i=i: leaf[i], hand.rates) for i in range(count)]


def _vmap_step(hand: _ByHand) -> Run:
    start = jax.jit(jax.vmap(hand.init))
    step = jax.jit(jax.vmap(hand.step, in_axes=(0, 0, None)), donate_argnums=0)
    rows = list(hand.rows)

    def run() -> np.ndarray:
        state, losses = start(hand.rates), []
        for row in rows:
            state, loss = step(state, hand.rates, row)
            losses.append(loss)
        return np.stack([np.asarray(loss) for loss in losses])

    return run


def _scan(hand: _ByHand) -> Callable[[PyTree], jax.Array]:
    def one(lr: PyTree) -> jax.Array:
        return jax.lax.scan(lambda s, rows: hand.step(s, lr, rows), hand.init(lr), hand.rows)[1]

    return one


def _vmap_scan(hand: _ByHand) -> Run:
    train = jax.jit(jax.vmap(_scan(hand), out_axes=1))
    return lambda: np.asarray(train(hand.rates))


def _lanes_scan(hand: _ByHand) -> Run:
    train, lanes = jax.jit(_scan(hand)), _lanes(hand)
    return lambda: np.stack([np.asarray(train(lr)) for lr in lanes], axis=1)


def _lanes_step(hand: _ByHand) -> Run:
    start, step = jax.jit(hand.init), jax.jit(hand.step, donate_argnums=0)
    lanes, rows = _lanes(hand), list(hand.rows)

    def run() -> np.ndarray:
        columns = []
        for lr in lanes:
            state, losses = start(lr), []
            for row in rows:
                state, loss = step(state, lr, row)
                losses.append(loss)
            columns.append(np.stack([np.asarray(loss) for loss in losses]))
        return np.stack(columns, axis=1)

    return run


def flops_per_lane_step(work: Workload, inputs: Arrays) -> float | None:
    """Operations in the matrix products and convolutions of one lane's step, counted in the plain
    JAX program; None for the grid, whose time goes elsewhere."""
    if work.kind == "trainability":
        return None
    hand = _byhand(work, inputs)
    lane = jax.tree.map(lambda leaf: leaf[0], hand.rates)
    return count(jax.make_jaxpr(hand.step)(hand.init(lane), lane, hand.rows[0]).jaxpr)
