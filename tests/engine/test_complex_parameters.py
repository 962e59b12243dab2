"""Complex parameters: gradients are conjugated, everywhere, and real ones keep their bits."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few

import lrlab
from lrlab.config import ConfigError

TARGET = jnp.array([1 + 2j, -3 + 0.5j])
BOWL = lrlab.Task.objective(
    "complex bowl",
    init=lambda key: {"z": jnp.zeros(2, complex), "r": jnp.ones(3)},
    loss=lambda params, key: (
        jnp.sum(jnp.abs(params["z"] * jnp.exp(0.5j) - TARGET) ** 2) + jnp.sum(params["r"] ** 2)
    ),
)
STEPS = 60


def sweep(task=BOWL, **arguments):
    given = {"lr": [0.1], "steps": STEPS, "seeds": 1, "schedule": "constant", "progress": False}
    return lrlab.sweep(task, **{**given, **arguments})


@pytest.mark.parametrize("precision", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
@pytest.mark.parametrize("name", few(["sgd", "adam", "sam", "dog", "bb1", "armijo", "lbfgs"], 3))
def test_objectives_with_complex_parameters_are_minimized(name, precision):
    lr = {"dog": 1.0, "armijo": 1.0, "lbfgs": 1.0}.get(name, 0.1)
    options = {"init_step": 0.1} if name == "dog" else {}
    result = sweep(optimizer=name, lr=[lr], precision=precision, optimizer_args=options)
    assert (result.outcome == "ok").all()
    assert result.final["valid_loss"].dtype == precision
    assert result.final["valid_loss"].max() < 0.3, name


def test_a_lane_is_the_run_by_hand_with_conjugated_gradients():
    result = sweep(optimizer="adam", schedule="constant")
    tx = optax.adam(0.1)
    loss = lambda params: BOWL.functions.loss(params, {}, None, None)[0]  # noqa: E731

    def body(carry, _):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(jax.tree.map(jnp.conj, grads), state, params)
        return (optax.apply_updates(params, updates), state), value

    start = BOWL.functions.init(jax.random.key(0), None)[0]
    by_hand = jax.jit(lambda: jax.lax.scan(body, (start, tx.init(start)), None, STEPS)[1])()
    np.testing.assert_allclose(result.history["train_loss"][:, 0, 0], by_hand, rtol=1e-4, atol=1e-6)


class Rotation(nn.Module):
    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.normal(0.1), (x.shape[-1], 1), jnp.complex64)
        return jnp.abs(x @ kernel)[:, 0]


def test_supervised_models_too():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3))
    y = np.abs(x @ np.array([1 + 1j, -0.5, 2j]))
    task = lrlab.Task.supervised(
        name="phases", model=Rotation(), loss="mse", train=(x, y), valid=(x, y)
    )
    result = sweep(task, optimizer="sgd", batch_size=16, steps=200, precision="float64")
    assert result.final["valid_loss"].max() < 0.3 * result.history["train_loss"][0].max()


@pytest.mark.slow
def test_a_recorded_run_goes_on_with_complex_states(tmp_path):
    whole = sweep(optimizer="momentum", lr=[0.01, 0.1], out=tmp_path / "whole")
    sweep(optimizer="momentum", lr=[0.01, 0.1], steps=20, out=tmp_path / "part")
    longer = sweep(optimizer="momentum", lr=[0.01, 0.1], out=tmp_path / "part")
    assert np.array_equal(whole.history["train_loss"], longer.history["train_loss"])
    again = lrlab.load(tmp_path / "part")
    assert np.array_equal(whole.history["train_loss"], again.history["train_loss"])


@pytest.mark.parametrize("name", ["prodigy", "rprop", "mechanic", "momo"])
def test_what_is_for_real_numbers_says_so(name):
    with pytest.raises(ConfigError, match=f"optimizer '{name}' is for real parameters"):
        sweep(optimizer=name)
    with pytest.raises(ConfigError, match="probes measure real parameters"):
        sweep(optimizer="sgd", probes=["sharpness"])
