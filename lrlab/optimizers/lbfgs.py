"""L-BFGS. g is the gradient, w the parameters."""

from __future__ import annotations

import optax

from lrlab.optimizers.transforms import idle_at_zero, strongly_typed
from lrlab.types import Scalar


def lbfgs(
    lr: Scalar,
    *,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch_steps: int = 20,
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
