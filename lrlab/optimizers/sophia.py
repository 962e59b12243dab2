"""Sophia: the Hessian's diagonal. Symbols and units as in Adam's formula."""

from __future__ import annotations

import jax
import optax

from lrlab.optimizers.transforms import ValueFn, with_extra_args
from lrlab.types import Params, PyTree, Scalar


def sophia(
    lr: Scalar,
    *,
    b1: float = 0.965,
    b2: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 1e-4,
    gamma: float = 0.01,
    clip_threshold: float = 1.0,
    update_interval: int = 10,
    seed: int = 0,
) -> optax.GradientTransformation:
    """Sophia-H: momentum over the Hessian's diagonal, clipped.

    w <- w - lr (clip(m^ / max(gamma h, eps), clip_threshold) + weight_decay w), h the average of
    Hutchinson estimates z * (H z) made each `update_interval` updates (Liu et al. 2023, arXiv
    2305.14342). Needs the loss as a function (`value_fn`, which the engine passes). Unit of `lr`:
    the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(sophia(0.1, weight_decay=0.0))
    [-0.1, -0.1]
    """
    inner = optax.contrib.sophia(
        lr,
        b1=b1,
        b2=b2,
        eps=eps,
        weight_decay=weight_decay,
        gamma=gamma,
        clip_threshold=clip_threshold,
        update_interval=update_interval,
        hessian_diagonal_fn=optax.contrib.hutchinson_estimator_diag_hessian(
            jax.random.PRNGKey(seed)
        ),
    )

    def update(
        grads: Params, state: PyTree, params: Params, *, value_fn: ValueFn, **extra: object
    ) -> tuple[Params, PyTree]:
        return inner.update(grads, state, params, obj_fn=value_fn)

    return with_extra_args(inner.init, update)
