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


def lars(
    lr: Any,
    *,
    trust_coefficient: float = 0.001,
    eps: float = 0.0,
    momentum: float = 0.9,
    nesterov: bool = False,
) -> optax.GradientTransformation:
    """LARS: momentum SGD with each tensor's step scaled to the tensor's norm.

    m <- momentum m + lr trust_coefficient |w| / (|g| + eps) g; w <- w - m (You et al. 2017, arXiv
    1708.03888). `lr` has no unit. Weight decay goes into g before the norms are taken.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(lars(10.0))
    [-0.0014, -0.0141]
    """
    return optax.lars(
        lr, trust_coefficient=trust_coefficient, eps=eps, momentum=momentum, nesterov=nesterov
    )


def fromage(lr: Any, *, min_norm: float = 1e-6) -> optax.GradientTransformation:
    """Fromage: each tensor turned by the same angle.

    w <- (w - lr g max(|w|, min_norm) / max(|g|, min_norm)) / sqrt(1 + lr^2) (Bernstein et al. 2020,
    arXiv 2002.03432). `lr` has no unit.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(fromage(0.1))
    [-0.019, -0.145]
    """
    return optax.fromage(lr, min_norm=min_norm)
