"""Exact evaluation: every example once, in whatever chunks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_task import X, Y, small_task, start

from lrlab import tasks
from lrlab.rng import key
from lrlab.tasks import functions


@pytest.mark.parametrize("count", [1, 2, 50, 64, 65])
def test_evaluation_in_chunks_is_exact(count, monkeypatch):
    """Every example counts once, whatever the chunks; metrics of both kinds."""
    monkeypatch.setattr(functions, "chunking", lambda n, x, y: (-(-n // 16), min(16, n)))
    random = np.random.RandomState(count)
    x, y = random.randn(count, 6), random.randint(0, 3, count)

    def spread(outputs, targets):
        return jnp.std(outputs[:, 0])

    def largest(outputs, targets):
        return outputs.max(-1)

    metrics = {"accuracy": "accuracy", "spread": (spread, "min"), "largest": (largest, "max")}
    task = small_task(valid=(x, y), metrics=metrics)
    assert task.metrics == {"loss": "min", "accuracy": "max", "spread": "min", "largest": "max"}
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: leaf.astype(np.float64), start(task)[0])
        values = jax.jit(task.functions.evaluate)(params, {}, task.data["valid"], key(0))
        outputs = x @ np.asarray(params["kernel"]) + np.asarray(params["bias"])
    logs = np.log(np.exp(outputs).sum(-1)) - outputs[np.arange(count), y]
    expected = dict(
        loss=logs.mean(),
        accuracy=(outputs.argmax(-1) == y).mean(),
        spread=outputs[:, 0].std(),
        largest=outputs.max(-1).mean(),
    )
    for name, value in expected.items():
        assert values[name].dtype == np.float64
        np.testing.assert_allclose(values[name], value, rtol=1e-12, atol=1e-15)


def test_padding_hides_no_nan(monkeypatch):
    monkeypatch.setattr(functions, "chunking", lambda n, x, y: (-(-n // 4), 4))
    task = small_task()
    params, state = start(task)
    broken = (X.copy(), Y)
    broken[0][7] = np.nan
    assert np.isnan(task.functions.evaluate(params, state, broken, key(0))["loss"])


def test_chunks_are_few_and_equal():
    chunks, size = functions.chunking(10_000, np.zeros((10_000, 28, 28)), False)
    assert chunks * size - 10_000 < chunks and size <= 334
    assert functions.chunking(359, np.zeros((359, 64)), False) == (1, 359)


def test_binary_and_regression_tasks():
    task = tasks.load("breast_cancer-linear")
    params, state = start(task)
    values = task.functions.evaluate(params, state, task.data["valid"], key(0))
    x, y = task.data["valid"]
    logits = x @ np.asarray(params["readout"]["kernel"])[:, 0]
    assert np.isclose(values["accuracy"], ((logits > 0) == y).mean())
    assert np.isclose(values["loss"], np.log1p(np.exp(-logits * (2 * y - 1))).mean(), rtol=1e-5)
