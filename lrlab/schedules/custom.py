"""Schedules of one's own, and whether a schedule gives learning rates that can be trained with."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from lrlab.core.errors import FieldError
from lrlab.types import Array, Floats, Hyper

Rates = Callable[[Hyper, Array], Array]
"""The engine's schedule: `(hyper, step) -> learning rate`."""

MOST = 4_000_000
"""Rates that are looked at; of longer runs, so many steps evenly spaced, both ends among them."""


class CustomSchedule(NamedTuple):
    """`(hyper, step) -> learning rate` from a user's `step -> factor`. Equal functions are equal,
    so that nothing compiles twice."""

    function: Callable[[Array], Array]

    def __call__(self, hyper: Hyper, step: Array) -> Array:
        """The learning rate of `step`."""
        return hyper["lr"] * self.function(step)


def custom_schedule(function: Callable[[Array], Array]) -> CustomSchedule:
    """A user's function `step -> factor of the learning rate` as the engine wants it.

    Raises:
        FieldError: JAX cannot trace it, or it gives no single number.
    """
    import jax

    try:
        shape = jax.eval_shape(function, jax.ShapeDtypeStruct((), np.int32))
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise FieldError(
            "schedule",
            "schedule must be a name, or a function step -> factor of the learning rate that JAX "
            f"can trace; this one gave {type(error).__name__}: {first}",
        ) from error
    if getattr(shape, "shape", None) != ():
        got = getattr(shape, "shape", type(shape).__name__)
        raise FieldError(
            "schedule", f"schedule must give one number per step, got an array of shape {got}"
        )
    return CustomSchedule(function)


def check_rates(
    schedule: Rates,
    steps: int,
    axes: Mapping[str, Floats],
    dtype: str,
    named: str = "the schedule",
) -> None:
    """Whether every step's rate is finite and not below 0, by one evaluation of all of them.

    Args:
        schedule: the engine's, `(hyper, step) -> learning rate`.
        steps: updates of the run; steps 0 to `steps - 1` are looked at (see `MOST`).
        axes: the lane axes that the schedule reads, with their values: every combination is tried.
        dtype: in which the run computes rates.
        named: the schedule in words.

    Raises:
        FieldError: names the first step, the factor there and the values of the axes. A factor
            below 0 by no more than rounding (four units in the last place of the largest) is none.
    """
    import jax.numpy as jnp

    combinations = list(itertools.product(*axes.values()))
    looked = max(1, min(steps, MOST // len(combinations)))
    at = np.unique(np.linspace(0, steps - 1, looked).round().astype(np.int64))
    for values in combinations:
        cell = dict(zip(axes, values, strict=True))
        hyper = {name: jnp.asarray(value, dtype) for name, value in {"lr": 1.0, **cell}.items()}
        rates = np.asarray(_all_rates()(schedule, hyper, jnp.asarray(at, jnp.int32)), np.float64)
        where = "".join(f", with {name} = {value:g}" for name, value in cell.items())
        refuse_rates(rates, at, steps, dtype, named, where)


def refuse_rates(
    rates: np.ndarray, at: np.ndarray, steps: int, dtype: str, named: str, where: str = ""
) -> None:
    """Raises FieldError where one of the factors f[K] at the steps int[K] cannot be trained with;
    `named` and `where` say whose they are. See `check_rates`."""
    finite = np.isfinite(rates)
    largest = np.max(np.abs(rates), initial=0, where=finite)
    bad = ~finite | (rates < -4 * float(np.finfo(dtype).eps) * largest)
    if bad.any():
        first = int(np.argmax(bad))
        raise FieldError(
            "schedule",
            f"{named} gives {rates[first]:.6g} of the peak at step {at[first]} of {steps}{where}; "
            "every step's factor must be finite and not below 0",
        )


@functools.cache
def _all_rates() -> Callable[[Rates, Hyper, Array], Array]:
    """`(schedule, hyper, steps [K]) -> rates [K]`. Made at first use: importing JAX is slow."""
    import jax
    import jax.numpy as jnp

    @functools.partial(jax.jit, static_argnums=0)
    def rates(schedule: Rates, hyper: Hyper, steps: Array) -> Array:
        return jax.vmap(lambda step: jnp.asarray(schedule(hyper, step)))(steps)

    return rates
