"""Later relatives of Adam (`optax.contrib`). Symbols and units as in `adam`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.states import with_extra_args, without_extra_args
from lrlab.types import Params


def acprop(
    lr: Any,
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

    def update(grads: Params, state: Any, params: Params | None = None) -> tuple[Params, Any]:
        updates, new = inner.update(grads, state, params)
        # Where no gradient came before there is no moment: `eps_root` alone would stand for it.
        updates = jax.tree.map(lambda u, g, m: jnp.where(m == 0, g, u), updates, grads, state.mu)
        return updates, new

    return optax.chain(
        without_extra_args(inner.init, update),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(lr),
    )


def ademamix(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    b3: float = 0.9999,
    alpha: float = 5.0,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """AdEMAMix: Adam with a fast and a very slow momentum.

    m2 <- b3 m2 + (1 - b3) g; w <- w - lr ((m1^ + alpha m2) / (sqrt(v^) + eps) + weight_decay w)
    (Pagliardini et al. 2024, arXiv 2409.03137). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(ademamix(0.1))
    [-0.1, -0.1]
    """
    return optax.contrib.ademamix(
        lr,
        b1=b1,
        b2=b2,
        b3=b3,
        alpha=alpha,
        eps=eps,
        eps_root=eps_root,
        weight_decay=weight_decay,
    )


def simplified_ademamix(
    lr: Any,
    *,
    b1: float = 0.99,
    b2: float = 0.95,
    alpha: float = 0.0,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """AdEMAMix with one accumulated momentum.

    m <- b1 m + g; w <- w - lr ((m + alpha g) / (sqrt(v) + eps) + weight_decay w) (Morwani et al.
    2025, arXiv 2502.02431). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(simplified_ademamix(0.1))
    [-0.1, -0.1]
    """
    return optax.contrib.simplified_ademamix(
        lr, b1=b1, b2=b2, alpha=alpha, eps=eps, eps_root=eps_root, weight_decay=weight_decay
    )


def adopt(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.9999,
    eps: float = 1e-6,
    nesterov: bool = False,
    use_clipping: bool = True,
) -> optax.GradientTransformation:
    """ADOPT: normalizes by the second moment before the momentum, so that any b2 converges.

    m <- b1 m + (1 - b1) clip(g / max(sqrt(v_before), eps), t^(1/4)); w <- w - lr m (Taniguchi et
    al. 2024, arXiv 2411.02853). The first gradient only starts v. Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(adopt(0.1))
    [0.0, 0.0]
    """
    return optax.contrib.adopt(
        lr, b1=b1, b2=b2, eps=eps, nesterov=nesterov, use_clipping=use_clipping
    )


def optimistic_adam(
    lr: Any,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    nesterov: bool = True,
) -> optax.GradientTransformation:
    """Adam with an optimistic gradient, for games.

    Adam's direction d becomes (alpha + beta) d - beta d_before; w <- w - lr times that (Daskalakis
    et al. 2018, arXiv 1711.00141). Unit of `lr`: the parameters'.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(optimistic_adam(0.1))
    [-0.1474, -0.1474]
    """
    return optax.optimistic_adam_v2(
        lr,
        alpha=alpha,
        beta=beta,
        b1=b1,
        b2=b2,
        eps=eps,
        eps_root=eps_root,
        nesterov=nesterov,
    )


def novograd(
    lr: Any,
    *,
    b1: float = 0.9,
    b2: float = 0.25,
    eps: float = 1e-6,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """NovoGrad: one second moment per tensor.

    v <- b2 v + (1 - b2) |g|^2 (a scalar); m <- b1 m + g / (sqrt(v) + eps) + weight_decay w; w <- w
    - lr m (Ginsburg et al. 2019, arXiv 1905.11286). Unit of `lr`: the parameters', times that of g
    over |g|.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(novograd(0.1))
    [-0.01, -0.0995]
    """
    return optax.novograd(lr, b1=b1, b2=b2, eps=eps, eps_root=eps_root, weight_decay=weight_decay)


def sophia(
    lr: Any,
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

    def update(grads: Any, state: Any, params: Any = None, *, value_fn: Any, **extra: Any) -> Any:
        return inner.update(grads, state, params, obj_fn=value_fn)

    return with_extra_args(inner.init, update)
