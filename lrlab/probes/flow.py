"""The distance from gradient flow: what finite steps add to an infinitely small one."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from lrlab.core.errors import FieldError
from lrlab.probes.lane import at_least, ratio, training_loss
from lrlab.types import Array, LaneView


def gradient_flow(
    lane: LaneView,
    *,
    evaluations: int = 3000,
    tolerance: float = 1e-4,
    examples: int | None = None,
) -> dict[str, Array]:
    """Distance of the weights from gradient flow at the same time; up to 3,000 gradient
    evaluations.

    dw/dt = -gradient, from the lane's initialization, on the training loss of the first `examples`;
    t is the sum of the learning rates, with momentum times (1 - b^step) / (1 - b), step from 1;
    with Nesterov's one step more.
    `flow_distance`, and `relative_flow_distance` over the way that the flow went. The flow starts
    again at every measurement (`every = 500` spares most of them); nan where `evaluations` do not
    reach t. Weight decay and clipping are no part of the flow.

    Source: Cohen et al. 2021 (arXiv 2103.00065), appendix I.

    Raises:
        ValueError: the optimizer does not discretize gradient flow.

    >>> from lrlab.probes.toy import bowl
    >>> measured = gradient_flow(bowl([1.0], lr=0.1, at=0.9**10, start=1.0), tolerance=1e-5)
    >>> round(float(measured["flow_distance"]), 3)  # exp(-1) - 0.9^10
    0.019
    """
    at_least("evaluations", evaluations, 4)
    if not tolerance > 0:
        raise FieldError("tolerance", f"tolerance must be above 0, got {tolerance}")
    if lane.dynamics is None or lane.dynamics.pace is None or "lr" not in lane.hyper:
        raise ValueError(
            "this optimizer does not follow gradient flow, so there is no distance from it; "
            "sgd, momentum and nesterov with one learning rate do"
        )
    start, unravel = ravel_pytree(lane.initial()[0])
    loss = training_loss(lane, examples)
    end = lane.elapsed().astype(start.dtype)
    slope = jax.grad(lambda vector: loss(unravel(vector)))
    flowed = flow(lambda vector: -slope(vector), start, end, evaluations, tolerance)
    apart = jnp.linalg.norm(ravel_pytree(lane.params)[0] - flowed)
    went = jnp.linalg.norm(flowed - start)
    return {"flow_distance": apart, "relative_flow_distance": ratio(apart, went)}


def flow(
    field: Callable[[Array], Array],
    start: Array,
    end: Array,
    evaluations: int,
    tolerance: float,
) -> Array:
    """The solution f[n] at time `end` of dx/dt = field(x), x(0) = `start`; nan where more than
    `evaluations` of the field would be needed.

    Bogacki-Shampine 3(2) with adaptive steps: for an evaluation its stable step is longer than that
    of the usual methods of order 4 and 5, and that is the limit on a stiff loss. `tolerance`: the
    local error allowed in a step, relative to the largest |x| (and absolute below 1e-3 of it).

    Source: Bogacki and Shampine 1989 (Appl. Math. Lett. 2:321).

    >>> import jax.numpy as jnp
    >>> round(float(flow(lambda x: -x, jnp.ones(1), jnp.ones(()), 300, 1e-6)[0]), 4)
    0.3679
    """
    dtype = start.dtype

    def continues(carry: tuple[Array, ...]) -> Array:
        time, _, x, _, used = carry
        return (time < end) & (used + 3 <= evaluations) & jnp.isfinite(x).all()

    def body(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        time, step, x, k1, used = carry
        step = jnp.minimum(step, end - time)
        k2 = field(x + step / 2 * k1)
        k3 = field(x + 3 * step / 4 * k2)
        new = x + step * (2 * k1 + 3 * k2 + 4 * k3) / 9
        k4 = field(new)
        error = step * jnp.max(jnp.abs(-5 * k1 / 72 + k2 / 12 + k3 / 9 - k4 / 8))
        allowed = tolerance * jnp.maximum(jnp.max(jnp.abs(new)), 1e-3)
        fits = error <= allowed
        error = jnp.maximum(error, jnp.finfo(dtype).tiny)
        factor = jnp.where(
            jnp.isfinite(error), jnp.clip(0.9 * (allowed / error) ** (1 / 3), 0.2, 4.0), 0.2
        )
        # Rounding must not leave a rest of time that no step can go.
        reached = jnp.where(step >= end - time, end, time + step)
        return (
            jnp.where(fits, reached, time),
            step * factor.astype(dtype),
            jnp.where(fits, new, x),
            jnp.where(fits, k4, k1),
            used + 3,
        )

    k1 = field(start)
    size = jnp.max(jnp.abs(k1))
    scale = jnp.maximum(jnp.max(jnp.abs(start)), 1e-3)
    first = jnp.where(size > 0, 0.01 * scale / jnp.where(size > 0, size, 1), end).astype(dtype)
    carry = (jnp.zeros((), dtype), first, start, k1, jnp.asarray(1))
    time, _, x, _, _ = jax.lax.while_loop(continues, body, carry)
    return jnp.where(time >= end, x, jnp.nan)
