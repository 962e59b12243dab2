"""The distance from gradient flow, exact on quadratics."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from probed import measure

import lrlab
from lrlab.probes.toy import bowl


@pytest.mark.parametrize("name", ["sgd", "momentum"])
def test_distance_from_gradient_flow_is_exact_and_falls_with_the_rate(name) -> None:
    h = jnp.array([1.0, 30.0])
    task = lrlab.Task.objective(
        name="bowl", init=lambda key: {"x": jnp.ones(2, h.dtype)},
        loss=lambda params, key: 0.5 * jnp.sum(h * params["x"] ** 2),
    )  # fmt: skip
    probe = {"name": "gradient_flow", "tolerance": 1e-7, "evaluations": 20_000, "every": 200}
    lr = [1e-3, 2e-3, 4e-3]
    result = lrlab.sweep(
        task, optimizer=name, schedule="linear", lr=lr, seeds=1, steps=200, eval_every=200,
        probes=[probe, "distance"], precision="float64", progress=False,
    )  # fmt: skip
    found = result.history["flow_distance"][-1, :, 0]
    if name == "sgd":
        rates = result.history["learning_rate"][:, :, 0]
        end = np.prod(1 - rates[:, :, None] * np.asarray(h), axis=0)
        flowed = np.exp(-rates.sum(0)[:, None] * np.asarray(h))
        np.testing.assert_allclose(
            found, np.linalg.norm(end - flowed, axis=1), rtol=2e-3, atol=1e-6
        )
    else:
        # Momentum oscillates in stiff directions; in the slow one it is the flow, up to O(lr).
        assert (found < 0.25 * result.history["distance"][-1, :, 0]).all()


def test_gradient_flow_says_so_where_its_budget_ends() -> None:
    lane = bowl([1.0, 50.0], at=0.3)
    assert np.isnan(measure("gradient_flow", lane, evaluations=10)["flow_distance"])
    assert np.isfinite(measure("gradient_flow", lane)["flow_distance"])
