"""Sharpness and trace of the training loss; the optimizer's threshold of stability."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few
from jax.flatten_util import ravel_pytree
from probed import double, lane_of, measure, supervised
from quick import jit

import lrlab
from lrlab import optimizers, theory
from lrlab.probes.lane import training_loss

WITH_DYNAMICS = [name for name, one in optimizers.METHODS.items() if one.dynamics is not None]


@pytest.mark.slow
def test_sharpness_and_trace_are_those_of_the_training_loss() -> None:
    with jax.enable_x64(True):
        lane = double(lane_of(supervised(nn.Dense(3))))
        flat, unravel = ravel_pytree(lane.params)
        hessian = jit(jax.hessian(lambda v: training_loss(lane, None)(unravel(v))))(flat)
        want = np.linalg.eigvalsh(hessian)[::-1]
        found = measure("sharpness", lane, k=3)
        np.testing.assert_allclose(
            [found["sharpness"], found["sharpness_2"], found["sharpness_3"]],
            want[:3],
            rtol=1e-6,
            atol=1e-6,
        )
        assert found["sharpness_times_lr_half"] == pytest.approx(want[0] * 0.1 / 2)
        trace = measure("hessian_trace", lane, samples=4000)["hessian_trace"]
        off = np.sum(hessian**2) - np.sum(np.diag(hessian) ** 2)
        assert abs(trace - want.sum()) < 4 * np.sqrt(2 * off / 4000)


@pytest.mark.parametrize("name", WITH_DYNAMICS)
@pytest.mark.parametrize("variant", few([0, 1], 1))
def test_preconditioner_is_the_one_the_update_used(name, variant) -> None:
    """With no momentum left over, an update is -lr g / P, or -lr (1 - b) g / P for averages."""
    options = {
        "adam": {"nesterov": True}, "amsgrad": {"bias_correction_mu": False},
        "rmsprop": {"centered": True, "momentum": 0.5, "eps_in_sqrt": False},
        "radam": {"threshold": 1e6}, "momentum": {"accumulate": 2},
    }.get(name, {}) if variant else {}  # fmt: skip
    if variant and not options:
        pytest.skip("no variant")
    with jax.enable_x64(True):
        optimizer = optimizers.engine_optimizer(name, **options)
        dynamics, lr = optimizer.dynamics, 0.1
        assert dynamics is not None
        hyper = {"lr": lr}
        transformation = optax.with_extra_args_support(optimizer.make(hyper))
        params = {"x": jnp.array([1.0, -2.0, 3.0])}
        state = transformation.init(params)
        random = np.random.default_rng(0)
        for _ in range(6):
            g = {"x": jnp.asarray(random.normal(size=3))}
            state = transformation.update(g, state, params)[1]
        state = without_momentum(state)
        if options.get("accumulate"):  # the same gradient in both halves: one update of it
            state = transformation.update(g, state, params)[1]
        updates, state = transformation.update(g, state, params)
        p = 1.0 if dynamics.preconditioner is None else dynamics.preconditioner(state, hyper)["x"]
        b = float(dynamics.momentum(hyper))
        share = {"adam": 1 - b, "nesterov_ema": (1 - b) * (1 + b), "nesterov": 1 + b}
        want = -lr * share.get(dynamics.family, 1.0) * g["x"] / p
        if name in ("adamw", "nadamw", "adamaxw"):
            want -= lr * 1e-4 * params["x"]
        noise = 0.02 if name == "noisy_sgd" else 1e-9
        np.testing.assert_allclose(updates["x"], want, rtol=1e-7, atol=noise)


def without_momentum(state):
    """First moments at 0 and, for exact bias corrections, a long history."""

    def cleared(node):
        fields = getattr(node, "_fields", ())
        if "trace" in fields:
            node = node._replace(trace=jax.tree.map(jnp.zeros_like, node.trace))
        if "mu" in fields and "nu" in fields:
            zero = jax.tree.map(jnp.zeros_like, node.mu)
            node = node._replace(mu=zero)
            if "count" in fields:
                node = node._replace(count=jnp.asarray(20_000))
        return node

    def has(node):
        return "trace" in getattr(node, "_fields", ()) or "mu" in getattr(node, "_fields", ())

    return jax.tree.map(cleared, state, is_leaf=has)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
def test_stability_is_1_where_a_quadratic_flips(name) -> None:
    h = 4.0
    limit = theory.max_lr(name, h, 0.0 if name == "sgd" else 0.9)
    task = lrlab.Task.objective(
        name="bowl",
        init=lambda key: {"x": jnp.ones(2)},
        loss=lambda params, key: 0.5 * jnp.sum(jnp.array([1.0, h]) * params["x"] ** 2),
    )
    result = lrlab.sweep(
        task, optimizer=name, schedule="constant", lr=[0.98 * limit, 1.02 * limit], seeds=1,
        steps=400, eval_every=400, probes=["stability"], precision="float64", progress=False,
    )  # fmt: skip
    found = result.history["stability"][-1, :, 0]
    np.testing.assert_allclose(found, [0.98, 1.02], rtol=1e-9, atol=1e-12)
    final = result.final["valid_loss"][:, 0]
    assert final[0] < 1e-2 and final[1] > 1e2


@pytest.mark.slow
def test_adams_threshold_is_38_over_lr_and_follows_a_swept_b1() -> None:
    task = lrlab.Task.objective(
        name="bowl", init=lambda key: {"x": jnp.ones(2)},
        loss=lambda params, key: 0.5 * jnp.sum(params["x"] ** 2),
    )  # fmt: skip
    result = lrlab.sweep(
        task, optimizer="adam", schedule="constant", lr=[0.01], b1=[0.9, 0.5], seeds=1, steps=3,
        probes=["stability"], precision="float64", progress=False,
    )  # fmt: skip
    limits = result.history["stability_threshold"][-1, 0, :, 0]
    np.testing.assert_allclose(limits, [3800, 600], rtol=1e-6, atol=1e-4)
    ratio = result.history["preconditioned_sharpness"] / result.history["stability_threshold"]
    np.testing.assert_allclose(result.history["stability"], ratio, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_long_inputs_go_part_by_part_to_the_same_numbers(monkeypatch) -> None:
    lane = lane_of(supervised(nn.Dense(3)))
    whole = measure("sharpness", lane), measure("gradient", lane)
    monkeypatch.setattr("lrlab.probes.lane.CHUNK_NUMBERS", 40)
    parts = measure("sharpness", lane), measure("gradient", lane)
    for left, right in zip(whole, parts, strict=True):
        assert left == pytest.approx(right, rel=1e-4)
