"""Objectives with known answers, against their closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from small_task import train

from lrlab import tasks
from lrlab.rng import key


def test_gradient_descent_on_a_quadratic_is_the_closed_form():
    spectrum = np.array([4.0, 1.0, 0.25])
    task = tasks.load("quadratic", spectrum=spectrum.tolist(), start="ones")
    rates = np.array([0.1, 0.3, 0.49])
    result = train(task, lr=rates, steps=40, dtype="float64")
    decay = (1 - rates[:, None] * spectrum) ** (2 * np.arange(40)[:, None, None])
    expected = 0.5 * (spectrum * decay).sum(-1)
    np.testing.assert_allclose(result.history["train_loss"], expected, rtol=1e-10, atol=1e-12)
    last = 0.5 * (spectrum * (1 - rates[:, None] * spectrum) ** 80).sum(-1)
    np.testing.assert_allclose(result.evaluated["valid_loss"][-1], last, rtol=1e-10, atol=1e-12)


def test_noisy_quadratic_has_the_stated_noise():
    task = tasks.load("noisy_quadratic", dim=3, noise=2.0, batch=4)
    spectrum = np.array(task.source["spectrum"])
    x = jnp.array([1.0, -1.0, 2.0])

    def gradient(number):
        return jax.grad(lambda x: task.functions.loss(x, {}, None, key(number))[0])(x)

    sample = np.asarray(jax.vmap(gradient)(jnp.arange(4000)))
    np.testing.assert_allclose(sample.mean(0), spectrum * np.asarray(x), atol=0.06)
    np.testing.assert_allclose(sample.var(0), spectrum * 4.0 / 4, rtol=0.1, atol=1e-6)
    value = task.functions.evaluate(x, {}, None, key(9))["loss"]
    np.testing.assert_allclose(
        value, 0.5 * (spectrum * np.asarray(x) ** 2).sum(), rtol=1e-5, atol=1e-6
    )


def test_rosenbrock_minimum():
    task = tasks.load("rosenbrock", dim=4)
    assert task.functions.evaluate(jnp.ones(4), {}, None, key(0))["loss"] == 0
    assert task.functions.evaluate(jnp.zeros(4), {}, None, key(0))["loss"] == 3
    assert tasks.load("rosenbrock", dim=4).functions is task.functions


def test_named_spectra():
    from lrlab.tasks.closed_forms import SPECTRA, eigenvalues

    for name in SPECTRA:
        values = eigenvalues(name, 10, 2.0, 50.0)
        assert len(values) == 10 and values[0] == 2.0 and min(values) > 0
        assert values == sorted(values, reverse=True)
        if name in ("log", "linear", "two"):
            assert np.isclose(values[0] / values[-1], 50)
