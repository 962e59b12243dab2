"""Learning-rate schedules: closed forms of the step, traceable in the step and in every parameter.

A schedule's file holds `shape(step, steps, **parameters) -> factor`: what multiplies the peak at
`step` of `steps`. `make` adds the peak and a warmup. To add one: a function and a line in `NAMES`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

NAMES: dict[str, str] = {
    "constant": "lrlab.schedules.decay:constant",
    "linear": "lrlab.schedules.decay:linear",
    "polynomial": "lrlab.schedules.decay:polynomial",
    "cosine": "lrlab.schedules.decay:cosine",
    "k_decay": "lrlab.schedules.decay:k_decay",
    "exponential": "lrlab.schedules.decay:exponential",
    "inverse_time": "lrlab.schedules.decay:inverse_time",
    "inverse_sqrt": "lrlab.schedules.decay:inverse_sqrt",
    "power": "lrlab.schedules.decay:power",
    "rex": "lrlab.schedules.decay:rex",
    "tanh": "lrlab.schedules.decay:tanh",
    "hyperbolic": "lrlab.schedules.decay:hyperbolic",
    "step": "lrlab.schedules.stairs:step",
    "multistep": "lrlab.schedules.stairs:multistep",
    "piecewise": "lrlab.schedules.stairs:piecewise",
    "wsd": "lrlab.schedules.plateau:wsd",
    "flat_cosine": "lrlab.schedules.plateau:flat_cosine",
    "cosine_restarts": "lrlab.schedules.cycles:cosine_restarts",
    "triangular": "lrlab.schedules.cycles:triangular",
    "slanted_triangular": "lrlab.schedules.cycles:slanted_triangular",
    "one_cycle": "lrlab.schedules.cycles:one_cycle",
    "chebyshev": "lrlab.schedules.acceleration:chebyshev",
    "silver": "lrlab.schedules.acceleration:silver",
}
"""Name -> "module:function". A name with `warmup_` in front has a warmup of 5 % by default."""

DEFAULT_WARMUP = 0.05

OF_ALL_STEPS = {"wsd": ("cooldown",)}
"""Parameters whose fractions are of all the steps, the warmup included."""


def names() -> list[str]:
    """Every name that `make` takes, the warmup variants left out."""
    return list(NAMES)


def make(
    name: str, peak: Any, steps: int, warmup: float = 0, warmup_start: float = 0.0, **shape: Any
) -> Callable[[Any], Any]:
    """The schedule `name` as a function `step -> learning rate`.

    The rate used by update k (from 0) is `schedule(k)`, `0 <= k < steps`; `schedule(steps)` is the
    end. During the warmup, `peak (s + (1 - s) k / W)` with s = `warmup_start` (Goyal et al.
    2017, arXiv 1706.02677); after it, `peak * shape(k - W, steps - W)`: the shape has all the steps
    that the warmup left, and none of them twice.

    Args:
        name: a key of `NAMES`, or one with the prefix `warmup_`.
        peak: the largest rate of the shape, a float or a traced scalar.
        steps: the number of updates, warmup included; an int.
        warmup: a fraction of `steps` (below 1) or a number of steps; may be traced.
        warmup_start: the rate at step 0 over the peak.
        shape: parameters of the shape, floats or traced scalars; see `parameters(name)`.

    Returns:
        A function of an int or array of ints, traced or not, giving floats of JAX's current
        precision. Traced steps past the end are clamped; a Python int past it is an error.

    Raises:
        ValueError: unknown name or parameter, or a value that makes no schedule.

    >>> schedule = make("wsd", peak=0.1, steps=1000, warmup=0.05, cooldown=0.2)
    >>> [round(float(schedule(k)), 6) for k in (0, 25, 50, 799, 900, 1000)]
    [0.0, 0.05, 0.1, 0.1, 0.05, 0.0]
    """
    import jax.numpy as jnp

    if name not in NAMES and name.startswith("warmup_") and name[7:] in NAMES:
        name, warmup = name[7:], warmup if _given(warmup) else DEFAULT_WARMUP
    function = shape_function(name)
    _check(name, steps, warmup, shape)
    known, of_all = parameters(name), OF_ALL_STEPS.get(name, ())

    def schedule(step: Any) -> Any:
        if isinstance(step, (int, np.integer)) and not 0 <= step <= steps:
            raise ValueError(f"schedule {name!r} has steps 0 to {steps}, asked for step {step}")
        if (
            isinstance(step, np.ndarray)
            and step.size
            and not 0 <= step.min() <= step.max() <= steps
        ):
            raise ValueError(f"schedule {name!r} has steps 0 to {steps}, asked for {step.max()}")
        k = jnp.clip(jnp.asarray(step), 0, steps)
        if not _given(warmup):
            return peak * function(k, steps, **shape)
        ramp = length(warmup, steps)
        start = warmup_start + (1 - warmup_start) * k / jnp.maximum(ramp, 1)
        lengths = {key: length(shape.get(key, known[key]), steps) for key in of_all}
        left = jnp.maximum(steps - ramp, 1)
        after = function(jnp.maximum(k - ramp, 0), left, **{**shape, **lengths})
        return peak * jnp.where(k < ramp, start, after)

    return schedule


def values(name: str, peak: float, steps: int, **arguments: Any) -> np.ndarray:
    """The learning rates that updates 0 to `steps - 1` use; f64[steps].

    >>> values("linear", 1.0, 4).tolist()
    [1.0, 0.75, 0.5, 0.25]
    """
    import jax

    with jax.enable_x64(True):
        schedule = make(name, peak, steps, **arguments)
        return np.asarray(jax.jit(jax.vmap(schedule))(np.arange(steps)), np.float64)


@functools.lru_cache(maxsize=256)
def shape_function(name: str) -> Callable[..., Any]:
    """The function that `name` stands for."""
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"there is no schedule {name!r}{hint} Known: {', '.join(NAMES)}")
    module, function = NAMES[name].split(":")
    return getattr(importlib.import_module(module), function)


def parameters(name: str) -> dict[str, Any]:
    """The parameters of a schedule and their defaults; numbers among them may be lane axes.

    >>> parameters("wsd")["cooldown"]
    0.2
    """
    bare = name.removeprefix("warmup_") if name not in NAMES else name
    declared = inspect.signature(shape_function(bare)).parameters.values()
    shape = {p.name: p.default for p in declared if p.kind is p.KEYWORD_ONLY}
    warmup = 0 if bare == name else DEFAULT_WARMUP
    return {"warmup": warmup, "warmup_start": 0.0, **shape}


def engine_schedule(name: str, steps: int, **arguments: Any) -> Callable[[Any, Any], Any]:
    """The schedule as the engine wants it: `(hyper, step) -> learning rate`, cached, so that equal
    arguments give the same function and nothing compiles twice. `hyper["lr"]` is the peak; lane
    axes named like parameters take their place.
    """
    make(name, 1.0, steps, **arguments)
    return _engine_schedule(name, steps, tuple(sorted(_frozen(arguments).items())))


@functools.lru_cache(maxsize=256)
def _engine_schedule(
    name: str, steps: int, arguments: tuple[Any, ...]
) -> Callable[[Any, Any], Any]:
    known = parameters(name)

    def schedule(hyper: Any, step: Any) -> Any:
        swept = {key: value for key, value in hyper.items() if key in known}
        return make(name, hyper["lr"], steps, **{**dict(arguments), **swept})(step)

    return schedule


def length(value: Any, steps: Any) -> Any:
    """`value` in steps: a value below 1 is a fraction of `steps`. Traced or not."""
    if isinstance(value, (int, float, np.floating, np.integer)):
        return value * steps if value < 1 else value
    import jax.numpy as jnp

    return jnp.where(value < 1, value * steps, value)


def plot(schedules: Sequence[Any], **options: Any) -> Any:
    """See `lrlab.schedules.figure.plot`."""
    from lrlab.schedules.figure import plot as draw

    return draw(schedules, **options)


def _given(warmup: Any) -> bool:
    return not (isinstance(warmup, (int, float, np.floating, np.integer)) and warmup == 0)


def _frozen(arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}


def _check(name: str, steps: int, warmup: Any, shape: dict[str, Any]) -> None:
    known = parameters(name)
    for key in shape:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"schedule {name!r} has no parameter {key!r}{hint} It has: {', '.join(known)}"
            )
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"schedule {name!r}: steps must be an int of at least 1, got {steps!r}")
    if isinstance(warmup, (int, float)) and not 0 <= length(warmup, steps) < steps:
        raise ValueError(
            f"schedule {name!r}: warmup {warmup} leaves no step of {steps}; give a fraction "
            "below 1 or fewer steps than the run has"
        )
