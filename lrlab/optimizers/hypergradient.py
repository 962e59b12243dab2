"""Hypergradient descent: the learning rate itself goes down the gradient of the loss.

The learning rate a starts at `lr` (its later values are not looked at: use a constant schedule) and
moves before each update by h = -<g, d>, d the direction of the last update at a learning rate of 1:
additive a <- a + rate h, multiplicative a <- a (1 + rate h / (|g| |d|)). Units: `lr` as for the
base; the multiplicative rate has none, the additive one that of `lr` over h's.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.core.errors import FieldError
from lrlab.optimizers.states import float_dtype
from lrlab.optimizers.transforms import without_extra_args
from lrlab.types import Array, Params, PyTree, Scalar

KINDS = ("additive", "multiplicative")


class HypergradientState(NamedTuple):
    """The learning rate in use, a scalar; the last direction; the base method's state."""

    effective_lr: Array
    direction: Params
    inner: PyTree


def hypergradient_sgd(
    lr: Scalar, *, rate: float = 0.02, kind: str = "multiplicative"
) -> optax.GradientTransformation:
    """SGD-HD: SGD whose learning rate follows the agreement of successive gradients.

    a <- a + rate <g, g_before> (additive), a (1 + rate cos(g, g_before)) (multiplicative);
    w <- w - a g (Baydin et al. 2018, arXiv 1703.04782; Almeida et al. 1999). Units: `lr` as SGD's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(hypergradient_sgd(0.1))
    [-0.1, -1.0]
    """
    return hypergradient(optax.sgd(1.0), lr, rate, kind)


def hypergradient_nesterov(
    lr: Scalar, *, momentum: float = 0.9, rate: float = 0.02, kind: str = "multiplicative"
) -> optax.GradientTransformation:
    """SGDN-HD: Nesterov momentum whose learning rate goes down its gradient.

    As `hypergradient_sgd` with d the direction -(g + momentum m) (Baydin et al. 2018, arXiv
    1703.04782). Units: `lr` as SGD's, `momentum` has none.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(hypergradient_nesterov(0.1))
    [-0.19, -1.9]
    """
    return hypergradient(optax.sgd(1.0, momentum, nesterov=True), lr, rate, kind)


def hypergradient_adam(
    lr: Scalar,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    rate: float = 0.02,
    kind: str = "multiplicative",
) -> optax.GradientTransformation:
    """Adam-HD: Adam whose learning rate goes down its gradient.

    As `hypergradient_sgd` with d = -m^ / (sqrt(v^) + eps) (Baydin et al. 2018, arXiv 1703.04782).
    Units: `lr` in the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(hypergradient_adam(0.1))
    [-0.1, -0.1]
    """
    return hypergradient(optax.adam(1.0, b1, b2, eps), lr, rate, kind)


def hypergradient(
    direction: optax.GradientTransformation, lr: Scalar, rate: Scalar, kind: str
) -> optax.GradientTransformation:
    """Hypergradient descent around `direction`, a method at a learning rate of 1.

    Raises:
        ValueError: `kind` is neither additive nor multiplicative.
    """
    if kind not in KINDS:
        raise FieldError(
            "kind", f"hypergradient: kind must be additive or multiplicative, got {kind!r}"
        )

    def init(params: Params) -> HypergradientState:
        start = jnp.zeros((), float_dtype(params)) + lr
        start = start.astype(float_dtype(params))
        return HypergradientState(start, optax.tree.zeros_like(params), direction.init(params))

    def update(
        grads: Params, state: HypergradientState, params: Params
    ) -> tuple[Params, HypergradientState]:
        h = -jnp.real(optax.tree.vdot(grads, state.direction))
        if kind == "additive":
            size = state.effective_lr + rate * h
        else:
            norms = optax.tree.norm(grads) * optax.tree.norm(state.direction)
            cosine = jnp.where(norms > 0, h / jnp.where(norms > 0, norms, 1), 0)
            size = state.effective_lr * (1 + rate * cosine)
        # A warmup that starts at zero would otherwise stay there.
        size = jnp.where(state.effective_lr == 0, lr, size).astype(state.effective_lr.dtype)
        directions, inner = direction.update(grads, state.inner, params)
        updates = jax.tree.map(lambda d: (size * d).astype(d.dtype), directions)
        return updates, HypergradientState(size, directions, inner)

    return without_extra_args(init, update)
