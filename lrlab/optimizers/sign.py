"""Updates of signs. g is the gradient, w the parameters; the unit of `lr` is the parameters'."""

from __future__ import annotations

from typing import Any

import optax


def lion(
    lr: Any, *, b1: float = 0.9, b2: float = 0.99, weight_decay: float = 1e-3
) -> optax.GradientTransformation:
    """Lion: the sign of an interpolated momentum.

    w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w); m <- b2 m + (1 - b2) g (Chen et al.
    2023, arXiv 2302.06675). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(lion(0.1, weight_decay=0.0))
    [-0.1, -0.1]
    """
    return optax.lion(lr, b1=b1, b2=b2, weight_decay=weight_decay)


def sign_sgd(lr: Any) -> optax.GradientTransformation:
    """The sign of the gradient.

    w <- w - lr sign(g) (Bernstein et al. 2018, arXiv 1802.04434). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(sign_sgd(0.1))
    [-0.1, -0.1]
    """
    return optax.sign_sgd(lr)


def signum(lr: Any, *, beta: float = 0.9) -> optax.GradientTransformation:
    """The sign of the momentum.

    m <- beta m + (1 - beta) g; w <- w - lr sign(m) (Bernstein et al. 2018, arXiv 1802.04434). Unit
    of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(signum(0.1))
    [-0.1, -0.1]
    """
    return optax.signum(lr, beta=beta)
