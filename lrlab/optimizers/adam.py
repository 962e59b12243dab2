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
    arXiv 1711.05101). Unit of `lr`: the parameters'.

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


def nadam(
    lr: Any, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam with Nesterov's momentum.

    w <- w - lr (b1 m^ + (1 - b1) g^) / (sqrt(v^ + eps_root) + eps), m^ one step ahead (Dozat 2016,
    ICLR workshop). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(nadam(0.1))
    [-0.1474, -0.1474]
    """
    return optax.nadam(lr, b1=b1, b2=b2, eps=eps, eps_root=eps_root)


def nadamw(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 1e-4,
) -> optax.GradientTransformation:
    """NAdam with decoupled weight decay.

    NAdam's update - lr weight_decay w (Dozat 2016; Loshchilov and Hutter 2019, arXiv 1711.05101).
    Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(nadamw(0.1, weight_decay=0.0))
    [-0.1474, -0.1474]
    """
    return optax.nadamw(lr, b1=b1, b2=b2, eps=eps, eps_root=eps_root, weight_decay=weight_decay)


def adamax(
    lr: Any, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Adam with the infinity norm in place of the second moment.

    u <- max(b2 u, |g| + eps); w <- w - lr m^ / u (Kingma and Ba 2015, arXiv 1412.6980). Unit of
    `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adamax(0.1))
    [-0.1, -0.1]
    """
    return optax.adamax(lr, b1=b1, b2=b2, eps=eps)


def adamaxw(
    lr: Any, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-4
) -> optax.GradientTransformation:
    """Adamax with decoupled weight decay.

    Adamax's update - lr weight_decay w (Kingma and Ba 2015, arXiv 1412.6980; Loshchilov and Hutter
    2019, arXiv 1711.05101). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adamaxw(0.1, weight_decay=0.5))
    [-0.15, -0.15]
    """
    return optax.adamaxw(lr, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)


def amsgrad(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> optax.GradientTransformation:
    """Adam whose second moment never falls.

    v_max <- max(v_max, v^); w <- w - lr m^ / (sqrt(v_max + eps_root) + eps) (Reddi et al. 2018,
    arXiv 1904.09237). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(amsgrad(0.1))
    [-0.1, -0.1]
    """
    return optax.amsgrad(
        lr,
        b1=b1,
        b2=b2,
        eps=eps,
        eps_root=eps_root,
        bias_correction_mu=bias_correction_mu,
        bias_correction_nu=bias_correction_nu,
    )


def radam(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    threshold: float = 5.0,
    nesterov: bool = False,
) -> optax.GradientTransformation:
    """Rectified Adam: momentum alone until the second moment is known well enough.

    With rho the length of v's average, r = sqrt((rho - 4)(rho - 2) rho_inf / ((rho_inf - 4)
    (rho_inf - 2) rho)): w <- w - lr r m^ / (sqrt(v^) + eps) where rho >= threshold, else w - lr m^
    (Liu et al. 2020, arXiv 1908.03265). `threshold` is in updates. Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(radam(0.1))
    [-0.1, -1.0]
    """
    return optax.radam(
        lr, b1=b1, b2=b2, eps=eps, eps_root=eps_root, threshold=threshold, nesterov=nesterov
    )


def adabelief(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    nesterov: bool = False,
) -> optax.GradientTransformation:
    """Adam with the variance of the gradient around its average in place of its square.

    s <- b2 s + (1 - b2) (g - m)^2 + eps_root; w <- w - lr m^ / (sqrt(s^) + eps) (Zhuang et al.
    2020, arXiv 2010.07468). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adabelief(0.1))
    [-0.1111, -0.1111]
    """
    return optax.adabelief(lr, b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=nesterov)


def yogi(
    lr: Any, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-3
) -> optax.GradientTransformation:
    """Adam whose second moment changes additively.

    v <- v - (1 - b2) sign(v - g^2) g^2; w <- w - lr m^ / (sqrt(v^) + eps) (Zaheer et al. 2018,
    NeurIPS, "Adaptive methods for nonconvex optimization"). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(yogi(0.1))
    [-0.0999, -0.1]
    """
    return optax.yogi(lr, b1=b1, b2=b2, eps=eps)


def adan(
    lr: Any,
    *,
    b1: float = 0.98,
    b2: float = 0.92,
    b3: float = 0.99,
    eps: float = 1e-8,
    eps_root: float = 1e-8,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """Adan: Nesterov momentum from differences of gradients.

    With d = g - g_before: m, v, n average g, d and (g + b2 d)^2; w <- (w - lr (m + b2 v) / (sqrt(n)
    + eps)) / (1 + lr weight_decay) (Xie et al. 2022, arXiv 2208.06677). Unit of `lr`: the
    parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adan(0.1))
    [-0.1, -0.1]
    """
    return optax.adan(
        lr, b1=b1, b2=b2, b3=b3, eps=eps, eps_root=eps_root, weight_decay=weight_decay
    )
