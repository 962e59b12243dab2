"""Steps divided by sums or averages of squared gradients. g is the gradient, w the parameters."""

from __future__ import annotations

from typing import Any

import optax


def adagrad(
    lr: Any, *, initial_accumulator_value: float = 0.1, eps: float = 1e-7
) -> optax.GradientTransformation:
    """Adagrad: each parameter's step over the root of its summed squared gradients.

    s <- s + g^2; w <- w - lr g / sqrt(s + eps) (Duchi et al. 2011, JMLR 12:2121). Unit of `lr`:
    that of the parameters.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adagrad(0.1, initial_accumulator_value=0.0))
    [-0.1, -0.1]
    """
    return optax.adagrad(lr, initial_accumulator_value, eps)


def rmsprop(
    lr: Any,
    *,
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: float | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> optax.GradientTransformation:
    """RMSProp: each parameter's step over the root mean square of its recent gradients.

    v <- decay v + (1 - decay) g^2; w <- w - lr g / sqrt(v + eps) (Tieleman and Hinton 2012,
    Coursera lecture 6.5; centered form: Graves 2013, arXiv 1308.0850). Unit of `lr`: that of the
    parameters; `decay` and `momentum` have none.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(rmsprop(0.1, decay=0.0))
    [-0.1, -0.1]
    """
    return optax.rmsprop(
        lr,
        decay=decay,
        eps=eps,
        initial_scale=initial_scale,
        eps_in_sqrt=eps_in_sqrt,
        centered=centered,
        momentum=momentum,
        nesterov=nesterov,
        bias_correction=bias_correction,
    )
