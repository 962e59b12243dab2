"""A schedule by name as a function `step -> learning rate`: the shape, the peak and a warmup."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lrlab.core.errors import FieldError, within
from lrlab.core.registry import load, registered, unknown_option
from lrlab.core.text import JsonObject, Table
from lrlab.schedules import warmups
from lrlab.schedules.lengths import LENGTHS, in_words, length, numbers
from lrlab.schedules.registry import DEFAULT_WARMUP, FLOORS, OF_ALL_STEPS, REGISTRY, parameters
from lrlab.types import Array, Scalar


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """`schedule(step) -> learning rate` for steps 0 to `steps`, with what it was made from.

    A class, because `jax.jit` and `jax.vmap` take callables, but not tuples.
    """

    name: str
    steps: int
    function: Callable[[Array], Array]
    arguments: JsonObject = dataclasses.field(default_factory=dict)
    height: Callable[[Array], Array] | None = None

    def __call__(self, step: Array) -> Array:
        """The learning rate of update `step`; see `make`."""
        import jax.numpy as jnp

        _check_step(self.name, step, self.steps)
        return self.function(jnp.clip(jnp.asarray(step), 0, self.steps))

    def momentum(self, step: Array, low: Scalar = 0.85, high: Scalar = 0.95) -> Array:
        """high - (high - low) u, u in [0, 1] the height of the rate over the peak (of a cycle: over
        its foot): momentum that falls while the rate rises, as PyTorch's OneCycleLR and CyclicLR
        cycle it (Smith 2018, arXiv 1803.09820). In training: `low_momentum` of the schedule.

        >>> cycle = make("one_cycle", peak=0.1, steps=10)
        >>> [round(float(cycle.momentum(k)), 6) for k in (0, 2, 9)]
        [0.95, 0.85, 0.95]
        """
        import jax.numpy as jnp

        if self.height is None:
            raise ValueError(f"{self.name!r} is composed: take the momentum of its parts")
        _check_step(self.name, step, self.steps)
        u = jnp.clip(self.height(jnp.clip(jnp.asarray(step), 0, self.steps)), 0, 1)
        return high - (high - low) * u


def make(
    name: str,
    peak: Scalar,
    steps: int,
    warmup: Scalar | str = 0,
    warmup_start: Scalar = 0.0,
    warmup_kind: str = "linear",
    steps_per_epoch: int | None = None,
    **shape: Any,
) -> Schedule:
    """The schedule `name` as a function `step -> learning rate`.

    The rate used by update k (from 0) is `schedule(k)`, `0 <= k < steps`; `schedule(steps)` is the
    end. During a warmup of W steps it is `peak` times `warmups.factor(k / W)`; after it, `peak *
    shape(k - W, steps - W)`: the shape has all the steps that the warmup left, and none twice.

    Args:
        name: a key of `NAMES`, or one with the prefix `warmup_`.
        peak: what multiplies the shape (its largest rate, but for `silver`); may be traced.
        steps: the number of updates, warmup included; an int.
        warmup: a fraction of `steps` (below 1) or a number of steps; may be traced.
        warmup_start: the rate at step 0 over the peak.
        warmup_kind: `linear`, `cosine`, `exponential` or `untuned_adam`, see `warmups`.
        steps_per_epoch: makes lengths such as "3 epochs" known; "20 steps" and "5 %" always are.
        shape: parameters of the shape, floats or traced scalars; see `parameters(name)`. Lengths
            among them are steps, fractions below 1, or words.

    Returns:
        A function of an int (or float, or array of them), traced or not, giving floats of JAX's
        current precision. Traced steps past the end are clamped; a concrete one is an error.

    Raises:
        ValueError: unknown name or parameter, or a value that makes no schedule.

    >>> schedule = make("wsd", peak=0.1, steps=1000, warmup=0.05, cooldown=0.2)
    >>> [round(float(schedule(k)), 6) for k in (0, 25, 50, 799, 900, 1000)]
    [0.0, 0.05, 0.1, 0.1, 0.05, 0.0]
    """
    arguments: JsonObject = {"peak": peak, "warmup": warmup, "warmup_start": warmup_start}
    arguments |= {"warmup_kind": warmup_kind, "steps_per_epoch": steps_per_epoch, **shape}
    own, name = name, registered(REGISTRY, name)
    if own != name and not _given(warmup):
        warmup = DEFAULT_WARMUP
    function = load(REGISTRY, name)
    shape = {key: _in_steps(key, value, steps, steps_per_epoch) for key, value in shape.items()}
    warmup = warmups.length(_in_steps("warmup", warmup, steps, steps_per_epoch), warmup_kind)
    _check(name, steps, warmup, shape)
    warmups.check(warmup_kind, warmup_start, warmup)
    accepted, of_all = parameters(name), OF_ALL_STEPS.get(name, ())

    def factor(k: Array, shape: Mapping[str, Scalar], warmup_start: Scalar) -> Array:
        import jax.numpy as jnp

        if not _given(warmup):
            return function(k, steps, **shape)
        ramp = length(warmup, steps)
        concrete = isinstance(ramp, (int, float))
        start = warmups.factor(warmup_kind, k, jnp.maximum(ramp, 1), warmup_start)
        lengths = {key: length(shape.get(key, accepted[key]), steps) for key in of_all}
        left = max(steps - ramp, 1) if concrete else jnp.maximum(steps - ramp, 1)
        after = function(jnp.maximum(k - ramp, 0), left, **{**shape, **lengths})
        return jnp.where(k < ramp, start, after)

    grounded = {**shape, **dict.fromkeys(FLOORS.get(name, ()), 0.0)}
    return Schedule(
        own,
        int(steps),
        lambda k: peak * factor(k, shape, warmup_start),
        arguments,
        lambda k: factor(k, grounded, warmup_start),
    )


def _check_step(name: str, step: Array, steps: int) -> None:
    """Raises ValueError where a concrete step lies outside of 0 to `steps`."""
    if isinstance(step, (int, float, np.integer, np.floating)) and not 0 <= step <= steps:
        raise ValueError(f"schedule {name!r} has steps 0 to {steps}, asked for step {step}")
    if isinstance(step, np.ndarray) and step.size:
        for end in (step.min(), step.max()):
            if not 0 <= end <= steps:
                raise ValueError(f"schedule {name!r} has steps 0 to {steps}, asked for {end}")


def values(name: str, peak: float, steps: int, **arguments: Any) -> np.ndarray:
    """The learning rates that updates 0 to `steps - 1` use; f64[steps].

    >>> values("linear", 1.0, 4).tolist()
    [1.0, 0.75, 0.5, 0.25]
    """
    import jax

    with jax.enable_x64(True):
        schedule = make(name, peak, steps, **arguments)
        return np.asarray(jax.jit(jax.vmap(schedule))(np.arange(steps)), np.float64)


def _given(warmup: Scalar | str) -> bool:
    return not (isinstance(warmup, (int, float, np.floating, np.integer)) and warmup == 0)


def _in_steps(key: str, value: Any, steps: int, steps_per_epoch: int | None) -> Any:
    if key not in LENGTHS and in_words(value):
        raise FieldError(key, f"{key} is no length, got {value!r}; lengths: {', '.join(LENGTHS)}")
    with within(key):
        return numbers(value, steps, steps_per_epoch)


def _check(name: str, steps: int, warmup: Scalar, shape: Table) -> None:
    accepted = parameters(name)
    for key in shape:
        if key not in accepted:
            raise unknown_option(REGISTRY, name, key)
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"schedule {name!r}: steps must be an int of at least 1, got {steps!r}")
    concrete = isinstance(warmup, (int, float, np.integer, np.floating))
    if concrete and not 0 <= length(warmup, steps) < steps:
        raise FieldError(
            "warmup",
            f"schedule {name!r}: warmup {warmup} leaves no step of {steps}; give a fraction "
            "below 1 or fewer steps than the run has",
        )
