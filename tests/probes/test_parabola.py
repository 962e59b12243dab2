"""The loss along the next step."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from probed import measure

from lrlab import probes
from lrlab.probes.toy import bowl


@pytest.mark.parametrize(("lr", "want"), [(0.05, -0.5), (0.1, 0.0), (0.2, 1.0), (0.3, 2.0)])
def test_alpha_on_a_parabola(lr, want) -> None:
    assert measure("alpha", bowl([10.0], lr=lr))["alpha"] == pytest.approx(want, abs=1e-4)


def test_alpha_weighs_by_noise_as_least_squares_does() -> None:
    with jax.enable_x64(True):
        f, d = np.array([3.0, 1.5]), np.array([-4.0, 0.5])
        vf, vd = np.array([0.3, 0.1]), np.array([0.5, 0.02])
        rows = np.array([[1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 1, 2.0]])
        weights = 1 / np.sqrt(np.r_[vf, vd])
        _, slope, half = np.linalg.lstsq(rows * weights[:, None], np.r_[f, d] * weights)[0]
        found = float(probes.normalized_step(f, d, vf, vd))
        assert found == pytest.approx(2 * half / -slope - 1)
        assert float(probes.normalized_step([1.0, 0.0], [-0.5, -1.5], [0.0, 0.0], [0.0, 0.0])) == -1


def test_loss_along_the_step() -> None:
    found = measure("loss_along_step", bowl([1.0], lr=0.5), sizes=[0, 1, 2, 4])
    want = {f"loss_along_step.{s}": 0.5 * (1 - 0.5 * s) ** 2 for s in (0, 1, 2, 4)}
    assert found == pytest.approx({**want, "best_step_size": 2.0})
