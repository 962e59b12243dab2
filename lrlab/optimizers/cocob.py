"""Coin betting."""

from __future__ import annotations

import optax

from lrlab.optimizers.transforms import recorded
from lrlab.types import Scalar


def cocob(
    lr: Scalar = 1.0, *, alpha: float = 100.0, eps: float = 1e-8
) -> optax.GradientTransformation:
    """COCOB-Backprop: each parameter bets on the sign of its gradients, without a step size.

    With L the largest |g|, G their sum, R the reward, C the sum of -g:
    w <- w_0 + C (L + R) / (L max(G + L, alpha L)) (Orabona and Tommasi 2017, arXiv 1705.07795).
    `lr` multiplies the gradients (no unit; the method cancels its constant part); the step size
    recorded is the norm of the update over that of the gradient.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(cocob())
    [-0.01, -0.01]
    """
    return recorded(optax.contrib.cocob(lr, alpha, eps))
