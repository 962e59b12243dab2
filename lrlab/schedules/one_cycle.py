"""One-cycle: up and down once; `Schedule.momentum` mirrors it."""

from __future__ import annotations

import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.schedules.lengths import length
from lrlab.types import Scalar

KINDS = ("cosine", "linear")
TIMINGS = ("torch", "optax")


def one_cycle(
    step: Scalar,
    steps: Scalar,
    *,
    up: Scalar = 0.3,
    start: Scalar = 0.04,
    final: Scalar = 4e-6,
    kind: str = "cosine",
    three_phase: bool = False,
    back: Scalar = 0.85,
    timing: str = "torch",
) -> Scalar:
    """start -> 1 -> final in cosines or lines: one large cycle ("super-convergence").

    From `start` (over the peak) to 1 in the first `up`, then to `final`; `three_phase`: first back
    to `start`, then to `final`. Lengths in steps or fractions. `timing` "torch": the top stands at
    up - 1, the way back (three phases) ends at 2 up - 2, the last update uses `final` (OneCycleLR);
    "optax": the top at floor(up), the way back ends at floor(`back`), `final` at `steps`, as in
    Optax and fastai (Smith and Topin 2018, arXiv 1708.07120). Not zero at the end.

    >>> [round(float(one_cycle(k, 10)), 6) for k in (0, 1, 2, 9)]
    [0.04, 0.52, 1.0, 4e-06]
    """
    if kind not in KINDS:
        raise FieldError(
            "kind", f"schedule 'one_cycle': kind must be cosine or linear, got {kind!r}"
        )
    if timing not in TIMINGS:
        raise FieldError(
            "timing", f"schedule 'one_cycle': timing must be torch or optax, got {timing!r}"
        )
    if timing == "torch":
        rise, last = length(up, steps) - 1, steps - 1
        middle = 2 * rise
    else:
        rise, last = jnp.floor(length(up, steps)), steps
        middle = jnp.floor(length(back, steps))

    def between(high: Scalar, low: Scalar, begin: Scalar, end: Scalar) -> Scalar:
        q = jnp.clip((step - begin) / jnp.maximum(end - begin, 1), 0, 1)
        if kind == "linear":
            return high + (low - high) * q
        return low + (high - low) * 0.5 * (1 + jnp.cos(jnp.pi * q))

    going_up = between(start, 1.0, 0, rise)
    if not three_phase:
        return jnp.where(step <= rise, going_up, between(1.0, final, rise, last))
    down, end = between(1.0, start, rise, middle), between(start, final, middle, last)
    return jnp.where(step <= rise, going_up, jnp.where(step <= middle, down, end))
