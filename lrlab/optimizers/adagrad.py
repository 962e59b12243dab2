"""Steps divided by sums or averages of squared gradients. g is the gradient, w the parameters."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
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


def adadelta(lr: Any, *, rho: float = 0.9, eps: float = 1e-6) -> optax.GradientTransformation:
    """Adadelta: steps with the root mean square of earlier steps as their unit.

    v averages g^2, x averages the squared steps u^2; u = sqrt(x + eps) / sqrt(v + eps) g;
    w <- w - lr u (Zeiler 2012, arXiv 1212.5701). `lr` has no unit; 1 is the published method.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adadelta(100.0))
    [-0.3162, -0.3162]
    """
    return optax.adadelta(lr, rho=rho, eps=eps)


def sm3(lr: Any, *, momentum: float = 0.9) -> optax.GradientTransformation:
    """SM3: Adagrad with accumulators per row and column.

    s = min over the axes' accumulators + g^2; w <- w - lr momentum-average(g / sqrt(s)) (Anil et
    al. 2019, arXiv 1901.11150). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(sm3(0.1))
    [-0.01, -0.01]
    """
    return optax.sm3(lr, momentum=momentum)


def rprop(
    lr: Any,
    *,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> optax.GradientTransformation:
    """Rprop: each parameter's step grows while its gradient keeps its sign; for full batches.

    d <- d eta_plus where g g_before > 0, d eta_minus where below 0, first d = lr;
    w <- w - d sign(g), one gradient late as in Optax (Riedmiller and Braun 1993, ICNN). `lr` is the
    first step, in the parameters' unit: only its value at step 0 counts.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(rprop(0.1))
    [0.0, 0.0]
    """
    return optax.rprop(
        jnp.maximum(lr, min_step_size),
        eta_minus=eta_minus,
        eta_plus=eta_plus,
        min_step_size=min_step_size,
        max_step_size=max_step_size,
    )


def madgrad(lr: Any, *, momentum: float = 0.9, eps: float = 1e-6) -> optax.GradientTransformation:
    """MADGRAD: dual averaging with cube-root normalization.

    With c = lr sqrt(t + 1): s += c g, v += c g^2, z = w_0 - s / (v^(1/3) + eps); w <- momentum w +
    (1 - momentum) z (Defazio and Jelassi 2021, arXiv 2101.11075). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(madgrad(0.1))
    [-0.0215, -0.0464]
    """
    return optax.contrib.madgrad(lr, momentum=momentum, eps=eps)
