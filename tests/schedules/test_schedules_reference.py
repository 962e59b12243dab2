"""Every schedule of PyTorch and Optax in tests/reference/schedules.json, to 1e-7 in float64."""

from __future__ import annotations

import json

import jax
import numpy as np
import optax
import pytest
from places import REFERENCE

from lrlab.schedules import make
from lrlab.schedules.compose import concatenate, product

# Source: torch.optim.lr_scheduler 2.15 semantics and optax 0.2.8; see "meta" in the file.
PUBLISHED = json.loads((REFERENCE / "schedules.json").read_text())


def constant_then(factor, steps, schedule):
    return concatenate([make("constant", factor, steps), schedule], jumps=True)


SCHEDULES = {
    "StepLR": lambda: make("step", 0.1, 12, rate=0.1, every=3),
    "MultiStepLR": lambda: make("multistep", 0.1, 10, rate=0.5, milestones=(2, 5)),
    "ConstantLR": lambda: make("piecewise", 0.1, 8, boundaries=(5,), factors=(1 / 3, 1.0)),
    "LinearLR": lambda: make("constant", 0.1, 8, warmup=5, warmup_start=1 / 3),
    "ExponentialLR": lambda: make("exponential", 0.1, 10, rate=0.9),
    "PolynomialLR": lambda: make("polynomial", 0.1, 5, power=2.0),
    "CosineAnnealingLR": lambda: make("cosine_cycle", 0.1, 16, half=5, final=0.1),
    "CosineAnnealingWarmRestarts_a": lambda: make("cosine_restarts", 0.5, 16, cycle=1, growth=2.0),
    "CosineAnnealingWarmRestarts_b": lambda: make(
        "cosine_restarts", 0.1, 24, cycle=3, growth=2.0, final=0.1
    ),
    "CosineAnnealingWarmRestarts_c": lambda: make("cosine_restarts", 1.0, 12, cycle=4),
    "CosineAnnealingWarmRestarts_fractional": lambda: make(
        "cosine_restarts", 1.0, 14, cycle=2, growth=2.0
    ),
    "CyclicLR_triangular": lambda: make("triangular", 1.0, 24, up=4),
    "CyclicLR_triangular2": lambda: make("triangular2", 1.0, 24, up=4),
    "CyclicLR_exp_range": lambda: make("exp_range", 1.0, 24, up=4, gamma=0.9),
    "CyclicLR_asymmetric": lambda: make("triangular", 1.0, 13, up=2, down=4),
    "CyclicLR_momentum": lambda: make("triangular", 1.0, 6, up=2),
    "OneCycleLR_cos": lambda: make("one_cycle", 1.0, 10),
    "OneCycleLR_linear": lambda: make("one_cycle", 1.0, 10, kind="linear"),
    "OneCycleLR_three_phase_linear": lambda: make(
        "one_cycle", 1.0, 10, up=0.4, kind="linear", three_phase=True
    ),
    "OneCycleLR_100": lambda: make("one_cycle", 0.1, 100),
    "SequentialLR_linear_cosine": lambda: concatenate(
        [make("linear", 0.1, 5, final=10.0), make("cosine", 1.0, 5)]
    ),
    "SequentialLR_const_exp": lambda: constant_then(0.1, 2, make("exponential", 1.0, 4, rate=0.9)),
    "ChainedScheduler_const_exp": lambda: product(
        make("piecewise", 1.0, 6, boundaries=(2,), factors=(0.1, 1.0)),
        make("exponential", 1.0, 6, rate=0.9),
    ),
    "linear_schedule": lambda: constant_then(1.0, 2, make("linear", 1.0, 4, final=0.1)),
    "polynomial_schedule": lambda: make("polynomial", 1.0, 4, power=2.0, final=0.1),
    "exponential_decay": lambda: make("exponential", 1.0, 6, rate=0.5, every=2),
    "exponential_decay_staircase": lambda: constant_then(
        1.0, 2, make("exponential", 1.0, 9, rate=0.5, every=2, staircase=True, lowest=0.2)
    ),
    "cosine_decay": lambda: make("cosine", 1.0, 10, final=0.1),
    "cosine_decay_exp2": lambda: make("cosine", 1.0, 4, power=2.0),
    "piecewise_constant": lambda: make(
        "piecewise", 1.0, 7, boundaries=(2, 4), factors=(1.0, 0.5, 0.05)
    ),
    "piecewise_interpolate_linear": lambda: make(
        "two_point", 1.0, 8, x1=0.25, y1=0.5, x2=0.5, y2=0.05, final=0.05, smooth=False
    ),
    "warmup_cosine": lambda: make("cosine", 1.0, 10, warmup=2, final=0.1),
    "warmup_exponential": lambda: make("exponential", 1.0, 8, warmup=2, rate=0.5, every=2),
    "linear_onecycle": lambda: make(
        "one_cycle", 1.0, 10, kind="linear", three_phase=True, timing="optax"
    ),
    "cosine_onecycle": lambda: make("one_cycle", 1.0, 10, timing="optax"),
    "sgdr": lambda: concatenate(
        [make("cosine", 1.0, 4, warmup=1), make("cosine", 0.5, 6, warmup=2)], jumps=True
    ),
}
ELSEWHERE = {
    "ReduceLROnPlateau",
    "reduce_on_plateau",
}  # test_optimizers_reference.py


def expected(name):
    entry = next(PUBLISHED[kind][name] for kind in ("torch", "optax") if name in PUBLISHED[kind])
    values = entry["values"]
    steps = (
        entry.get("steps") or (entry["params"] or {}).get("epochs")
        if isinstance(entry["params"], dict)
        else entry.get("steps")
    )
    values = values["lr"] if isinstance(values, dict) else values
    return np.asarray(steps if steps else np.arange(len(values)), float), np.asarray(values)


def test_every_array_is_compared():
    there = {name for kind in ("torch", "optax") for name in PUBLISHED[kind]}
    assert there == set(SCHEDULES) | ELSEWHERE
    assert len(there) == 38


@pytest.mark.parametrize("name", SCHEDULES)
def test_reference_to_1e_7(name):
    steps, values = expected(name)
    with jax.enable_x64(True):
        # Traced, because some arrays go past the end, where values are held.
        found = np.asarray(jax.jit(SCHEDULES[name]())(steps))
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("OneCycleLR_cos", {"low": 0.85, "high": 0.95}),
        ("CyclicLR_momentum", {"low": 0.8, "high": 0.9}),
    ],
)
def test_mirrored_momentum(name, options):
    values = PUBLISHED["torch"][name]["values"]["momentum"]
    with jax.enable_x64(True):
        found = SCHEDULES[name]().momentum(np.arange(len(values)), **options)
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-7)


@pytest.mark.parametrize("wide", [False, True])
def test_cosine_is_bitwise_optax(wide):
    with jax.enable_x64(wide):
        steps = np.arange(101)
        peak = np.float64(0.3) if wide else np.float32(0.3)
        for wrap in (lambda f: f, jax.jit):
            mine = np.asarray(wrap(make("cosine", peak, 100))(steps))
            theirs = np.asarray(wrap(optax.cosine_decay_schedule(peak, 100))(steps))
            assert mine.dtype == (np.float64 if wide else np.float32)
            assert np.array_equal(mine, theirs)
