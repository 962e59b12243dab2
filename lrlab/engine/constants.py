"""Large arrays that a program closes over: its arguments rather than a part of it.

XLA copies constants several times while it compiles (a program with 65 MB took 77 s), and every
executable, on every device and in the folder of kept programs, has a copy of its own.
"""

from __future__ import annotations

import math
import warnings

import jax
import numpy as np
from jax import Array
from jax.extend.core import ClosedJaxpr

from lrlab.core.arrays import aligned
from lrlab.engine.places import Place, everywhere

Constants = tuple[Array | np.ndarray, ...]

LARGE_BYTES = 1 << 20
"""From here on a constant is passed; smaller ones may be folded into what uses them."""

WARNED_BYTES = 32 << 20
"""From here on the user is warned of it."""


def split(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, Constants]:
    """A program whose large constants are its first arguments, and these arrays."""
    large = [_bytes(constant) >= LARGE_BYTES for constant in closed.consts]
    if not any(large):
        return closed, ()
    jaxpr = closed.jaxpr
    names = list(zip(jaxpr.constvars, closed.consts, large, strict=True))
    passed = [variable for variable, _, is_large in names if is_large]
    kept = [variable for variable, _, is_large in names if not is_large]
    info = jaxpr.debug_info._replace(arg_names=None, result_paths=None)
    less = jaxpr.replace(constvars=kept, invars=[*passed, *jaxpr.invars], debug_info=info)
    small = [constant for _, constant, is_large in names if not is_large]
    return ClosedJaxpr(less, small), tuple(c for _, c, is_large in names if is_large)


def placed(constants: Constants, place: Place) -> tuple[Array, ...]:
    """The arrays in a place; CPU devices read them where they lie."""
    there = everywhere(place)
    return tuple(jax.device_put(aligned(np.asarray(array)), there) for array in constants)


def named(constants: Constants) -> None:
    """Warns of arrays that are too large to be closed over.

    Warns:
        UserWarning: the size, shape and dtype of each, and what to do.
    """
    sizes = [
        f"{_bytes(array) / 1e6:,.0f} MB ({array.dtype}{list(array.shape)})"
        for array in constants
        if _bytes(array) >= WARNED_BYTES
    ]
    if sizes:
        warnings.warn(
            f"the functions that are trained close over an array of {', '.join(sizes)}: every "
            "update of every lane reads it whole, and each program holds it; pass examples as "
            "data (train = of Task.supervised), which are read in batches and held once",
            UserWarning,
            stacklevel=2,
        )


def _bytes(array: Array | np.ndarray) -> int:
    """The size of a plain array; 0 of random keys and the like."""
    if not isinstance(getattr(array, "dtype", None), np.dtype):
        return 0
    return math.prod(array.shape) * array.dtype.itemsize
