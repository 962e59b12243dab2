"""Thresholds of stability against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from few import few
from quadratics import simulated

from lrlab import theory

FAMILIES = ("sgd", "momentum", "nesterov", "ema", "nesterov_ema", "rmsprop", "adam")


@pytest.mark.parametrize("family", ["sgd", "momentum", "nesterov"])
def test_stability_flips(family: str) -> None:
    b = 0.0 if family == "sgd" else 0.9
    limit = theory.max_lr(family, 3.0, b)
    below, above = (theory.trajectory(family, 3.0, f * limit, 9000, b) for f in (0.999, 1.001))
    assert abs(below[-100:]).max() < 1 < abs(above[-100:]).max()


def test_frozen_adam() -> None:
    assert theory.max_sharpness("adam", 0.1, 0.9) == pytest.approx(380)
    for factor, stable in ((0.999, True), (1.001, False)):
        h, x, m = factor * theory.max_sharpness("ema", 0.5, 0.9), 1.0, 0.0
        for _ in range(9000):
            m = 0.9 * m + 0.1 * h * x
            x -= 0.5 * m
        assert (abs(x) < 1) == stable


@pytest.mark.parametrize("family", few(FAMILIES, 3))
def test_thresholds_by_simulation_at_random_momentum(family: str) -> None:
    b = np.random.default_rng(5).uniform(0, 0.97, 40) * (family != "sgd")
    limit = theory.max_sharpness(family, 1.0, b)
    below, above = (simulated(family, f * limit, b, 40_000) for f in (0.998, 1.002))
    assert (below < 1e-2).all() and (above > 1e2).all()


def test_thresholds_take_arrays() -> None:
    found = theory.max_lr("nesterov", np.array([[1.0], [2.0]]), np.array([0.0, 0.5, 0.9]))
    assert found.shape == (2, 3) and found[1, 0] == 1.0
    assert theory.max_lr("adam", 4.0) == pytest.approx(9.5)
    for bad in ({"sharpness": -1.0}, {"sharpness": 1.0, "momentum": 1.0}):
        with pytest.raises(ValueError, match="must be"):
            theory.max_lr("momentum", **bad)
