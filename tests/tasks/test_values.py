"""Values with weights: means, sums and gradients, by closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lrlab.tasks.values import (
    Measured,
    batch_value,
    by_example,
    loss_values,
    mean,
    metric_values,
    ratio,
    sums,
    without_gradient,
)

OUTPUTS, TARGETS = np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32)


def test_a_weighted_mean_is_over_the_sum_of_weights():
    values, weights = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 0.0], [2.0, 1.0]])
    assert mean(Measured(values, weights)) == (1 + 6 + 4) / 4
    total = sums(Measured(values, weights), jnp.array([True, False]))
    assert (total.total, total.weight) == (1, 1)


def test_no_weight_is_nought_with_gradient_nought():
    def loss(x):
        return mean(Measured(jnp.sqrt(x), jnp.zeros(3)))

    value, slope = jax.value_and_grad(loss)(jnp.zeros(3))
    assert value == 0 and ratio(sums(Measured(jnp.ones(2), jnp.zeros(2)))) == 0
    assert np.isnan(slope).all() or (slope == 0).all()  # see `without_gradient`

    def stopped(x):
        held = without_gradient(x, jnp.zeros(3), False)
        return mean(Measured(jnp.sqrt(held), jnp.zeros(3)))

    assert (jax.grad(stopped)(jnp.zeros(3)) == 0).all()


def test_the_gradient_is_stopped_for_the_very_tokens():
    weights = jnp.array([[1.0, 0.0]])
    held = jax.jacobian(lambda x: without_gradient(x, weights, True))(jnp.ones((1, 2)))
    assert held.reshape(2, 2).tolist() == [[1, 0], [0, 0]]
    kept = jax.jacobian(lambda x: without_gradient(x, weights, False))(jnp.ones((1, 2)))
    assert kept.reshape(2, 2).tolist() == [[1, 0], [0, 1]]


def test_values_of_any_shape_are_taken_with_weights():
    images = jnp.ones((4, 2, 5))
    measured = loss_values("mine", lambda o, t: (images, images * 0.5), OUTPUTS, TARGETS)
    assert measured.values.shape == (4, 2, 5) and mean(measured) == 1
    assert by_example(Measured(images)).values.shape == (4,)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda o, t: jnp.ones((3, 4)), r"shape \(3, 4\), expected"),
        (lambda o, t: jnp.ones(()), "batch_loss=True"),
        (lambda o, t: jnp.ones(4, int), "expected floating"),
        (lambda o, t: (jnp.ones(4), jnp.ones(3)), "one shape: a weight for each value"),
        (lambda o, t: (jnp.ones(4),) * 3, "a tuple of 3"),
    ],
)
def test_other_losses_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        loss_values("mine", values, OUTPUTS, TARGETS)


def test_a_metric_may_be_one_number_and_a_loss_of_a_batch_must_be():
    assert metric_values("m", lambda o, t: jnp.ones(()), OUTPUTS, TARGETS).values.shape == ()
    assert batch_value("l", lambda o, t: jnp.float32(2), OUTPUTS, TARGETS) == 2
    with pytest.raises(ValueError, match="one floating number for the whole batch"):
        batch_value("l", lambda o, t: jnp.ones(4), OUTPUTS, TARGETS)
