"""Gradient descent with and without momentum. g is the gradient, w the parameters."""

from __future__ import annotations

from typing import Any

import optax


def sgd(lr: Any) -> optax.GradientTransformation:
    """Plain stochastic gradient descent.

    w <- w - lr g (Robbins and Monro 1951, Ann. Math. Stat. 22:400). Unit of `lr`: parameters per
    gradient, 1 / curvature.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(sgd(0.1))
    [-0.1, -1.0]
    """
    return optax.sgd(lr)


def momentum(lr: Any, *, momentum: float = 0.9) -> optax.GradientTransformation:
    """Heavy-ball momentum.

    m <- momentum m + g; w <- w - lr m (Polyak 1964, USSR Comput. Math. Math. Phys. 4:1; Sutskever
    et al. 2013, ICML). `momentum` has no unit; `lr` as in SGD.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(momentum(0.1))
    [-0.1, -1.0]
    """
    return optax.sgd(lr, momentum=momentum)


def nesterov(lr: Any, *, momentum: float = 0.9) -> optax.GradientTransformation:
    """Nesterov's accelerated momentum.

    m <- momentum m + g; w <- w - lr (g + momentum m) (Nesterov 1983, Soviet Math. Dokl. 27:372; in
    the form of Bengio et al. 2012, arXiv 1212.0901). `momentum` has no unit; `lr` as in SGD.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(nesterov(0.1))
    [-0.19, -1.9]
    """
    return optax.sgd(lr, momentum=momentum, nesterov=True)
