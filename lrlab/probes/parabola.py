"""Probes along the next step: the normalized step of a local parabola, the loss further on."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.probes.lane import (
    at_least,
    count_of,
    first_examples,
    in_parts,
    loss_on,
    moved,
    next_update,
    training_loss,
)
from lrlab.types import Array, LaneView, PyTree


def normalized_step(
    losses: Array, slopes: Array, loss_variances: Array, slope_variances: Array
) -> Array:
    """Where a step of length 1 ends on the parabola through its ends: -1 still at the start, 0 at
    the minimum, 1 across it at the height of the start, above 1 higher than that.

    The parabola is the most likely one given losses f[2] and slopes f[2] (per length of the step)
    at start and end with their variances f[2] (all 0: equal weights). -1 where it opens downwards:
    the way still goes down. Scalar.

    Source: Schneider et al. 2021 (Cockpit, arXiv 2102.06604), section 3.1.

    >>> import jax.numpy as jnp
    >>> zero = jnp.zeros(2)
    >>> float(normalized_step(jnp.array([1.0, 1.0]), jnp.array([-4.0, 4.0]), zero, zero))
    1.0
    """
    observed = jnp.concatenate([jnp.asarray(losses), jnp.asarray(slopes)])
    variances = jnp.concatenate([jnp.asarray(loss_variances), jnp.asarray(slope_variances)])
    largest = jnp.max(variances)
    scaled = jnp.where(largest > 0, variances / jnp.where(largest > 0, largest, 1), 1)
    weights = 1 / jnp.sqrt(jnp.maximum(scaled, 1e-6))
    design = jnp.array([[1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 1, 2]], observed.dtype)
    finite = jnp.isfinite(observed).all() & jnp.isfinite(weights).all()
    left = jnp.where(finite, design * weights[:, None], design)
    right = jnp.where(finite, observed * weights, 0)
    # Three columns: orthogonal ones cost nothing and lose less than the normal equations.
    q, r = jnp.linalg.qr(left)
    _, slope, half = jax.scipy.linalg.solve_triangular(r, q.T @ right)
    # minimum at -slope / (2 half), so 1 / that - 1
    end = jnp.where(half > 0, -2 * half / jnp.where(slope != 0, slope, -1) - 1, -1)
    return jnp.where(finite, jnp.where((half > 0) & (slope == 0), jnp.inf, end), jnp.nan)


def alpha(lane: LaneView, *, batches: int = 8, examples: int | None = None) -> dict[str, Array]:
    """Where the next step ends on a parabola along it: -1 start, 0 minimum, 1 the other side; 5
    gradient evaluations.

    Losses and slopes are those of the first `examples` at both ends of the step that the optimizer
    would make on a random batch; their variances come from `batches` equal parts.

    Source: Schneider et al. 2021 (Cockpit, arXiv 2102.06604); see `normalized_step`.

    >>> from lrlab.probes.toy import bowl
    >>> round(float(alpha(bowl([10.0], lr=0.15))["alpha"]), 4)
    0.5
    """
    at_least("batches", batches, 2)
    step = next_update(lane)[1]
    data = first_examples(lane, examples)
    parts = 1 if data is None else min(batches, count_of(data))

    def one(part: PyTree) -> tuple[Array, Array]:
        loss = loss_on(lane, part)
        ends = [
            jax.jvp(lambda size: loss(moved(lane.params, step, size)), (at,), (jnp.ones_like(at),))
            for at in (jnp.zeros(()), jnp.ones(()))
        ]
        return jnp.stack([ends[0][0], ends[1][0]]), jnp.stack([ends[0][1], ends[1][1]])

    if data is None:
        losses, slopes = (values[None] for values in one(None))
    else:
        losses, slopes = jax.lax.map(one, in_parts(data, parts))
    ddof = 1 if parts > 1 else 0
    variances = losses.var(0, ddof=ddof), slopes.var(0, ddof=ddof)
    return {"alpha": normalized_step(losses.mean(0), slopes.mean(0), *variances)}


def loss_along_step(
    lane: LaneView,
    *,
    sizes: Sequence[float] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
    examples: int | None = None,
) -> dict[str, Array]:
    """Training loss at multiples of the next step, and the best of these multiples; 3 gradient
    evaluations.

    `loss_along_step.<size>` on the first `examples` for a step that the optimizer would make on a
    random batch; `best_step_size`: the size of the smallest of them (1: the LR is right for now).

    >>> from lrlab.probes.toy import bowl
    >>> found = loss_along_step(bowl([1.0], lr=0.5), sizes=[0.0, 1.0, 2.0])
    >>> {name: float(value) for name, value in found.items()}["best_step_size"]
    2.0
    """
    if not sizes:
        raise FieldError("sizes", "sizes must hold at least one multiple of the step")
    step, loss = next_update(lane)[1], training_loss(lane, examples)
    at = jnp.asarray(sizes, jnp.result_type(float))
    losses = jax.lax.map(lambda size: loss(moved(lane.params, step, size)), at)
    named = {f"loss_along_step.{size:g}": losses[i] for i, size in enumerate(sizes)}
    best = at[jnp.nanargmin(jnp.where(jnp.isfinite(losses), losses, jnp.inf))]
    return {**named, "best_step_size": jnp.where(jnp.isfinite(losses).any(), best, jnp.nan)}
