"""Lengths of a schedule's parts: in steps, as fractions, or in words such as "3 epochs"."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from lrlab.core.errors import FieldError
from lrlab.types import Scalar

LENGTHS = (
    "warmup",
    "cooldown",
    "timescale",
    "every",
    "milestones",
    "boundaries",
    "flat",
    "half",
    "cycle",
    "up",
    "down",
    "back",
    "cut",
    "rise",
)
"""The parameters that are lengths, by name: they may be given in words."""

_WORDS = re.compile(r"\s*([0-9.]+(?:e-?\d+)?)\s*(epochs?|steps?|%)\s*")


def length(value: Scalar, steps: Scalar) -> Scalar:
    """`value` in steps: a value below 1 is a fraction of `steps`. Traced or not.

    >>> length(0.25, 100), length(30, 100)
    (25.0, 30)
    """
    if isinstance(value, (int, float, np.floating, np.integer)):
        # 0.07 * 100 is a little more than 7, which would shift the step it stands for.
        scaled = round(value * steps, 9) if isinstance(steps, (int, float)) else value * steps
        return scaled if value < 1 else value
    import jax.numpy as jnp

    return jnp.where(value < 1, value * steps, value)


def in_words(value: object) -> bool:
    """Whether `value` is a length in words.

    >>> in_words("3 epochs"), in_words("5 %"), in_words("cosine"), in_words(3)
    (True, True, False, False)
    """
    return isinstance(value, str) and _WORDS.fullmatch(value) is not None


def numbers(value: Any, steps: int, steps_per_epoch: int | None) -> Any:
    """Lengths in words as steps or fractions, in lists too; anything else as it is.

    Raises:
        ValueError: epochs, and it is not said how many steps make one.

    >>> numbers(("20 steps", "5 %", 0.5), 100, None)
    (20.0, 0.05, 0.5)
    """
    if isinstance(value, (list, tuple)):
        return tuple(numbers(entry, steps, steps_per_epoch) for entry in value)
    match = _WORDS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    number, unit = float(match[1]), match[2]
    if unit == "%":
        return number / 100 if number < 100 else float(steps)
    if unit.startswith("step"):
        # Below 1, a number of steps would be read as a fraction.
        return number if number >= 1 else number / steps
    if steps_per_epoch is None:
        raise ValueError(f"length {value!r} needs steps_per_epoch; give it, or the length in steps")
    counted = number * steps_per_epoch
    return counted if counted >= 1 else counted / steps


def whole(name: str, steps: Scalar) -> int:
    """The number of steps of a schedule that must know it before tracing.

    Raises:
        ValueError: it is traced, as with a warmup that is a lane axis.
    """
    if not isinstance(steps, (int, float, np.integer)):
        raise FieldError(
            "warmup", f"schedule {name!r} needs a fixed number of steps: no swept warmup"
        )
    return max(int(steps), 1)
