"""Instruments: curvature and gradient noise, as pure functions that can be vmapped over lanes.

`NAMES` are the probes a config may list (`probes = ["sharpness"]`); the functions below serve any
loss `loss(params, *args)`. To add a probe: a function as in `lrlab.probes.engine`, a line in
`NAMES`.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lrlab.probes.noise import two_batch_estimates

if TYPE_CHECKING:
    from lrlab.probes.curvature import (
        gradient_curvature,
        hessian_trace,
        preconditioned_sharpness,
        sharpness,
    )

NAMES: dict[str, str] = {
    "sharpness": "lrlab.probes.engine:sharpness",
    "hessian_trace": "lrlab.probes.engine:hessian_trace",
    "gradient": "lrlab.probes.engine:gradient",
    "weight_norm": "lrlab.probes.engine:weight_norm",
}
"""Name -> "module:function"."""

_CURVATURE = ("gradient_curvature", "hessian_trace", "preconditioned_sharpness", "sharpness")


def __getattr__(name: str) -> Any:
    if name in _CURVATURE:  # only when asked for: listing probes must not import jax
        return getattr(importlib.import_module("lrlab.probes.curvature"), name)
    raise AttributeError(f"module 'lrlab.probes' has no attribute {name!r}")


def engine_probes(names: Sequence[str]) -> tuple[tuple[str, Callable[..., Any]], ...]:
    """The probes of these names, for `Problem.probes`.

    Raises:
        ValueError: a name that is not in `NAMES`.

    >>> [name for name, _ in engine_probes(["gradient"])]
    ['gradient']
    """
    found = []
    for name in names:
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"no probe {name!r}{hint} (known: {', '.join(NAMES)})")
        module, function = NAMES[name].split(":")
        found.append((name, getattr(importlib.import_module(module), function)))
    return tuple(found)
