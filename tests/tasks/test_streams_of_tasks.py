"""Data that stream, through each door: the bits of the same data in memory."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from test_any_training import BATCH, TOKENS, Words, masked
from three_doors import DOORS, X, Y, options_of

import lrlab
from lrlab import engine
from lrlab.core.errors import ConfigError
from lrlab.data.batches import Batches, segment_indices
from lrlab.engine.limits import LIMITS
from lrlab.tasks import streams


class Numbered:
    """Examples by number, as a data set of another library."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(next(iter(self.data.values())))

    def __getitem__(self, number):
        return {name: part[number] for name, part in self.data.items()}


def test_a_dict_of_a_stream_trains_as_in_memory():
    held = {name: part[:31] for name, part in TOKENS.items()}

    def sweep(train):
        task = lrlab.Task.supervised(model=Words(), loss=masked, train=train, valid=held)
        options = {"lr": [0.03, 0.3], "steps": 10, "batch_size": BATCH, "seeds": 2}
        return lrlab.sweep(task, **options, progress=False)

    one, other = sweep(TOKENS), sweep(lrlab.data.stream(Numbered(TOKENS)))
    for name in ("train_loss", "valid_loss"):
        np.testing.assert_array_equal(one.history[name], other.history[name])


@pytest.mark.parametrize("door", few(DOORS, 2))
def test_every_door_reads_a_loader_in_its_own_batches(door):
    options = options_of(door)

    def loader(seed):
        for rows in segment_indices(Batches(len(X), 8), seed, 0, options["steps"]):
            yield X[rows], Y[rows]

    streamed = DOORS[door](train=lrlab.data.stream(loader))
    own = {name: value for name, value in options.items() if name != "batch_size"}
    one = lrlab.sweep(DOORS[door](), lr=[0.03, 0.3], **options)
    other = lrlab.sweep(streamed, lr=[0.03, 0.3], **own)
    np.testing.assert_array_equal(one.history["train_loss"], other.history["train_loss"])
    np.testing.assert_array_equal(one.history["valid_loss"], other.history["valid_loss"])


def noisy(w, batch, key):
    noise = jax.random.normal(key, batch[1].shape)
    return {"loss": (noise * (batch[0][:, 0] - w)).sum()}, {"loss": len(batch[1])}


def noisy_custom(**data):
    return lrlab.Task.custom(
        init=lambda key, example: jnp.float32(0.5), **data,
        loss=lambda w, batch, key: ((batch[0][:, 0] - w) ** 2).mean(),
        evaluate=lambda w, state, batch, key: noisy(w, batch, key),
    )  # fmt: skip


def noisy_step(**data):
    def step(w, batch, hyper, key):
        return w - hyper["lr"] * (w - batch[0].mean()), {"loss": w**2}

    return lrlab.Task.step(
        init=lambda key, hyper: jnp.float32(0.5), step=step, evaluate=noisy, **data
    )


@pytest.mark.parametrize(
    ("make", "rows"),
    few([(make, rows) for rows in (20, 1, 1000) for make in (noisy_custom, noisy_step)], 2),
)
def test_noise_of_an_evaluation_is_the_same_whatever_the_blocks(make, rows, monkeypatch):
    options = {"lr": [0.03, 0.3], "steps": 4, "batch_size": 8, "seeds": 2, "progress": False}
    held = X[:43], Y[:43]
    one = lrlab.sweep(make(train=(X, Y), valid=held), **options)
    monkeypatch.setattr(streams, "HELD_BYTES", 0)
    limits = LIMITS._replace(stream_bytes=rows * (X[0].nbytes + 4), cast_bytes=0)
    monkeypatch.setattr(engine, "train", functools.partial(engine.train, limits=limits))
    pairs = lrlab.data.stream(list(zip(*held, strict=True)))
    other = lrlab.sweep(make(train=(X, Y), valid=pairs), **options)
    for name in ("valid_loss", "train_loss"):
        np.testing.assert_allclose(
            one.history[name], other.history[name], rtol=1e-5, atol=1e-6, err_msg=name
        )
    file = lrlab.data.stream(held)
    limits = limits._replace(cast_bytes=1 << 20)  # read where it is, as one in memory
    monkeypatch.setattr(engine, "train", functools.partial(engine.train.func, limits=limits))
    same = lrlab.sweep(make(train=(X, Y), valid=file), **options)
    np.testing.assert_array_equal(one.history["valid_loss"], same.history["valid_loss"])


def test_a_step_whose_evaluation_needs_the_whole_split_cannot_stream_it(monkeypatch):
    monkeypatch.setattr(streams, "HELD_BYTES", 100)

    def step(state, batch, hyper, key):
        return state - hyper["lr"] * batch.mean(), {"loss": state**2}

    task = lrlab.Task.step(
        init=lambda key, hyper: 1.0, step=step, train=X[:, 0],
        valid=lrlab.data.stream(list(X[:30, 0])),
        evaluate=lambda state, batch, key: {"loss": state**2 + 0 * jnp.sum(batch)},
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"\(sums, weights\)"):
        lrlab.sweep(task, lr=[0.1], steps=3, batch_size=4, progress=False)
