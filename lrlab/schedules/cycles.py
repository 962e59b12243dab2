"""Shapes that rise and fall. `step`, `steps` and lengths as in `stairs`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def cosine_restarts(
    step: Any,
    steps: Any,
    *,
    cycle: Any = 0.25,
    growth: float = 1.0,
    decay: Any = 1.0,
    final: Any = 0.0,
) -> Any:
    """SGDR: cosines of length `cycle`, each `growth` times as long as the one before and starting
    at `decay` times its peak (Loshchilov and Hutter 2017, arXiv 1608.03983). With c the position in
    cycle i: final + (decay^i - final) (1 + cos(pi c)) / 2.

    >>> [round(float(cosine_restarts(k, 12, cycle=4)), 6) for k in (0, 2, 4)]
    [1.0, 0.5, 1.0]
    """
    from lrlab.schedules import length

    first = jnp.maximum(length(cycle, steps), 1)
    if growth == 1:
        number = jnp.floor(step / first)
        place = step / first - number
    else:
        number = jnp.floor(jnp.log1p(step / first * (growth - 1)) / jnp.log(growth) + 1e-6)
        begin = first * (growth**number - 1) / (growth - 1)
        place = (step - begin) / (first * growth**number)
    top = jnp.asarray(decay, jnp.result_type(float)) ** number
    return final + (top - final) * 0.5 * (1 + jnp.cos(jnp.pi * place))


def triangular(
    step: Any,
    steps: Any,
    *,
    low: Any = 0.1,
    up: Any = 0.125,
    down: Any = None,
    halve: bool = False,
    gamma: Any = 1.0,
) -> Any:
    """Cyclical learning rates (Smith 2017, arXiv 1506.01186): from `low` (over the peak) to 1 in
    `up` steps and back in `down` (default: `up`). `halve`: each cycle half as high ("triangular2");
    `gamma`: the height times gamma^step ("exp_range").

    >>> [round(float(triangular(k, 16, up=4)), 6) for k in (0, 2, 4, 8)]
    [0.1, 0.55, 1.0, 0.1]
    """
    from lrlab.schedules import length

    rise = jnp.maximum(length(up, steps), 1)
    fall = rise if down is None else jnp.maximum(length(down, steps), 1)
    number = jnp.floor(step / (rise + fall))
    place = step - number * (rise + fall)
    height = jnp.where(place <= rise, place / rise, 1 - (place - rise) / fall)
    scale = 0.5**number if halve else jnp.asarray(gamma, jnp.result_type(float)) ** step
    return low + (1 - low) * height * scale


def slanted_triangular(step: Any, steps: Any, *, cut: Any = 0.1, ratio: Any = 32.0) -> Any:
    """Up for the first `cut`, then slowly down: (1 + q (ratio - 1)) / ratio, q the height of the
    triangle (Howard and Ruder 2018, ULMFiT, arXiv 1801.06146).

    >>> float(slanted_triangular(1, 10)), float(slanted_triangular(10, 10))
    (1.0, 0.03125)
    """
    from lrlab.schedules import length

    top = jnp.maximum(length(cut, steps), 1)
    q = jnp.where(step < top, step / top, 1 - (step - top) / jnp.maximum(steps - top, 1))
    return (1 + q * (ratio - 1)) / ratio


def one_cycle(
    step: Any,
    steps: Any,
    *,
    up: Any = 0.3,
    start: Any = 1 / 25,
    final: Any = 4e-6,
    kind: str = "cosine",
    three_phase: bool = False,
) -> Any:
    """One-cycle (Smith and Topin 2018, arXiv 1708.07120) with PyTorch's defaults: from `start`
    (over the peak) to 1 in the first `up`, then to `final`, in cosines or lines; `three_phase`: back to
    `start` in as many steps, then to `final`. As in PyTorch the last update uses `final` and the
    top stands at up * steps - 1.

    >>> [round(float(one_cycle(k, 10)), 6) for k in (0, 1, 2, 9)]
    [0.04, 0.52, 1.0, 4e-06]
    """
    from lrlab.schedules import length

    if kind not in ("cosine", "linear"):
        raise ValueError(f"schedule 'one_cycle': kind must be cosine or linear, got {kind!r}")
    rise = jnp.maximum(length(up, steps) - 1, 1)
    last = jnp.maximum(steps - 1, 1)

    def between(high: Any, low: Any, q: Any) -> Any:
        q = jnp.clip(q, 0, 1)
        if kind == "linear":
            return high + (low - high) * q
        return low + (high - low) * 0.5 * (1 + jnp.cos(jnp.pi * q))

    going_up = between(start, 1.0, step / rise)
    if not three_phase:
        return jnp.where(
            step <= rise, going_up, between(1.0, final, (step - rise) / jnp.maximum(last - rise, 1))
        )
    back = 2 * rise
    middle = between(1.0, start, (step - rise) / rise)
    end = between(start, final, (step - back) / jnp.maximum(last - back, 1))
    return jnp.where(step <= rise, going_up, jnp.where(step <= back, middle, end))
