"""Schedule-Free: averaging in place of a decaying learning rate; evaluation is at the average.

z moves by the base method, x averages z, gradients are taken at the trained parameters
y = (1 - b1) z + b1 x. With c = (t^r max_lr^weight_lr_power) / (their sum so far):
z <- z - lr direction(g at y); x <- (1 - c) x + c z (Defazio et al. 2024, arXiv 2405.15682).
x is kept, not recovered by a division by b1, so that b1 = 0 (Polyak-Ruppert averaging) works.
Use a constant schedule, with a warmup at most. The step size recorded is lr.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import with_extra_args
from lrlab.types import Array, Params, PyTree, Scalar


class ScheduleFreeState(NamedTuple):
    """x (`evaluation`) and z, like the parameters; scalars: the sum of weights, the largest
    learning rate so far, updates made (int32), the last learning rate; the base method's state.
    """

    evaluation: Params
    z: Params
    weight_sum: Array
    max_lr: Array
    count: Array
    effective_lr: Array
    inner: PyTree


def schedule_free(
    direction: optax.GradientTransformation,
    lr: Scalar,
    b1: Scalar,
    weight_lr_power: Scalar,
    r: Scalar,
    factor: Callable[[Array], Array] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Schedule-Free around a method that gives z's direction (a gradient's sign, no learning rate).

    `factor(count)`, count from 1, multiplies the learning rate.
    """
    inner = optax.with_extra_args_support(direction)

    def init(params: Params) -> ScheduleFreeState:
        zero = jnp.zeros((), float_dtype(params))
        copy = jax.tree.map(jnp.array, params)
        count = jnp.zeros((), jnp.int32)
        return ScheduleFreeState(copy, copy, zero, zero, count, zero, inner.init(params))

    def update(
        grads: Params, state: ScheduleFreeState, params: Params, **extra: object
    ) -> tuple[Params, ScheduleFreeState]:
        directions, new = inner.update(grads, state.inner, params, **extra)
        count = jnp.asarray(optax.safe_increment(state.count))
        rate = jnp.asarray(lr if factor is None else lr * factor(count), state.max_lr.dtype)
        max_lr = jnp.maximum(state.max_lr, rate)
        weight = (count.astype(rate.dtype) ** r * max_lr**weight_lr_power).astype(rate.dtype)
        total = state.weight_sum + weight
        c = jnp.where(total > 0, weight / jnp.where(total > 0, total, 1), 0)
        z = jax.tree.map(lambda z, d: (z - rate * d).astype(z.dtype), state.z, directions)
        x = jax.tree.map(lambda x, z: ((1 - c) * x + c * z).astype(x.dtype), state.evaluation, z)
        updates = jax.tree.map(lambda x, z, y: (1 - b1) * z + b1 * x - y, x, z, params)
        return updates, ScheduleFreeState(x, z, total, max_lr, count, rate, new)

    return with_extra_args(init, update)


def schedule_free_sgd(
    lr: Scalar = 1.0, *, b1: float = 0.9, weight_lr_power: float = 2.0, r: float = 0.0
) -> optax.GradientTransformation:
    """Schedule-Free SGD.

    z <- z - lr g(y); x <- (1 - c) x + c z; y = (1 - b1) z + b1 x (Defazio et al. 2024, arXiv
    2405.15682). Unit of `lr`: as SGD's; b1 in [0, 1) has none.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(schedule_free_sgd(0.1))
    [-0.1, -1.0]
    """
    return schedule_free(optax.identity(), lr, b1, weight_lr_power, r)


def schedule_free_adamw(
    lr: Scalar = 0.0025,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    weight_lr_power: float = 2.0,
    r: float = 0.0,
) -> optax.GradientTransformation:
    """Schedule-Free AdamW.

    z <- z - lr (g(y) / (sqrt(v^) + eps) + weight_decay y); x <- (1 - c) x + c z;
    y = (1 - b1) z + b1 x (Defazio et al. 2024, arXiv 2405.15682). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(schedule_free_adamw(0.1))
    [-0.1, -0.1]
    """
    direction = optax.chain(
        optax.scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        optax.add_decayed_weights(weight_decay),
    )
    return schedule_free(direction, lr, b1, weight_lr_power, r)


def schedule_free_radam(
    lr: Scalar = 0.0025,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    weight_lr_power: float = 2.0,
    r: float = 0.0,
) -> optax.GradientTransformation:
    """Schedule-Free RAdam, which needs no warmup.

    Schedule-Free AdamW with lr times RAdam's rectification sqrt((rho - 4)(rho - 2) rho_inf /
    ((rho_inf - 4)(rho_inf - 2) rho)), zero while rho <= 4 (Defazio et al. 2024, arXiv 2405.15682,
    in the authors' package; Liu et al. 2020, arXiv 1908.03265). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(schedule_free_radam(0.1))
    [0.0, 0.0]
    """

    def rectification(count: Array) -> Array:
        t = count.astype(jnp.result_type(float))
        last = 2 / (1 - b2) - 1
        rho = last - 2 * t * b2**t / (1 - b2**t)
        safe = jnp.where(rho > 4, rho, 5.0)
        ratio = (safe - 4) * (safe - 2) * last / ((last - 4) * (last - 2) * safe)
        return jnp.where(rho > 4, jnp.sqrt(ratio), 0.0)

    direction = optax.chain(
        optax.scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        optax.add_decayed_weights(weight_decay),
    )
    return schedule_free(direction, lr, b1, weight_lr_power, r, rectification)
