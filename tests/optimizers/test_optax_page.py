"""The page about Optax chains: its code runs, and each sweep is what a loop by hand computes."""

from __future__ import annotations

import functools
import re
import tomllib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from places import ROOT

from lrlab import config, rng
from lrlab.data.batches import Batches, segment_indices

STEPS, BATCH = 30, 32
PAGE = (ROOT / "docs" / "optax.md").read_text()


@functools.cache
def page() -> dict[str, Any]:
    """What the page's code leaves behind."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/optax.md", "exec"), names)
    return names


def by_hand(make, seed: int = 1) -> np.ndarray:
    """The loss before each update, f[steps]; `make(rate)` is the transformation of a step, at a
    peak of 0.01 under the default schedule (half a cosine)."""
    names = page()
    x, y = jnp.asarray(names["x"]), jnp.asarray(names["y"])
    rows = segment_indices(Batches(64, BATCH, False, False), seed, 0, STEPS)
    first = names["net"].init(rng.key(seed, "init"), x[:1])["params"]
    rates = 0.01 * optax.cosine_decay_schedule(1.0, STEPS)(jnp.arange(STEPS))

    def loss(params, batch):
        outputs = names["net"].apply({"params": params}, x[batch])
        return jnp.mean((outputs - y[batch]) ** 2)

    def step(carry, at):
        params, opt = carry
        rate, batch = at
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, opt = make(rate).update(grads, opt, params)
        return (optax.apply_updates(params, updates), opt), value

    start = (first, make(rates[0]).init(first))
    return np.asarray(
        jax.jit(lambda at: jax.lax.scan(step, start, at)[1])((rates, jnp.asarray(rows)))
    )


def masked(rate):
    return optax.adamw(rate, weight_decay=0.1, mask=page()["kernels"])


def clipped(rate):
    return optax.chain(optax.clip_by_global_norm(0.1), optax.adam(rate))


def finished(rate):
    return optax.adamw(rate, b1=0.8, weight_decay=0.01)


def collected(rate):
    return optax.MultiSteps(optax.adam(rate), 2)


def apart(rate):
    return optax.multi_transform(
        {"head": optax.adam(rate), "body": optax.sgd(0.1 * rate, momentum=0.9)}, page()["labels"]
    )


CASES = {
    masked: {"weight_decay": 0.1},
    clipped: {"clip": 0.1},
    finished: {"b1": 0.8},
    collected: {},
    apart: {"body": 0.1},
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_each_is_the_loop_by_hand(make) -> None:
    result, at = page()[make.__name__], CASES[make]
    cell = tuple(
        int(np.argmin(np.abs(values - {"lr": 0.01, "seed": 1, **at}[name])))
        for name, values in result.record.axes.items()
    )
    lane = result.history["train_loss"][(slice(None), *cell)]
    np.testing.assert_allclose(lane, by_hand(make), rtol=2e-4, atol=1e-6)


@pytest.mark.slow
def test_another_value_of_the_axis_is_another_curve() -> None:
    for make, at in CASES.items():
        if at:
            losses = page()[make.__name__].history["train_loss"]
            assert np.abs(losses[-1, 1, 0] - losses[-1, 1, 1]).max() > 0


def test_the_configuration_is_valid(tmp_path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert tomllib.loads(text)["optimizer"]["python"] == "optax:adamw"
    (tmp_path / "a.toml").write_text("lr = [0.1]\ntask = 'wine-mlp'\n" + text)
    one = config.load(tmp_path / "a.toml", command="sweep")
    assert one.axes == {"weight_decay": [0.0, 0.1]} and one.optimizer.options == {"b2": 0.99}
