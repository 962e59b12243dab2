"""What a problem of `finder_regret.py` is, and parts that several of them are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import lrlab

OWN = "own"
"""The optimizer of a pair whose task brings its own step."""


class Problem(NamedTuple):
    """A task, and how it is trained: `seeds` how many in a record (half of them for the truth);
    `metric` what is judged, and whether it is to be minimized or maximized the task says;
    `optimizer_args`: by optimizer."""

    task: lrlab.Task
    steps: int
    seeds: int = 48
    batch_size: int | str | None = 32
    metric: str = "valid_loss"
    schedule: str = "cosine"
    schedule_args: Mapping[str, Any] = {}
    optimizer_args: Mapping[str, Mapping[str, Any]] = {}

    @property
    def direction(self) -> str:
        return self.task.metrics[self.metric.removeprefix("valid_")]

    def common(self, optimizer: str) -> dict[str, Any]:
        """What a sweep and a range test are both given."""
        batch = {} if self.task.is_objective else {"batch_size": self.batch_size}
        if optimizer == OWN:
            return batch
        args = dict(self.optimizer_args.get(optimizer, {}))
        return {"optimizer": optimizer, **({"optimizer_args": args} if args else {}), **batch}

    def swept(self, optimizer: str) -> dict[str, Any]:
        """What a sweep is given, but for rates and seeds."""
        args = {"schedule_args": dict(self.schedule_args)} if self.schedule_args else {}
        shape = {"schedule": self.schedule, "steps": self.steps, "metric": self.metric}
        return {**self.common(optimizer), **shape, **args}


def held_out(
    x: np.ndarray, y: np.ndarray, valid: int, pixels: bool = False
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Training and validation split: the last `valid` examples; inputs standardized, but for
    `pixels` from 0 to 16, of which some hardly vary."""
    x = np.asarray(x, np.float32)
    x = x / 16 if pixels else (x - x[:-valid].mean(0)) / x[:-valid].std(0)
    return {"train": (x[:-valid], y[:-valid]), "valid": (x[-valid:], y[-valid:])}


def standard(y: np.ndarray) -> np.ndarray:
    """Targets of mean 0 and variance 1, f32."""
    return ((y - y.mean()) / y.std()).astype(np.float32)


def classified(
    x: np.ndarray,
    y: np.ndarray,
    valid: int,
    classes: int,
    name: str,
    pixels: bool = False,
    **model: Any,
) -> lrlab.Task:
    """Labels 0, 1, ... by an MLP."""
    net = lrlab.models.module("mlp", classes, **model)
    split = held_out(x, np.asarray(y, np.int32), valid, pixels)
    return lrlab.Task.supervised(name=name, model=net, loss="softmax_cross_entropy", **split)


def regressed(x: np.ndarray, y: np.ndarray, valid: int, name: str, **model: Any) -> lrlab.Task:
    """One standardized number by an MLP, squared error."""
    net = lrlab.models.module("mlp", 1, **model)
    split = held_out(x, standard(y)[:, None], valid)
    return lrlab.Task.supervised(name=name, model=net, loss="mse", **split)


def wrong_labels(y: np.ndarray, part: float, classes: int, valid: int, seed: int) -> np.ndarray:
    """Labels of which a part, drawn at random, is replaced by random ones; not the last `valid`."""
    random = np.random.default_rng(seed)
    wrong = random.random(len(y)) < part
    wrong[-valid:] = False
    return np.where(wrong, random.integers(0, classes, len(y)), y)


def auc(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The probability that a positive example is ranked above a negative one, from one output."""
    score = outputs.reshape(-1)
    above = (jnp.sign(score[:, None] - score) + 1) / 2
    pairs = (targets.reshape(-1, 1) == 1) & (targets.reshape(-1) == 0)
    return (above * pairs).sum() / pairs.sum()


def ranked(x: np.ndarray, y: np.ndarray, valid: int, name: str, **model: Any) -> lrlab.Task:
    """Two classes, one of them rare, by an MLP with one output, judged by the ranking too."""
    net = lrlab.models.module("mlp", 1, **model)
    split = held_out(x, np.asarray(y, np.int32), valid)
    metrics = {"auc": (auc, "max")}
    return lrlab.Task.supervised(name=name, model=net, loss="binary", metrics=metrics, **split)


class Bottleneck(nn.Module):
    """Down to `code` numbers and up again, f[..., n] -> f[..., n]."""

    hidden: int
    code: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        h = nn.tanh(nn.Dense(self.hidden)(x))
        h = nn.tanh(nn.Dense(self.hidden)(nn.Dense(self.code)(h)))
        return nn.Dense(x.shape[-1])(h)


def drawn(net: nn.Module):
    """The `init` of `Task.custom` for a network whose input is the example."""

    def init(key, example):
        return net.init(key, example)

    return init
