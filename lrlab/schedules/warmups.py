"""Warmups: how the learning rate reaches the peak. q is the part of the warmup that is over.

- `linear`: s + (1 - s) q, s = `warmup_start` (Goyal et al. 2017, arXiv 1706.02677);
- `cosine`: s + (1 - s) (1 - cos(pi q)) / 2;
- `exponential`: s^(1 - q), a constant ratio from step to step, s > 0;
- `untuned_adam`: (k + 1) / W at step k, W = 2 / (1 - b2), 2000 steps for b2 = 0.999 unless a length
  is given (Ma and Yarats 2021, arXiv 1910.04209).
"""

from __future__ import annotations

from lrlab.core.errors import FieldError
from lrlab.types import Scalar

KINDS = ("linear", "cosine", "exponential", "untuned_adam")


def factor(kind: str, step: Scalar, ramp: Scalar, start: Scalar) -> Scalar:
    """The rate over the peak at `step` < `ramp` (both in steps, traced or not).

    >>> float(factor("linear", 5, 10, 0.0)), float(factor("untuned_adam", 0, 4, 0.0))
    (0.5, 0.25)
    """
    import jax.numpy as jnp

    q = jnp.clip(step / ramp, 0, 1)
    if kind == "linear":
        return start + (1 - start) * q
    if kind == "cosine":
        return start + (1 - start) * 0.5 * (1 - jnp.cos(jnp.pi * q))
    if kind == "exponential":
        return jnp.asarray(start, jnp.result_type(float)) ** (1 - q)
    return jnp.minimum((step + 1) / ramp, 1.0)


def length(warmup: Scalar, kind: str, b2: float = 0.999) -> Scalar:
    """The warmup's length: as given, but 2 / (1 - b2) for `untuned_adam` without one.

    >>> length(0, "untuned_adam"), length(0.1, "linear")
    (2000, 0.1)
    """
    if kind == "untuned_adam" and isinstance(warmup, (int, float)) and warmup == 0:
        return round(2 / (1 - b2))
    return warmup


def check(kind: str, start: Scalar, warmup: Scalar) -> None:
    """Raises ValueError for an unknown kind, or an exponential warmup from zero."""
    if kind not in KINDS:
        raise FieldError(
            "warmup_kind", f"warmup_kind must be one of {', '.join(KINDS)}, got {kind!r}"
        )
    warms_up = not (isinstance(warmup, (int, float)) and warmup == 0)
    if kind == "exponential" and warms_up and isinstance(start, (int, float)) and not start > 0:
        raise FieldError(
            "warmup_start",
            "an exponential warmup needs warmup_start above 0, such as 0.01",
            also=("warmup_kind", "warmup"),
        )
