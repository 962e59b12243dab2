"""Probes of curvature, alone and against the optimizer's own threshold of stability."""

from __future__ import annotations

import jax.numpy as jnp

from lrlab.probes import curvature
from lrlab.probes.lane import next_update, training_loss
from lrlab.theory.stability import edge
from lrlab.types import Array, LaneView


def sharpness(
    lane: LaneView, *, k: int = 1, iterations: int = 32, examples: int | None = None
) -> dict[str, Array]:
    """Top Hessian eigenvalue, and it times LR / 2 (1: the edge of GD); 64 gradient evaluations.

    With k above 1 also `sharpness_2` ... `sharpness_k`, for 64 k evaluations. The Hessian is that
    of the training loss on the first `examples`. Unit: loss / parameter^2.

    Source: Cohen et al. 2021 (arXiv 2103.00065); see `lrlab.probes.sharpness`.

    >>> from lrlab.probes.toy import bowl
    >>> {name: round(float(value), 4) for name, value in sharpness(bowl([4.0, 1.0]), k=2).items()}
    {'sharpness': 4.0, 'sharpness_2': 1.0, 'sharpness_times_lr_half': 0.2}
    """
    loss = training_loss(lane, examples)
    top = curvature.sharpness(loss, lane.params, k=k, iterations=iterations)
    measured = {"sharpness": top[0]}
    measured |= {f"sharpness_{place}": top[place - 1] for place in range(2, k + 1)}
    if "lr" in lane.hyper:  # parameter groups have a learning rate each
        measured["sharpness_times_lr_half"] = top[0] * lane.hyper["lr"] / 2
    return measured


def stability(
    lane: LaneView, *, iterations: int = 32, examples: int | None = None
) -> dict[str, Array]:
    """Sharpness under the optimizer's preconditioner over its threshold; 65 gradient evaluations.

    `stability` = `preconditioned_sharpness` / `stability_threshold`: above 1 the optimizer, with
    its preconditioner P and learning rate held still, leaves a quadratic of that curvature. The
    first is the top eigenvalue of P^-1/2 H P^-1/2 with the P of the next update (P = 1 for GD and
    momentum: the sharpness), the second `lrlab.theory.max_sharpness`: 2 / LR for GD, 2 (1 + b) / LR
    for heavy ball, 38 / LR for Adam with b1 = 0.9. Weight decay and clipping are not counted.

    Source: Cohen et al. 2021 (arXiv 2103.00065), 2022 (arXiv 2207.14484).

    Raises:
        ValueError: the optimizer's threshold is not known.

    >>> from lrlab.probes.toy import bowl
    >>> round(float(stability(bowl([4.0, 1.0]))["stability"]), 4)
    0.2
    """
    dynamics = lane.dynamics
    if dynamics is None or "lr" not in lane.hyper:
        raise ValueError(
            "the stability threshold of this optimizer is not known; it is for sgd, momentum, "
            "nesterov, adam, rmsprop, adagrad and their like with one learning rate "
            "(`lrlab.optimizers.dynamics`), or with lrlab.types.Optimizer(make, dynamics=...); "
            "the probe 'sharpness' works for any"
        )
    scale = None
    if dynamics.preconditioner is not None:
        scale = dynamics.preconditioner(next_update(lane)[2], lane.hyper)
    loss = training_loss(lane, examples)
    top = curvature.preconditioned_sharpness(loss, lane.params, scale, iterations=iterations)[0]
    limit = edge(dynamics.family, dynamics.momentum(lane.hyper))
    lr = lane.hyper["lr"]
    return {
        "preconditioned_sharpness": top,
        "stability_threshold": jnp.where(lr > 0, limit / jnp.where(lr > 0, lr, 1), jnp.inf),
        "stability": top * lr / limit,
    }


def hessian_trace(
    lane: LaneView, *, samples: int = 16, examples: int | None = None
) -> dict[str, Array]:
    """Trace of the Hessian, estimated from 16 random directions; 32 gradient evaluations.

    Unbiased; other directions at every step. Unit: loss / parameter^2.

    Source: Hutchinson 1990; see `lrlab.probes.hessian_trace`.

    >>> from lrlab.probes.toy import bowl
    >>> float(hessian_trace(bowl([4.0, 1.0]))["hessian_trace"])
    5.0
    """
    loss = training_loss(lane, examples)
    trace = curvature.hessian_trace(loss, lane.params, samples=samples, key=lane.key)
    return {"hessian_trace": trace}


def gradient(lane: LaneView, *, examples: int | None = None) -> dict[str, Array]:
    """Gradient norm and the curvature g.Hg / g.g along the gradient; 3 gradient evaluations.

    Units: loss / parameter, and loss / parameter^2. Twice its inverse is the largest LR at which a
    step of gradient descent goes down, to second order.

    >>> from lrlab.probes.toy import bowl
    >>> {name: float(value) for name, value in gradient(bowl([3.0, 3.0])).items()}["gradient_norm"]
    4.242640495300293
    """
    norm, along = curvature.gradient_curvature(training_loss(lane, examples), lane.params)
    return {"gradient_norm": norm, "gradient_curvature": along}
