"""ACProp. g is the gradient, w the parameters; symbols and units as in Adam's formula."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.transforms import without_extra_args
from lrlab.types import Params, PyTree, Scalar


def acprop(
    lr: Scalar,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """ACProp: the gradient over the centered second moment of the step before.

    w <- w - lr (g / (sqrt(s_before) + eps) + weight_decay w), s as in AdaBelief (Zhuang et al.
    2021, arXiv 2110.05454). A weight's first update is one of gradient descent. Unit of `lr`: the
    parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(acprop(0.1))
    [-0.1, -1.0]
    """
    inner = optax.contrib.scale_by_acprop(b1=b1, b2=b2, eps=eps, eps_root=eps_root)

    def update(grads: Params, state: PyTree, params: Params | None = None) -> tuple[Params, PyTree]:
        updates, new = inner.update(grads, state, params)
        # Where no gradient came before there is no moment: `eps_root` alone would stand for it.
        updates = jax.tree.map(lambda u, g, m: jnp.where(m == 0, g, u), updates, grads, state.mu)
        return updates, new

    return optax.chain(
        without_extra_args(inner.init, update),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(lr),
    )
