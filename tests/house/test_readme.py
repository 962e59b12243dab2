"""The README's code of the three doors trains."""

from __future__ import annotations

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.training.train_state import TrainState
from places import ROOT

import lrlab

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 6)).astype(np.float32)
SHORT = {"steps": 6, "batch_size": 8, "seeds": 1, "progress": False}


def doors() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Any training")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


class Words(nn.Module):
    """Logits of the next token."""

    @nn.compact
    def __call__(self, batch):
        return nn.Dense(9)(nn.Embed(9, 5)(batch["tokens"]))


def words():
    tokens = RANDOM.integers(0, 9, (40, 7)).astype(np.int32)
    mask = RANDOM.random((40, 6)) < 0.5
    batches = {"tokens": tokens[:, :-1], "next": tokens[:, 1:], "mask": mask}
    return {"Words": Words, "batches": batches, "held_out": jax.tree.map(lambda a: a[:9], batches)}


def coder():
    def init(key, example):
        keys = jax.random.split(key, 3)
        shapes = {"a": (6, 8), "b": (8, 4), "c": (2, 6)}
        return {
            name: 0.3 * jax.random.normal(one, shape)
            for (name, shape), one in zip(shapes.items(), keys, strict=True)
        }

    return {"init": init, "x_train": X, "x_valid": X[:15]}


def state():
    def error(params, batch):
        return ((batch @ params["w"] - batch.sum(1)) ** 2).mean()

    def init_state(key, hyper):
        tx = optax.inject_hyperparams(optax.adam)(learning_rate=0.0)
        params = {"w": jax.random.normal(key, (6,))}
        return TrainState.create(apply_fn=error, params=params, tx=tx)

    def evaluate(state, batch, key):
        return {"loss": error(state.params, batch)}

    names = {"error": error, "init_state": init_state, "evaluate": evaluate}
    return {**names, "train": X, "valid": X[:15]}


@pytest.mark.parametrize("number", range(3))
def test_the_code_of_each_door_trains(number, monkeypatch):
    blocks = doors()
    assert len(blocks) == 3
    for name in ("sweep", "find"):
        usual = getattr(lrlab, name)
        monkeypatch.setattr(
            lrlab, name, lambda task, usual=usual, **given: usual(task, **{**given, **SHORT}),
            raising=False,
        )  # fmt: skip
    room = {"lrlab": lrlab, "jax": jax, "jnp": jnp, "optax": optax}
    room |= [words, coder, state][number]()
    exec(compile(blocks[number], "README.md", "exec"), room)  # the page is ours
    result = room.get("result") or lrlab.sweep(room["task"], lr=[0.01], **SHORT)
    assert np.isfinite(result.final["valid_loss"]).all()
