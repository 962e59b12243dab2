"""Learning-rate schedules: closed forms of the step, traceable in the step and in every parameter.

A schedule's file holds `shape(step, steps, **parameters) -> factor`: what multiplies the peak at
`step` of `steps`. `make` adds the peak and a warmup. To add one: a function and a line in `NAMES`.
Compositions are in `lrlab.schedules.compose`, bounds in `lrlab.schedules.bounds`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lrlab.core.errors import FieldError, within
from lrlab.core.synonyms import SCHEDULE, SCHEDULE_NAME, did_you_mean
from lrlab.schedules.lengths import LENGTHS, in_words, length, numbers

NAMES: dict[str, str] = {
    "constant": "lrlab.schedules.decay:constant",
    "linear": "lrlab.schedules.decay:linear",
    "polynomial": "lrlab.schedules.decay:polynomial",
    "cosine": "lrlab.schedules.decay:cosine",
    "k_decay": "lrlab.schedules.decay:k_decay",
    "exponential": "lrlab.schedules.decay:exponential",
    "natural_exponential": "lrlab.schedules.decay:natural_exponential",
    "inverse_time": "lrlab.schedules.decay:inverse_time",
    "inverse_sqrt": "lrlab.schedules.decay:inverse_sqrt",
    "noam": "lrlab.schedules.decay:noam",
    "power": "lrlab.schedules.decay:power",
    "rex": "lrlab.schedules.decay:rex",
    "tanh": "lrlab.schedules.decay:tanh",
    "hyperbolic": "lrlab.schedules.decay:hyperbolic",
    "exp_hyperbolic": "lrlab.schedules.decay:exp_hyperbolic",
    "step": "lrlab.schedules.stairs:step",
    "multistep": "lrlab.schedules.stairs:multistep",
    "piecewise": "lrlab.schedules.stairs:piecewise",
    "wsd": "lrlab.schedules.plateau:wsd",
    "flat_cosine": "lrlab.schedules.plateau:flat_cosine",
    "cosine_cycle": "lrlab.schedules.cycles:cosine_cycle",
    "cosine_restarts": "lrlab.schedules.cycles:cosine_restarts",
    "triangular": "lrlab.schedules.cycles:triangular",
    "triangular2": "lrlab.schedules.cycles:triangular2",
    "exp_range": "lrlab.schedules.cycles:exp_range",
    "slanted_triangular": "lrlab.schedules.cycles:slanted_triangular",
    "one_cycle": "lrlab.schedules.one_cycle:one_cycle",
    "chebyshev": "lrlab.schedules.acceleration:chebyshev",
    "silver": "lrlab.schedules.acceleration:silver",
    "refined": "lrlab.schedules.bounds:refined",
    "last_iterate": "lrlab.schedules.bounds:last_iterate",
    "two_point": "lrlab.schedules.splines:two_point",
    "spline": "lrlab.schedules.splines:spline",
}
"""Name -> "module:function". A name with `warmup_` in front has a warmup of 5 % by default."""

DEFAULT_WARMUP = 0.05

COMMON: dict[str, Any] = {
    "warmup": 0,
    "warmup_start": 0.0,
    "warmup_kind": "linear",
    "low_momentum": None,
}
"""What every schedule takes in training besides its own parameters: a warmup, and the momentum at
its peak (see `Schedule.momentum`; None: the optimizer's own all the time)."""

FLOORS = {
    "one_cycle": ("start", "final"),
    "triangular": ("low",),
    "triangular2": ("low",),
    "exp_range": ("low",),
}
"""Parameters that lift a cycle off zero: without them it is a height between 0 and 1."""

OF_ALL_STEPS = {"wsd": ("cooldown",)}
"""Parameters whose fractions are of all the steps, the warmup included."""


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """`schedule(step) -> learning rate` for steps 0 to `steps`, with what it was made from.

    A class, because `jax.jit` and `jax.vmap` take callables, but not tuples.
    """

    name: str
    steps: int
    function: Callable[[Any], Any]
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    height: Callable[[Any], Any] | None = None

    def __call__(self, step: Any) -> Any:
        """The learning rate of update `step`; see `make`."""
        import jax.numpy as jnp

        check_step(self.name, step, self.steps)
        return self.function(jnp.clip(jnp.asarray(step), 0, self.steps))

    def momentum(self, step: Any, low: Any = 0.85, high: Any = 0.95) -> Any:
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
        check_step(self.name, step, self.steps)
        u = jnp.clip(self.height(jnp.clip(jnp.asarray(step), 0, self.steps)), 0, 1)
        return high - (high - low) * u


def names() -> list[str]:
    """Every name that `make` takes, the warmup variants left out."""
    return list(NAMES)


def make(
    name: str,
    peak: Any,
    steps: int,
    warmup: Any = 0,
    warmup_start: Any = 0.0,
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
    from lrlab.schedules import warmups

    arguments = {"peak": peak, "warmup": warmup, "warmup_start": warmup_start}
    arguments |= {"warmup_kind": warmup_kind, "steps_per_epoch": steps_per_epoch, **shape}
    own = name
    if name not in NAMES and name.startswith("warmup_") and name[7:] in NAMES:
        name, warmup = name[7:], warmup if _given(warmup) else DEFAULT_WARMUP
    function = shape_function(name)
    shape = {key: _in_steps(key, value, steps, steps_per_epoch) for key, value in shape.items()}
    warmup = warmups.length(_in_steps("warmup", warmup, steps, steps_per_epoch), warmup_kind)
    _check(name, steps, warmup, shape)
    warmups.check(warmup_kind, warmup_start, warmup)
    known, of_all = parameters(name), OF_ALL_STEPS.get(name, ())

    def factor(k: Any, shape: dict[str, Any], warmup_start: Any) -> Any:
        import jax.numpy as jnp

        if not _given(warmup):
            return function(k, steps, **shape)
        ramp = length(warmup, steps)
        concrete = isinstance(ramp, (int, float))
        start = warmups.factor(warmup_kind, k, jnp.maximum(ramp, 1), warmup_start)
        lengths = {key: length(shape.get(key, known[key]), steps) for key in of_all}
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


def check_step(name: str, step: Any, steps: int) -> None:
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


@functools.lru_cache(maxsize=256)
def shape_function(name: str) -> Callable[..., Any]:
    """The function that `name` stands for."""
    if name not in NAMES:
        hint = did_you_mean(name, NAMES, SCHEDULE_NAME, end=".")
        raise FieldError("name", f"there is no schedule {name!r}{hint} Known: {', '.join(NAMES)}")
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
    return {**COMMON, "warmup": warmup, **shape}


def engine_schedule(name: str, steps: int, **arguments: Any) -> Callable[[Any, Any], Any]:
    """See `lrlab.schedules.training.engine_schedule`."""
    from lrlab.schedules.training import engine_schedule as build

    return build(name, steps, **arguments)


def label(entry: str | Mapping[str, Any]) -> str:
    """A schedule in words, for legends: its name and what was given with it.

    >>> label({"name": "wsd", "cooldown": 0.3})
    'wsd, cooldown 0.3'
    """
    if isinstance(entry, str):
        return entry
    return ", ".join(str(v) if k == "name" else f"{k} {_short(v)}" for k, v in entry.items())


def labels(entries: Sequence[str | Mapping[str, Any]]) -> tuple[str, ...]:
    """The labels of several schedules, each its own: equal ones are counted.

    >>> labels(["linear", {"name": "wsd", "cooldown": 0.3}, "linear"])
    ('linear', 'wsd, cooldown 0.3', 'linear (2)')
    """
    found: list[str] = []
    for words in map(label, entries):
        count = 1 + sum(one == words or one.startswith(f"{words} (") for one in found)
        found.append(words if count == 1 else f"{words} ({count})")
    return tuple(found)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe(name: str) -> str:
    """The docstring of a schedule: formula, whether it ends at zero, source, example."""
    return (
        shape_function(name.removeprefix("warmup_") if name not in NAMES else name).__doc__ or ""
    ).strip()


def plot(schedules: Sequence[Any], **options: Any) -> Any:
    """See `lrlab.schedules.figure.plot`."""
    from lrlab.schedules.figure import plot as draw

    return draw(schedules, **options)


def _given(warmup: Any) -> bool:
    return not (isinstance(warmup, (int, float, np.floating, np.integer)) and warmup == 0)


def _in_steps(key: str, value: Any, steps: int, steps_per_epoch: int | None) -> Any:
    if key not in LENGTHS and in_words(value):
        raise FieldError(key, f"{key} is no length, got {value!r}; lengths: {', '.join(LENGTHS)}")
    with within(key):
        return numbers(value, steps, steps_per_epoch)


def _check(name: str, steps: int, warmup: Any, shape: dict[str, Any]) -> None:
    known = parameters(name)
    for key in shape:
        if key not in known:
            hint = did_you_mean(key, known, SCHEDULE, end=".")
            raise FieldError(
                key, f"schedule {name!r} has no parameter {key!r}{hint} It has: {', '.join(known)}"
            )
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"schedule {name!r}: steps must be an int of at least 1, got {steps!r}")
    concrete = isinstance(warmup, (int, float, np.integer, np.floating))
    if concrete and not 0 <= length(warmup, steps) < steps:
        raise FieldError(
            "warmup",
            f"schedule {name!r}: warmup {warmup} leaves no step of {steps}; give a fraction "
            "below 1 or fewer steps than the run has",
        )
