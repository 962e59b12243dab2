"""Tasks and options for `eight_devices.py`."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import numpy as np

import lrlab


class Net(nn.Module):
    """A stock module with dropout."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        for width in (64, 32):
            x = nn.Dropout(0.2, deterministic=not train)(nn.relu(nn.Dense(width)(x)))
        return nn.Dense(4)(x)


def net() -> lrlab.Task:
    random = np.random.default_rng(0)
    x = random.normal(size=(128, 24)).astype(np.float32)
    y = (x @ random.normal(size=(24, 4))).argmax(-1)
    return lrlab.Task.supervised(
        name="net", model=Net(), loss="softmax_cross_entropy", train=(x[:96], y[:96]),
        valid=(x[96:], y[96:]), metrics=("accuracy",),
    )  # fmt: skip


def transformer() -> dict[str, Any]:
    data = {"name": "stdlib", "context": 16, "max_train": 256, "max_valid": 32}
    model = {"name": "transformer", "width": 64, "depth": 2, "heads": 4, "dropout": 0.1}
    return {"data": data, "model": model}


class Normed(nn.Module):
    """A stock convolutional module with BatchNorm."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        # A bias would be taken off again: its gradient is rounding, which Adam scales up.
        x = nn.Conv(32, (3, 3), use_bias=False)(x.reshape(-1, 4, 6, 1))
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.Dense(4)(x.reshape(len(x), -1))


def own_step() -> lrlab.Task:
    """A step of one's own: a least-squares fit by gradient descent."""
    random = np.random.default_rng(2)
    x = random.normal(size=(64, 48)).astype(np.float32)
    y = x @ random.normal(size=(48, 32)).astype(np.float32)

    def loss(w: jax.Array, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        return ((batch[0] @ w - batch[1]) ** 2).mean()

    def step(state: Any, batch: Any, hyper: Any, key: jax.Array) -> tuple[Any, dict[str, Any]]:
        value, slope = jax.value_and_grad(loss)(state["w"], batch)
        return {"w": state["w"] - hyper["lr"] * slope}, {"loss": value}

    return lrlab.Task.step(
        name="fit",
        init=lambda key, hyper: {"w": 0.1 * jax.random.normal(key, (48, 32))},
        step=step,
        evaluate=lambda state, data, key: {"loss": loss(state["w"], data)},
        train=(x, y),
        valid=(x[:16], y[:16]),
    )


def further_tasks() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Further kinds of training: tasks by name, and options that are not as usual."""
    random = np.random.default_rng(0)
    x = random.normal(size=(96, 24)).astype(np.float32)
    y = (x @ random.normal(size=(24, 4))).argmax(-1)
    rest: dict[str, Any] = {"loss": "softmax_cross_entropy", "valid": (x[:32], y[:32])}
    drawn = Net().init(jax.random.key(1), x[:1])["params"]
    streams = lrlab.data.stream((x, y))
    data: Any = (x, y)
    supervised = lrlab.Task.supervised
    tasks: dict[str, Any] = {
        "probes": net(),
        "averages": net(),
        "full": net(),
        "mixed": net(),
        "batch norm": supervised(name="n", model=Normed(), train=data, **rest),
        "streamed": supervised(name="n", model=Net(), train=streams, **rest),
        "given": supervised(
            name="n", model=Net(), train=data, params=drawn, trainable="Dense_[12]/.*", **rest
        ),
        "frozen": supervised(name="n", model=Net(), train=data, trainable="Dense_2/.*", **rest),
        "own step": own_step(),
        "objective": lrlab.Task.objective(
            name="bowl",
            init=lambda key: {"w": jax.random.normal(key, (48, 64))},
            loss=lambda params, key: (params["w"] ** 2).mean(),
        ),
    }
    further: dict[str, dict[str, Any]] = {
        "probes": {"probes": ["gradient", "sharpness"], "optimizer": "sgd"},
        "averages": {"optimizer": "schedule_free_adamw"},
        "full": {"optimizer": "muon", "batch_size": "full"},
        "mixed": {"precision": "mixed"},
        "batch norm": {"width": 2},
        "objective": {"batch_size": None},
        "own step": {"optimizer": None},
    }
    return tasks, further
