"""Mechanic: a learned scale for any optimizer's updates."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax

from lrlab.optimizers.states import recorded
from lrlab.optimizers.wrappers import base_optimizer


def mechanic(
    lr: Any = 1.0,
    *,
    base: str = "adam",
    s_decay: float = 0.01,
    s_init: float = 1e-6,
    eps: float = 1e-8,
    num_betas: int = 6,
) -> optax.GradientTransformation:
    """Mechanic: learns the scale s of `base`'s updates by online convex optimization.

    w = w_0 + s D, D the sum of the updates of `base` (run with the learning rate `lr`); for each
    beta: h = <g + s_decay s |g| w / |w|, D>, m = max(beta m, |h|), v <- beta^2 v + h^2, r <- beta r
    + h s, s = (s_init m / n + max(r, 0)) / sqrt(v), summed over the n betas (Cutkosky et al. 2023,
    arXiv 2306.00144). As in Optax every s starts at s_init, where the authors' package starts at 0.
    `lr` carries the schedule, 1 at its peak. The step size recorded is lr s; s has no unit.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(mechanic(base="sgd", s_init=0.1))
    [-0.1, -1.0]
    """
    inner = optax.contrib.mechanize(base_optimizer(base, lr), s_decay, eps, s_init, num_betas)
    return recorded(inner, lambda state: lr * jnp.sum(state.s))
