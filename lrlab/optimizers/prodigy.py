"""Prodigy: D-Adaptation that learns its distance faster."""

from __future__ import annotations

from typing import Any

import optax

from lrlab.optimizers.states import idle_at_zero, recorded


def prodigy(
    lr: Any = 1.0,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    beta3: float | None = None,
    eps: float = 1e-8,
    estim_lr0: float = 1e-6,
    estim_lr_coef: float = 1.0,
    weight_decay: float = 0.0,
    safeguard_warmup: bool = False,
) -> optax.GradientTransformation:
    """Prodigy: Adam with an estimated distance d to the solution as its learning rate.

    d <- max(d, sum beta3^.. d^2 <g, w_0 - w> / |sum beta3^.. d^2 g|_1), beta3 = sqrt(b2) unless
    given; w <- w - lr d m / (sqrt(v) + d eps), m and v of d g (Mishchenko and Defazio 2024, arXiv
    2306.06101). `lr` multiplies d: no unit, 1 is the published method. Optax corrects Adam's bias;
    the authors' package does so on request. The step size recorded is lr d, in the parameters'
    unit.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(prodigy(estim_lr0=0.1))
    [-0.1, -0.1]
    """
    inner = optax.contrib.prodigy(
        lr,
        (b1, b2),
        beta3,
        eps,
        estim_lr0,
        estim_lr_coef,
        weight_decay,
        safeguard_warmup,
    )
    waiting = idle_at_zero(inner, lr, lambda _, state: state.grad_sum)
    return recorded(waiting, lambda state: lr * state.estim_lr)
