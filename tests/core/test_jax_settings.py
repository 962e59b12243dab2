"""Whatever JAX's settings say, runs work and have their usual numbers."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from few import few

import lrlab

SETTINGS = {
    "debug_nans": lambda: jax.debug_nans(True),
    "debug_infs": lambda: jax.debug_infs(True),
    "rank": lambda: jax.numpy_rank_promotion("raise"),
    "dtype": lambda: jax.numpy_dtype_promotion("strict"),
    "jit": lambda: jax.disable_jit(True),
    "guard": lambda: jax.transfer_guard("disallow"),
    "x64": lambda: jax.enable_x64(True),
    "threefry": lambda: jax.threefry_partitionable(False),
    "leaks": lambda: jax.checking_leaks(),
    "device": lambda: jax.default_device(jax.devices()[-1]),
}


def numbers():
    common = {"steps": 5, "seeds": 1, "progress": False}
    plan = lrlab.Plan(tile_width=2)
    swept = lrlab.sweep(
        "wine-mlp", lr=[1e-3, 1e30], optimizer="adam", schedule="cosine", batch_size=16, plan=plan,
        **common,
    )  # fmt: skip
    found = lrlab.find(
        "quadratic", optimizer="sgd", schedule="linear", lr_range=(0.01, 1), **common
    )
    test = lrlab.range_test(
        "quadratic", optimizer="sgd", num_steps=5, seeds=1, progress=False, plan=plan
    )
    assert swept.outcome.ravel().tolist() == ["ok", "diverged"]
    return swept.history["train_loss"], swept.history["valid_loss"], found.lr, test.loss


@pytest.fixture(scope="module")
def usual():
    return numbers()


@pytest.mark.parametrize("name", few(SETTINGS, 4))
def test_runs_have_their_usual_numbers(name, usual):
    with SETTINGS[name]():
        got = numbers()
    for one, other in zip(got, usual, strict=True):
        np.testing.assert_array_equal(one, other)
