"""How sharp a loss may be before an optimizer with a fixed learning rate leaves it."""

from __future__ import annotations

from numpy.typing import ArrayLike

from lrlab.theory.values import Number, number, positive, valid_momentum
from lrlab.types import Array

FAMILIES = ("sgd", "momentum", "nesterov", "ema", "nesterov_ema", "rmsprop", "adam")

USUAL_MOMENTUM = {"momentum": 0.9, "nesterov": 0.9, "ema": 0.9, "nesterov_ema": 0.9, "adam": 0.9}
"""The momentum where none is given; 0 for the families that are not here."""


def edge(optimizer: str, momentum: Array = 0.0) -> Array:
    """Learning rate times largest curvature at the edge of stability, without unit.

    `max_sharpness` without its checks of values: `momentum` may be an array or traced.

    Raises:
        ValueError: an unknown family.

    >>> edge("sgd"), edge("momentum", 0.5)
    (2.0, 3.0)
    """
    b = momentum
    if optimizer in ("sgd", "momentum", "rmsprop"):
        return 2 + 2 * b
    if optimizer == "nesterov":
        return (2 + 2 * b) / (1 + 2 * b)
    if optimizer in ("ema", "adam"):
        return (2 + 2 * b) / (1 - b)
    if optimizer == "nesterov_ema":
        return (2 + 2 * b) / ((1 - b) * (1 + 2 * b))
    raise ValueError(f"optimizer {optimizer!r} is unknown; choose one of {', '.join(FAMILIES)}")


def max_sharpness(optimizer: str, lr: ArrayLike, momentum: ArrayLike | None = None) -> Number:
    """Largest curvature at which the iterates of a quadratic stay bounded; times `lr` it is fixed.

    With b the momentum: sgd 2/lr; momentum (heavy ball) 2(1+b)/lr; nesterov (2+2b)/((1+2b) lr);
    ema (update lr * m, m <- b m + (1-b) g) 2(1+b)/((1-b) lr); nesterov_ema (NAdam) the same over
    1+2b; adam as ema, of the Hessian preconditioned by 1/(sqrt(v) + eps) with v frozen: 38/lr at
    b = 0.9; rmsprop 2/lr without momentum, 2(1+b)/lr with. Units: loss / parameter^2 (adam,
    rmsprop: per unit of preconditioner).

    Args:
        optimizer: one of `FAMILIES`. lr, momentum: scalars or arrays that broadcast; the result has
            their shape. momentum: None for the usual one, `USUAL_MOMENTUM` (0.9; sgd, rmsprop: 0).

    Source: Cohen et al. 2021 (arXiv 2103.00065), appendix A; Cohen et al. 2022 (arXiv 2207.14484).

    Raises:
        ValueError: an unknown family, `lr` not above 0, or a momentum outside [0, 1).

    >>> max_sharpness("sgd", 0.1), round(max_sharpness("adam", 1.0), 9)
    (20.0, 38.0)
    >>> max_sharpness("momentum", 1.0, [0.0, 0.5]).tolist()
    [2.0, 3.0]
    """
    positive("lr", lr)
    if momentum is None:
        momentum = USUAL_MOMENTUM.get(optimizer, 0.0)
    valid_momentum(momentum)
    return edge(optimizer, number(momentum)) / number(lr)


def max_lr(optimizer: str, sharpness: ArrayLike, momentum: ArrayLike | None = None) -> Number:
    """Largest stable LR on curvature `sharpness`: the inverse of `max_sharpness`.

    Arguments, source and errors as there; unit: parameter^2 / loss.

    >>> max_lr("momentum", 4.0, 0.5), max_lr("sgd", [2.0, 4.0]).tolist()
    (0.75, [1.0, 0.5])
    """
    positive("sharpness", sharpness)
    return max_sharpness(optimizer, 1.0, momentum) / number(sharpness)
