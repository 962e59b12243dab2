"""Adam and its kin. g is the gradient, w the parameters; m, v their moving averages.

m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, with hats after division by 1 - b^t. The unit of
`lr` is that of the parameters (the largest change of one in one update, about); b1, b2 have none;
eps has the gradient's.
"""

from __future__ import annotations

from typing import Any

import optax


def adam(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    nesterov: bool = False,
) -> optax.GradientTransformation:
    """Adam: steps in units of the parameters.

    w <- w - lr m^ / (sqrt(v^ + eps_root) + eps) (Kingma and Ba 2015, arXiv 1412.6980).

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adam(0.1))
    [-0.1, -0.1]
    """
    return optax.adam(lr, b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=nesterov)


def adamw(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 1e-4,
    nesterov: bool = False,
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay.

    w <- w - lr (m^ / (sqrt(v^ + eps_root) + eps) + weight_decay w) (Loshchilov and Hutter 2019,
    arXiv 1711.05101).

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adamw(0.1, weight_decay=0.5))
    [-0.15, -0.15]
    """
    return optax.adamw(
        lr,
        b1=b1,
        b2=b2,
        eps=eps,
        eps_root=eps_root,
        weight_decay=weight_decay,
        nesterov=nesterov,
    )
