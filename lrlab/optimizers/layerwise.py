"""Steps in proportion to the size of each tensor. g is the gradient, w the parameters."""

from __future__ import annotations

from typing import Any

import optax


def lamb(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """LAMB: Adam with each tensor's update scaled to the tensor's norm.

    w <- w - lr |w| / |u| u, u = m^ / (sqrt(v^) + eps) + weight_decay w (You et al. 2020, arXiv
    1904.00962). `lr` has no unit: the relative change of a tensor in one update.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(lamb(0.1))
    [-0.1, -0.1]
    """
    return optax.lamb(lr, b1=b1, b2=b2, eps=eps, eps_root=eps_root, weight_decay=weight_decay)


def adafactor(
    lr: Any,
    *,
    min_dim_size_to_factor: int = 128,
    decay_rate: float = 0.8,
    decay_offset: int = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: float | None = 1.0,
    momentum: float | None = None,
    weight_decay_rate: float | None = None,
    eps: float = 1e-30,
    factored: bool = True,
) -> optax.GradientTransformation:
    """Adafactor: second moments of matrices kept as a row and a column.

    u = g / sqrt(v), v <- (1 - t^-decay_rate) (g^2 + eps) averaged, its matrices as the product of
    row and column means; u clipped to root mean square `clipping_threshold`; w <- w - lr RMS(w) u
    (Shazeer and Stern 2018, arXiv 1804.04235). `lr` has no unit where
    `multiply_by_parameter_scale`, else the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adafactor(0.1))
    [-0.1, -0.1]
    """
    return optax.adafactor(
        lr,
        min_dim_size_to_factor=min_dim_size_to_factor,
        decay_rate=decay_rate,
        decay_offset=decay_offset,
        multiply_by_parameter_scale=multiply_by_parameter_scale,
        clipping_threshold=clipping_threshold,
        momentum=momentum,
        weight_decay_rate=weight_decay_rate,
        eps=eps,
        factored=factored,
    )
