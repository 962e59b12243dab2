"""The small convex problem that every optimizer is tried on."""

from __future__ import annotations

import jax.numpy as jnp

from lrlab import optimizers

NAMES = sorted(optimizers.names())


PARAMS = {"w": jnp.array([[0.5, -0.4], [0.3, 0.2]]), "b": jnp.array([0.1, -0.2])}


TARGET = {"w": jnp.array([[1.0, 0.6], [-0.7, -0.8]]), "b": jnp.array([0.9, 0.8])}


CURVATURE = {"w": jnp.array([[1.0, 2.0], [0.5, 0.8]]), "b": jnp.array([0.3, 1.5])}


LR = {
    "adadelta": 30.0,
    "adamax": 0.1,
    "adamaxw": 0.1,
    "fromage": 0.02,
    "lamb": 0.02,
    "lars": 20.0,
    "adan": 0.1,
    "madgrad": 0.02,
    "simplified_ademamix": 0.003,
    "novograd": 0.02,
    "noisy_sgd": 0.05,
    "rprop": 0.01,
    "lbfgs": 1.0,
    "schedule_free_radam": 0.05,
}
"""Learning rates for the convex problem where 0.05, or the default, is not a sensible one."""


def rate(name):
    default = optimizers.default_lr(name)
    return LR.get(name, 0.05 if default is None else default)
