"""The tangent kernel against the exact one."""

from __future__ import annotations

import flax.linen as nn
import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from probed import data, double, lane_of, measure
from quick import jit

import lrlab


@pytest.mark.slow
def test_tangent_kernel_and_the_rate_it_bears() -> None:
    with jax.enable_x64(True):
        x, y = data(6)
        for width, loss in ((1, "mse"), (4, "softmax_cross_entropy")):
            targets = y if loss != "mse" else np.eye(3)[y]
            task = lrlab.Task.supervised(
                name="net", model=nn.Sequential([nn.Dense(width), nn.tanh, nn.Dense(3)]),
                loss=loss, train=(x, targets), valid=(x, targets),
            )  # fmt: skip
            lane = double(lane_of(task, "sgd", updates=0))
            flat, unravel = ravel_pytree(lane.params)

            def outputs(vector, lane=lane, unravel=unravel):
                return lane.task.outputs(unravel(vector), lane.model, lane.data, lane.key).ravel()

            j = jit(jax.jacobian(outputs))(flat)
            found = measure("ntk", lane, iterations=40)
            assert found["ntk_top"] == pytest.approx(np.linalg.eigvalsh(j @ j.T / 6)[-1])
            second = jit(
                jax.hessian(lambda f, lane=lane: lane.task.output_loss(f.reshape(6, 3), lane.data))
            )(outputs(flat))
            top = np.linalg.eigvalsh(j.T @ second @ j)[-1]
            assert found["lazy_max_lr"] == pytest.approx(2 / top)
            if loss == "mse":  # the mean over 3 outputs of (f - y)^2
                assert found["lazy_max_lr"] == pytest.approx(3 / found["ntk_top"])
