"""Updates that treat weights as matrices. g is the gradient, w the parameters."""

from __future__ import annotations

from typing import Any

import optax

from lrlab.optimizers.states import idle_at_zero, strongly_typed


def muon(
    lr: Any,
    *,
    ns_steps: int = 5,
    beta: float = 0.95,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    nesterov: bool = True,
    adaptive: bool = False,
    adam_b1: float = 0.9,
    adam_b2: float = 0.999,
    adam_eps_root: float = 0.0,
    adam_weight_decay: float = 0.0,
    consistent_rms: float | None = None,
) -> optax.GradientTransformation:
    """Muon: momentum made orthogonal on matrices, AdamW on everything else.

    m <- beta m + g; w <- w - lr (NS(m) sqrt(max(1, rows / columns)) + weight_decay w), where NS is
    `ns_steps` Newton-Schulz iterations towards U V' of m = U S V' (Jordan et al. 2024, "Muon"; at
    scale: Liu et al. 2025, arXiv 2502.16982). Only parameters with two axes are matrices. `lr` is
    the spectral norm of an update, in the parameters' unit.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(muon(0.1))
    [-0.1474, -0.1474]
    """
    return optax.contrib.muon(
        lr,
        ns_steps=ns_steps,
        beta=beta,
        eps=eps,
        weight_decay=weight_decay,
        nesterov=nesterov,
        adaptive=adaptive,
        adam_b1=adam_b1,
        adam_b2=adam_b2,
        adam_eps_root=adam_eps_root,
        adam_weight_decay=adam_weight_decay,
        consistent_rms=consistent_rms,
    )


def galore(
    lr: Any, *, rank: int = 128, update_proj_gap: int = 200, scale: float = 1.0
) -> optax.GradientTransformation:
    """GaLore: Adam in a low-rank subspace of each matrix's gradient.

    With P the first `rank` singular vectors of g, computed again each `update_proj_gap` updates:
    w <- w - lr scale P Adam(P' g) (Zhao et al. 2024, arXiv 2403.03507). Unit of `lr`: as Adam's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(galore(0.1))
    [-0.1, -0.1]
    """
    return optax.contrib.galore(lr, rank=rank, update_proj_gap=update_proj_gap, scale=scale)


def lbfgs(
    lr: Any, *, memory_size: int = 10, scale_init_precond: bool = True, linesearch_steps: int = 20
) -> optax.GradientTransformation:
    """L-BFGS with a zoom line search, for full batches.

    w <- w - a lr H g, H the inverse Hessian from the last `memory_size` changes, a by line search
    with the strong Wolfe conditions (Liu and Nocedal 1989, Math. Program. 45:503; Nocedal and
    Wright 2006, algorithm 3.5). `lr` has no unit and is 1 by default. Needs the loss as a function.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(lbfgs(1.0))
    [-0.0995, -0.995]
    """
    search = optax.scale_by_zoom_linesearch(linesearch_steps, initial_guess_strategy="one")
    inner = optax.lbfgs(
        lr, memory_size=memory_size, scale_init_precond=scale_init_precond, linesearch=search
    )
    return idle_at_zero(strongly_typed(inner), lr, lambda grads, _: grads)
