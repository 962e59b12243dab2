"""`lrlab.find` on real objectives whose answer is known: every verdict, over several root seeds."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from few import few

import lrlab

STEPS = 40
ROOTS = (0, 100, 200)


@functools.lru_cache
def shaped(name, noise=0.0):
    """An objective whose loss after training with a constant rate is `CURVES[name](log10 lr)`.

    The gradient of the position is -1, so that SGD walks `lr` per update, and the loss is read off
    the curve there; `noise` times a number of the seed's own is added.
    """
    import jax
    import jax.numpy as jnp

    curve = CURVES[name]

    def init(key):
        return {"walked": jnp.zeros(()), "luck": jax.random.normal(key)}

    def loss(params, key):
        walked = params["walked"]
        start, luck = jax.lax.stop_gradient((walked, params["luck"]))  # luck must not be trained
        x = jnp.log10(jnp.maximum(start, 1e-30) / STEPS)
        value = jnp.where(start > 0, curve(x, luck), 1.0)
        return value + noise * luck - (walked - start)

    return lrlab.Task.objective(name=name, init=init, loss=loss)


def _two(x, luck):
    import jax.numpy as jnp

    return 1 - 0.6 * jnp.exp(-(((x + 4) / 0.6) ** 2)) - 0.8 * jnp.exp(-(((x + 0.5) / 0.6) ** 2))


def _cliff(x, luck):
    import jax.numpy as jnp

    return jnp.where(x < -1, 0.5 - 0.1 * x, jnp.inf)


def _chaos(x, luck):
    import jax.numpy as jnp

    return 0.5 + 0.45 * jnp.sin(1e4 * luck + 1e3 * x)


CURVES = {
    "valley": lambda x, luck: 0.2 + 0.1 * (x + 2.5) ** 2,
    "falling": lambda x, luck: 0.5 - 0.02 * x,
    "rising": lambda x, luck: 0.5 + 0.02 * x,
    "flat": lambda x, luck: 0.3 + 0.0 * x,
    "dead": lambda x, luck: 1.0 + 0.0 * x,
    "diverging": lambda x, luck: x * np.nan,
    "two": _two,
    "cliff": _cliff,
    "chaos": _chaos,
}


def found(name, root, noise=0.0, **options):
    defaults = dict(
        optimizer="sgd", schedule="constant", steps=STEPS, seeds=3, seed=root, budget=20,
        progress=False, metric="valid_loss",
    )  # fmt: skip
    return lrlab.find(shaped(name, noise), **(defaults | options))


@pytest.mark.parametrize("root", few(ROOTS, 1))
@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("valley", "interior"),
        ("falling", "edge"),
        ("rising", "edge"),
        ("flat", "flat"),
        ("chaos", "noisy"),
        ("two", "interior"),
        ("cliff", "interior"),
    ],
)
def test_verdict(name, verdict, root):
    answer = found(name, root, noise=0.01)
    assert answer.verdict == verdict, answer
    assert answer.cost <= 20 and answer.interval[0] <= answer.lr <= answer.interval[1]
    x = np.log10(answer.lr)
    if name == "valley":
        assert abs(x + 2.5) < np.log10(2) and "costs at most 1 % more" in answer.sentence
    if name == "falling":
        assert answer.lr > 10 and "Raise that end" in answer.sentence
    if name == "rising":
        assert answer.lr < 1e-6 and "Lower that end" in answer.sentence
    if name == "flat":
        assert "does not matter" in answer.sentence
    if name == "chaos":
        assert answer.details["seeds_needed"] > 3 and "seeds per rate" in answer.sentence
    if name == "two":
        assert abs(x + 0.5) < np.log10(2)
    if name == "cliff":
        assert 0.02 < answer.lr < 0.1 and "diverges" in answer.sentence
        assert answer.largest_stable < 0.2


def test_everything_diverges():
    answer = found("diverging", 0)
    assert answer.verdict == "none" and answer.lr is None and answer.interval is None
    assert "diverged" in answer.sentence and "step" in answer.sentence


def test_a_dead_gradient():
    answer = found("dead", 0)
    assert answer.verdict == "none" and "stays at 1 for every" in answer.sentence


@pytest.mark.parametrize("budget", [0.5, 1, 2, 5, 150])
def test_budgets_tiny_and_huge(budget):
    answer = found("valley", 0, noise=0.01, budget=budget)
    assert answer.cost <= max(budget, 1)
    if budget < 5:
        assert answer.verdict == "noisy" and answer.details["seeds_needed"] >= 2
        assert budget >= 2 or "a budget of at least 5" in answer.sentence
    else:
        assert answer.verdict == "interior" and abs(np.log10(answer.lr) + 2.5) < 0.6
