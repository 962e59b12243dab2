"""Prodigy: D-Adaptation that learns its distance faster."""

from __future__ import annotations

import optax

from lrlab.optimizers.dadaptation import uncorrected
from lrlab.optimizers.transforms import idle_at_zero, recorded
from lrlab.types import Scalar


def prodigy(
    lr: Scalar = 1.0,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    beta3: float | None = None,
    eps: float = 1e-8,
    estim_lr0: float = 1e-6,
    estim_lr_coef: float = 1.0,
    weight_decay: float = 0.0,
    safeguard_warmup: bool = False,
    use_bias_correction: bool = True,
) -> optax.GradientTransformation:
    """Prodigy: Adam with an estimated distance d to the solution as its learning rate.

    d <- max(d, sum beta3^.. d^2 <g, w_0 - w> / |sum beta3^.. d^2 g|_1), beta3 = sqrt(b2) unless
    given; w <- w - lr d m / (sqrt(v) + d eps), m and v of d g, d that before the update (Mishchenko
    and Defazio 2024, arXiv 2306.06101). `lr` multiplies d: no unit, 1 is the published method.
    Optax corrects Adam's bias; the authors' package does so on request alone, and its default is
    `use_bias_correction = False`. The step size recorded is lr d, in the parameters' unit.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(prodigy(estim_lr0=0.1))
    [-0.1, -0.1]
    """
    inner = optax.contrib.prodigy(
        lr if use_bias_correction else uncorrected(lr, b1, b2),
        (b1, b2),
        beta3,
        eps,
        estim_lr0,
        estim_lr_coef,
        weight_decay,
        safeguard_warmup,
    )
    waiting = idle_at_zero(inner, lr, lambda _, state: state.grad_sum)
    return recorded(waiting, lambda before, _: lr * before.estim_lr)
