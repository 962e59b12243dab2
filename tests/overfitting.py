"""A task that overfits: the training data want w = 1, the validation data w = 0.5, from w = 0.

Plain gradient descent passes w = 0.5 after 0.35 / lr updates, so that the final loss wants the one
rate that ends there, and the best evaluation any larger one that is stable.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np

from lrlab.tasks import Task

STEPS = 100
BY_FINAL = np.log(2) / 2 / STEPS
"""The rate whose last update comes to w = 0.5."""

SETTINGS = {
    "optimizer": "sgd",
    "steps": STEPS,
    "batch_size": 2,
    "schedule": "constant",
    "eval_every": 1,
    "seeds": 2,
    "progress": False,
}


def overfitting() -> Task:
    """One weight on two examples."""
    ones = np.ones((2, 1), np.float32)
    model = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.zeros)
    return Task.supervised(
        name="overfitting", model=model, loss="mse", train=(ones, ones), valid=(ones, 0.5 * ones)
    )
