"""Rules for another batch size."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab import theory


def test_batch_rules() -> None:
    assert theory.sde_rule("momentum", 32, 64, lr=0.1, momentum=0.9) == {
        "lr": 0.2, "momentum": 0.9,
    }  # fmt: skip
    adam = theory.sde_rule("adam", 256, 64, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8)
    assert adam == pytest.approx({"lr": 5e-4, "b1": 0.975, "b2": 0.99975, "eps": 2e-8})
    with pytest.raises(ValueError, match="too large"):
        theory.sde_rule("adam", 1, 16, lr=1e-3, b1=0.9)
    # Equal temperature under the linear rule; half of the largest LR at the noise scale.
    assert theory.sde_temperature(0.1, 32) == pytest.approx(theory.sde_temperature(0.2, 64))
    assert theory.noise_scale_rule(1.0, 10.0, np.array([10.0, 1e9])) == pytest.approx([0.5, 1.0])


def test_noise_scale_rule_is_the_best_step() -> None:
    """On a quadratic: E loss after one step of size e is least at the rule's e."""
    h, g, var, batch = np.array([2.0, 0.5]), np.array([1.0, -2.0]), np.array([3.0, 1.0]), 4
    gain, bend, spread = g @ g, (g * h) @ g, (h * var).sum()
    steps = np.linspace(0.01, 2, 4000)
    loss = -steps * gain + steps**2 / 2 * (bend + spread / batch)
    best = theory.noise_scale_rule(gain / bend, spread / bend, batch)
    assert steps[np.argmin(loss)] == pytest.approx(best, abs=1e-3)
