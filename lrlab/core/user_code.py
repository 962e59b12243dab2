"""What a function of the user's did wrong where JAX traced it, in a sentence with its line."""

from __future__ import annotations

import traceback

import jax

from lrlab.core.own_sources import INSTALLED
from lrlab.core.text import first_line

OTHERS = ("jax", "optax", "flax", "lrlab")
"""Packages whose lines are not the user's."""


def place_of(error: BaseException) -> str:
    """The line of the user's code that raised, " at file:line": the last one that is of none of
    `OTHERS`; "" where there is none."""
    ours = tuple(__import__(name).__path__[0] for name in OTHERS)
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith((*ours, "<"))]
    # What the user's line calls may raise in a library that is neither.
    outside = [one for one in outside if not one.filename.startswith(INSTALLED)] or outside
    return f" at {outside[-1].filename}:{outside[-1].lineno}" if outside else ""


TRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""What JAX raises where Python, NumPy or another library wants the value of what is traced."""


def fault(what: str, error: Exception) -> str:
    """The sentence for an exception from a traced function of the user's.

    Args:
        what: the function in words, as in "the loss".

    >>> fault("the loss", ValueError("no such axis"))
    'the loss fails where JAX traces it: ValueError: no such axis'
    """
    where = place_of(error)
    if isinstance(error, jax.errors.TracerArrayConversionError):
        return (
            f"{what} hands a traced value to NumPy, or to a library that is built on it{where}: "
            "all lanes are trained in one program, so write it with jax.numpy, or call it by "
            'jax.pure_callback(..., vmap_method="sequential")'
        )
    if isinstance(error, TRACED):
        return (
            f"{what} decides in Python on a traced value{where} (`if`, `float`): all lanes "
            "are trained in one program, so use jnp.where, or compare the cases as settings of "
            "their own"
        )
    return f"{what} fails where JAX traces it{where}: {first_line(error)}"
