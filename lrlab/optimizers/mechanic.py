"""Mechanic: a learned scale for any optimizer's updates."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.core.errors import FieldError
from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import recorded, with_extra_args
from lrlab.optimizers.wrappers import base_optimizer
from lrlab.types import Array, Params, PyTree, Scalar

FORMS = ("optax", "package")


class MechanicState(NamedTuple):
    """Per beta, f[n]: the reward r, the largest product m, the summed squares v, the scale s; the
    starting point x0; updates made (int32); the base optimizer's state.
    """

    r: Array
    m: Array
    v: Array
    s: Array
    x0: Params
    count: Array
    inner: PyTree


def mechanic(
    lr: Scalar = 1.0,
    *,
    base: str = "adam",
    s_decay: float = 0.01,
    s_init: float = 1e-6,
    eps: float = 1e-8,
    num_betas: int = 6,
    form: str = "optax",
) -> optax.GradientTransformation:
    """Mechanic: learns the scale s of `base`'s updates by online convex optimization.

    w = w_0 + s D, D the sum of the updates of `base` (run with the learning rate `lr`); for each
    beta: h = <g + s_decay s |g| w / |w|, D>, m = max(beta m, |h|), v <- beta^2 v + h^2, r <- beta r
    - h s, s = (s_init m / n + max(r, 0)) / sqrt(v), summed over the n betas (Cutkosky et al. 2023,
    arXiv 2306.00144). `form` "optax" is Optax's, "package" the authors' PyTorch package: there an s
    starts at 0 and not at `s_init`, m at 1e-6 and not at 0, h is not clipped to the m before, r
    itself is kept above 0, and the decay looks at w after the base's update. `lr` carries the
    schedule, 1 at its peak. The step size recorded is lr s; s has no unit.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(mechanic(base="sgd", s_init=0.1))
    [-0.1, -1.0]
    """
    if form not in FORMS:
        raise FieldError("form", f"mechanic: form must be optax or package, got {form!r}")
    inner = base_optimizer(base, lr)
    if form == "optax":
        scaled = optax.contrib.mechanize(inner, s_decay, eps, s_init, num_betas)
    else:
        scaled = package_mechanic(inner, s_decay, s_init, eps, num_betas)
    return recorded(scaled, lambda _, state: lr * jnp.sum(state.s))


def package_mechanic(
    base: optax.GradientTransformationExtraArgs,
    s_decay: Scalar,
    s_init: Scalar,
    eps: Scalar,
    num_betas: int,
) -> optax.GradientTransformationExtraArgs:
    """Mechanic around `base` as `mechanic_pytorch` 0.0.1 computes it."""
    betas = [1.0 - 0.1**i for i in range(1, num_betas + 1)]

    def init(params: Params) -> MechanicState:
        zero = jnp.zeros(num_betas, float_dtype(params))
        start = jax.tree.map(jnp.array, params)
        count = jnp.zeros((), jnp.int32)
        return MechanicState(zero, zero + 1e-6, zero, zero, start, count, base.init(params))

    def update(
        grads: Params, state: MechanicState, params: Params, **extra: object
    ) -> tuple[Params, MechanicState]:
        updates, new = base.update(grads, state.inner, params, **extra)
        scale = jnp.sum(state.s)
        moved = jax.tree.map(lambda p, p0: (p - p0) / (scale + eps), params, state.x0)
        after = optax.tree.add(params, updates)
        decay = s_decay * scale * optax.tree.norm(grads) / (optax.tree.norm(after) + eps)
        h = optax.tree.vdot(moved, jax.tree.map(lambda g, p: g + decay * p, grads, after))
        beta = jnp.asarray(betas, state.s.dtype)
        m = jnp.maximum(beta * state.m, jnp.abs(h))
        v = beta**2 * state.v + h**2
        r = jnp.maximum(beta * state.r - state.s * h, 0)
        s = ((m * s_init / num_betas + r) / (jnp.sqrt(v) + eps)).astype(state.s.dtype)
        updates = jax.tree.map(
            lambda p, p0, d, u: (p0 + (d + u) * jnp.sum(s) - p).astype(p.dtype),
            params,
            state.x0,
            moved,
            updates,
        )
        count = jnp.asarray(optax.safe_increment(state.count))
        return updates, MechanicState(r, m, v, s, state.x0, count, new)

    return with_extra_args(init, update)
