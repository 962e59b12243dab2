"""Schedules out of schedules: one after another, multiplied, extended.

Every part counts its own steps from 0, whatever it is nested in; a part's length never contains
what stands before it; a jump where two parts meet is an error unless asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrlab.schedules.schedule import Schedule, make
from lrlab.types import Array


def concatenate(
    parts: Sequence[Schedule], *, jumps: bool = False, tolerance: float = 1e-3
) -> Schedule:
    """One schedule after another; the result has the sum of their steps.

    Part i covers its own steps 0 to n_i - 1; the next begins where it would be at n_i.

    Args:
        parts: schedules, from `make` or from here.
        jumps: whether the rate may jump where two parts meet (restarts).
        tolerance: the largest jump that counts as none, relative to the larger rate.

    Raises:
        ValueError: no parts, or a jump that was not asked for.

    >>> up = make("linear", 1.0, 4, final=2.0)
    >>> down = make("linear", 2.0, 4)
    >>> [float(concatenate([up, down])(k)) for k in (0, 4, 6, 8)]
    [1.0, 2.0, 1.0, 0.0]
    """
    import jax.numpy as jnp

    if not parts:
        raise ValueError("concatenate needs at least one schedule")
    ends = np.cumsum([part.steps for part in parts])
    if not jumps:
        for end, before, after in zip(ends, parts, parts[1:], strict=False):
            left, right = float(before(before.steps)), float(after(0))
            if abs(left - right) > tolerance * max(abs(left), abs(right)):
                raise ValueError(
                    f"the rate jumps from {left:.6g} (end of {before.name!r}) to {right:.6g} "
                    f"(start of {after.name!r}) at step {end}; match them, or pass jumps=True"
                )

    def rate(k: Array) -> Array:
        value = parts[0](jnp.clip(k, 0, parts[0].steps))
        for begin, part in zip(ends, parts[1:], strict=False):
            value = jnp.where(k >= begin, part(jnp.clip(k - begin, 0, part.steps)), value)
        return value

    return Schedule(" + ".join(part.name for part in parts), int(ends[-1]), rate)


def product(*parts: Schedule) -> Schedule:
    """The product of schedules of one length, such as a rate and a factor (peak 1).

    Raises:
        ValueError: no parts, or lengths that differ.

    >>> float(product(make("constant", 0.5, 4), make("linear", 1.0, 4))(2))
    0.25
    """
    lengths = {part.steps for part in parts}
    if len(lengths) != 1:
        raise ValueError(f"product needs schedules of one length, got {sorted(lengths)} steps")

    def rate(k: Array) -> Array:
        value = parts[0](k)
        for part in parts[1:]:
            value = value * part(k)
        return value

    return Schedule(" x ".join(part.name for part in parts), lengths.pop(), rate)


def repeat(part: Schedule, times: int, *, decay: float = 1.0, jumps: bool = False) -> Schedule:
    """`part` again and again, each time `decay` times as high.

    Raises:
        ValueError: `times` below 1, or a jump that was not asked for.

    >>> [round(float(repeat(make("cosine", 1.0, 4), 2, jumps=True)(k)), 6) for k in (0, 2, 4, 6)]
    [1.0, 0.5, 1.0, 0.5]
    """
    if times < 1:
        raise ValueError(f"times must be at least 1, got {times!r}")
    scaled = [
        Schedule(part.name, part.steps, lambda k, factor=decay**i: factor * part(k))
        for i in range(times)
    ]
    return concatenate(scaled, jumps=jumps)


def extend(schedule: Schedule, steps: int) -> Schedule:
    """The schedule made with the same arguments for another number of steps.

    Lengths in fractions grow with it, lengths in steps stay; `resume_step` says from where a run
    can continue.

    Raises:
        ValueError: a composed schedule, which has no arguments of its own.

    >>> longer = extend(make("wsd", 1.0, 100, cooldown=20), 200)
    >>> longer.steps, float(longer(100)), float(longer(190))
    (200, 1.0, 0.5)
    """
    if not schedule.arguments:
        raise ValueError(f"{schedule.name!r} is composed: extend its parts and compose them again")
    return make(schedule.name, steps=steps, **schedule.arguments)


def resume_step(old: Schedule, new: Schedule) -> int:
    """The number of first updates on which two schedules agree bit for bit: a run with `old` that
    stopped there, or before, is a run with `new`.

    >>> short = make("wsd", 1.0, 100, cooldown=20)
    >>> resume_step(short, extend(short, 200))
    81
    """
    import jax

    steps = min(old.steps, new.steps)
    with jax.enable_x64(True):
        left, right = (np.asarray(jax.jit(one)(np.arange(steps))) for one in (old, new))
    different = np.flatnonzero(left != right)
    return int(different[0]) if len(different) else steps
