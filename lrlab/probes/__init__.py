"""Instruments: what a lane's loss, gradient, weights and optimizer are like, as pure functions.

`NAMES` are the probes a configuration may list: `probes = ["sharpness", {name = "stability", every
= 100}]`. A probe is `name(lane, *, options) -> {name: scalar}`, where `lane` is a
`lrlab.types.LaneView`; it is compiled into the evaluation of a whole tile of lanes. To add one: a
function in a file here, a line in `NAMES`. The functions below serve any loss `loss(params, *args)`
without a lane.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lrlab.core.registry import Registry, load, parameters, unknown_option
from lrlab.core.text import JsonObject, Table
from lrlab.types import Array, LaneView, Probe

if TYPE_CHECKING:
    from lrlab.probes.curvature import (
        gradient_curvature,
        hessian_trace,
        preconditioned_sharpness,
        sharpness,
    )
    from lrlab.probes.noise import two_batch_estimates
    from lrlab.probes.parabola import normalized_step
    from lrlab.probes.slices import Plane, loss_slice, random_plane, trajectory_plane

NAMES: dict[str, str] = {
    "sharpness": "lrlab.probes.hessian:sharpness",
    "stability": "lrlab.probes.hessian:stability",
    "hessian_trace": "lrlab.probes.hessian:hessian_trace",
    "gradient": "lrlab.probes.hessian:gradient",
    "weight_norm": "lrlab.probes.sizes:weight_norm",
    "update_to_weight": "lrlab.probes.sizes:update_to_weight",
    "angular_update": "lrlab.probes.sizes:angular_update",
    "distance": "lrlab.probes.sizes:distance",
    "noise_scale": "lrlab.probes.noise:noise_scale",
    "critical_batch_size": "lrlab.probes.noise:critical_batch_size",
    "gradient_snr": "lrlab.probes.noise:gradient_snr",
    "alpha": "lrlab.probes.parabola:alpha",
    "loss_along_step": "lrlab.probes.parabola:loss_along_step",
    "gradient_flow": "lrlab.probes.flow:gradient_flow",
    "ntk": "lrlab.probes.ntk:ntk",
    "feature_change": "lrlab.probes.features:feature_change",
}
"""Name -> "module:function"."""

REGISTRY: Registry[str] = Registry("probe", NAMES, filled=1, common={"every": None})  # lane

_FUNCTIONS = {
    "gradient_curvature": "curvature",
    "hessian_trace": "curvature",
    "preconditioned_sharpness": "curvature",
    "sharpness": "curvature",
    "two_batch_estimates": "noise",
    "normalized_step": "parabola",
    "Plane": "slices",
    "loss_slice": "slices",
    "random_plane": "slices",
    "trajectory_plane": "slices",
}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:  # only when asked for: listing probes must not import jax
        return getattr(importlib.import_module(f"lrlab.probes.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module 'lrlab.probes' has no attribute {name!r}")


def engine_probe(entry: str | Table) -> Probe:
    """A probe for `Problem.probes`: by name, or as a table of `name`, `every` and options.

    Equal entries give the same object, so that nothing compiles twice.

    Raises:
        ValueError: a name that is not in `NAMES`, or an option that the probe does not take.

    >>> engine_probe({"name": "sharpness", "k": 2, "every": 100}).every
    100
    """
    table: JsonObject = {"name": entry} if isinstance(entry, str) else dict(entry)
    name, every = table.pop("name"), table.pop("every", None)
    accepted = parameters(REGISTRY, name)
    for option in table:
        if option not in accepted:
            raise unknown_option(REGISTRY, name, option)
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    return Probe(name, _measure(name, tuple(sorted(options.items()))), every)


@functools.lru_cache(maxsize=256)
def _measure(
    name: str, options: tuple[tuple[str, object], ...]
) -> Callable[[LaneView], dict[str, Array]]:
    return functools.partial(load(REGISTRY, name), **dict(options))
