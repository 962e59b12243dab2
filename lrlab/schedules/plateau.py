"""Shapes that hold the peak and fall at the end. `step`, `steps` and lengths as in `stairs`."""

from __future__ import annotations

import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.schedules.lengths import length
from lrlab.types import Scalar

COOLDOWNS = ("linear", "cosine", "sqrt", "square", "exponential")


def wsd(
    step: Scalar,
    steps: Scalar,
    *,
    cooldown: Scalar = 0.2,
    kind: str = "linear",
    final: Scalar = 0.0,
) -> Scalar:
    """Warmup-stable-decay: 1 until the last `cooldown` (steps or a fraction of all, warmup included
    in `make`), then down to `final` (Hu et al. 2024, MiniCPM, arXiv 2404.06395; cooldown shapes of
    Hägele et al. 2024, arXiv 2405.18392). With q the part of the cooldown that is over: linear
    1 - q; cosine (1 + cos(pi q)) / 2; sqrt 1 - sqrt(q); square 1 - q^2; exponential 0.001^q.

    >>> [round(float(wsd(k, 10, cooldown=0.4)), 6) for k in (0, 6, 8, 10)]
    [1.0, 1.0, 0.5, 0.0]
    """
    if kind not in COOLDOWNS:
        raise FieldError(
            "kind", f"schedule 'wsd': kind must be one of {', '.join(COOLDOWNS)}, got {kind!r}"
        )
    fall = jnp.maximum(length(cooldown, steps), 1)
    q = jnp.clip((step - (steps - fall)) / fall, 0, 1)
    shape = {
        "linear": lambda: 1 - q,
        "cosine": lambda: 0.5 * (1 + jnp.cos(jnp.pi * q)),
        "sqrt": lambda: 1 - jnp.sqrt(q),
        "square": lambda: 1 - q**2,
        "exponential": lambda: jnp.where(q < 1, jnp.asarray(0.001, q.dtype) ** q, 0.0),
    }[kind]()
    return (1 - final) * shape + final


def flat_cosine(step: Scalar, steps: Scalar, *, flat: Scalar = 0.75, final: Scalar = 0.0) -> Scalar:
    """1, then final + (1 - final) (1 + cos(pi q)) / 2: flat first, then half a cosine.

    q is the part of what comes after `flat` (in steps or a fraction) that is over; `final`, zero by
    default, at `steps` (fastai's `fit_flat_cos`; Howard and Gugger 2020, arXiv 2002.04688).

    >>> [round(float(flat_cosine(k, 8)), 6) for k in (0, 6, 7, 8)]
    [1.0, 1.0, 0.5, 0.0]
    """
    level = length(flat, steps)
    q = jnp.clip((step - level) / jnp.maximum(steps - level, 1), 0, 1)
    return (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * q)) + final
