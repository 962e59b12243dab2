"""Rprop. g is the gradient, w the parameters."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from lrlab.types import Scalar


def rprop(
    lr: Scalar,
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
