"""Sizes of weights and updates, in all and per layer; the way from initialization."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probed import measure

import lrlab
from lrlab.probes.toy import bowl


def test_sizes_of_updates_per_layer() -> None:
    params = {"a": {"w": jnp.array([[3.0], [0.0]]), "b": jnp.array([4.0])}, "c": jnp.array([2.0])}
    step = {"a": {"w": jnp.array([[0.0], [5.0]]), "b": jnp.array([0.0])}, "c": jnp.array([1.0])}
    lane = bowl([1.0])._replace(
        params=params,
        task=bowl([1.0]).task._replace(
            loss=lambda p, *rest: (sum(jnp.sum(x) for x in jax.tree.leaves(p)), ({}, {}))
        ),
        update=lambda grads, value, value_fn: (step, ()),
        initial=lambda: (jax.tree.map(jnp.zeros_like, params), {}),
    )
    ratio = measure("update_to_weight", lane)
    assert ratio["update_to_weight.a"] == pytest.approx(1)  # 5 of 5
    assert ratio["update_to_weight.c"] == pytest.approx(0.5)
    assert ratio["update_to_weight"] == pytest.approx(np.sqrt(26 / 29))
    angle = measure("angular_update", lane)
    assert angle["angular_update.a"] == pytest.approx(np.pi / 4)
    assert angle["angular_update.c"] == pytest.approx(0, abs=1e-6)
    assert angle["angular_update"] == pytest.approx(np.arccos((29 + 2) / np.sqrt(29 * (59))))
    way = measure("distance", lane)
    assert way["distance"] == pytest.approx(np.sqrt(29)) and np.isnan(way["relative_distance"])
    assert measure("weight_norm", lane)["weight_norm.a"] == pytest.approx(5)


def test_distance_of_gradient_descent_on_a_bowl() -> None:
    task = lrlab.Task.objective(
        name="bowl", init=lambda key: {"x": jnp.ones(1)},
        loss=lambda params, key: 0.5 * jnp.sum(params["x"] ** 2),
    )  # fmt: skip
    result = lrlab.sweep(
        task, optimizer="sgd", schedule="constant", lr=[0.1], init_scale=[1.0, 2.0], seeds=1,
        steps=10, eval_every=5, probes=["distance"], precision="float64", progress=False,
    )  # fmt: skip
    want = [[scale * (1 - 0.9**step) for scale in (1, 2)] for step in (5, 10)]
    np.testing.assert_allclose(result.history["distance"][:, 0, :, 0], want, rtol=1e-5, atol=1e-7)
