"""One training through each door of `lrlab.Task`: the same model, data, loss and optimizer."""

from __future__ import annotations

import flax.linen as nn
import jax
import numpy as np
import optax

import lrlab

RANDOM = np.random.default_rng(21)
X = RANDOM.standard_normal((60, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
HELD = X[:23], Y[:23]
OPTIONS = {"steps": 24, "batch_size": 8, "seeds": 2, "schedule": "cosine", "eval_every": 6}


class Net(nn.Module):
    """A small classifier."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.tanh(nn.Dense(8)(x)))


def losses(outputs, targets):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets)


def mean_loss(params, batch):
    return losses(Net().apply({"params": params}, batch[0]), batch[1]).mean()


def supervised() -> lrlab.Task:
    return lrlab.Task.supervised(model=Net(), loss=losses, train=(X, Y), valid=HELD, name="door")


def custom() -> lrlab.Task:
    def evaluate(params, state, batch, key):
        size = len(batch[1])
        return {"loss": mean_loss(params, batch) * size}, {"loss": size}

    return lrlab.Task.custom(
        init=lambda key, example: Net().init(key, example[0])["params"],
        loss=lambda params, batch, key: mean_loss(params, batch),
        evaluate=evaluate, train=(X, Y), valid=HELD, name="door",
    )  # fmt: skip


def step() -> lrlab.Task:
    def init(key, hyper):
        params = Net().init(key, X[:1])["params"]
        return {"params": params, "adam": optax.scale_by_adam().init(params)}

    def update(state, batch, hyper, key):
        value, grads = jax.value_and_grad(mean_loss)(state["params"], batch)
        updates, adam = optax.scale_by_adam().update(grads, state["adam"])
        updates = jax.tree.map(lambda u: -hyper["lr"] * u, updates)
        return {"params": optax.apply_updates(state["params"], updates), "adam": adam}, {
            "loss": value
        }

    def evaluate(state, batch, key):
        return {"loss": mean_loss(state["params"], batch)}

    return lrlab.Task.step(
        init=init, step=update, evaluate=evaluate, train=(X, Y), valid=HELD, name="door"
    )


DOORS = {"supervised": supervised, "custom": custom, "step": step}


def options_of(door: str, **more: object) -> dict:
    """What a call takes: a step has its own optimizer."""
    own = {} if door == "step" else {"optimizer": "adam"}
    return {**OPTIONS, **own, "progress": False, **more}
