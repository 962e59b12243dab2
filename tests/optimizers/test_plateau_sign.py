"""Reduce on plateau where losses are negative, and PyTorch's ways of comparing by name."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab import optimizers


def rates(values, **options):
    """The step size after each loss value."""
    made = optimizers.make("reduce_on_plateau", 0.1, base="sgd", **options)
    start = made.init(jnp.zeros(1))

    def body(state, value):
        state = made.update(jnp.zeros(1), state, jnp.zeros(1), value=value)[1]
        return state, optimizers.effective_lr(state)

    with jax.enable_x64(False):
        return np.asarray(jax.jit(lambda v: jax.lax.scan(body, start, v)[1])(jnp.asarray(values)))


@pytest.mark.parametrize("timing", ["torch", "optax"])
@pytest.mark.parametrize("level", [10.0, -10.0, 0.0])
def test_a_constant_loss_is_a_plateau_whatever_its_sign(level, timing):
    found = rates(np.full(100, level, np.float32), timing=timing)
    assert found[-1] == pytest.approx(1e-10, rel=1e-4)


def test_negative_losses_in_a_sweep():
    ends = []
    for level in (10.0, -10.0):
        task = lrlab.Task.objective(
            f"level {level:g}",
            init=lambda key: jnp.zeros(1),
            loss=lambda params, key, level=level: level + 0 * jnp.sum(params),
        )
        result = lrlab.sweep(
            task, lr=[0.1], optimizer="reduce_on_plateau", steps=100, seeds=1,
            schedule="constant", progress=False,
        )  # fmt: skip
        ends.append(result.history["effective_lr"][-1, 0, 0])
    assert ends == pytest.approx([1e-10, 1e-10], rel=1e-4)


def test_a_falling_negative_loss_is_no_plateau():
    falling = -10 * 1.01 ** np.arange(100, dtype=np.float32)
    assert rates(falling)[-1] == pytest.approx(0.1)
    slowly = -10 * 1.000001 ** np.arange(100, dtype=np.float32)
    assert rates(slowly)[-1] < 1e-5


def test_thresholds_of_pytorch():
    constant = np.full(100, -10, np.float32)
    assert rates(constant, threshold_mode="torch")[-1] == pytest.approx(0.1)
    falling = 10 - 0.01 * np.arange(100, dtype=np.float32)
    assert rates(falling, threshold_mode="abs", rtol=0.005)[-1] == pytest.approx(0.1)
    assert rates(falling, threshold_mode="abs", rtol=0.5)[-1] < 1e-8
    assert rates(falling - 100, threshold_mode="abs", rtol=0.5)[-1] < 1e-8
    with pytest.raises(ValueError, match="threshold_mode must be rel, abs or torch"):
        rates(constant, threshold_mode="relative")
