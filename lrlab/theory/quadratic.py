"""First-order methods on f(x) = h x^2 / 2: exact trajectories, best constants and rates."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np


class Constants(NamedTuple):
    """Best LR and momentum, and the factor by which the error shrinks per step (0 to 1)."""

    lr: float
    momentum: float
    rate: float


def optimal_constants(method: str, smallest: float, largest: float) -> Constants:
    """The constants with the fastest worst-case linear rate on curvatures [smallest, largest].

    k = largest / smallest. sgd: lr 2/(largest + smallest), rate (k-1)/(k+1). momentum: lr
    (2/(sqrt largest + sqrt smallest))^2, b = rate^2, rate (sqrt k - 1)/(sqrt k + 1). nesterov: lr
    4/(3 largest + smallest), b = (sqrt(3k+1) - 2)/(sqrt(3k+1) + 2), rate 1 - 2/sqrt(3k+1).

    Source: Polyak 1964; Lessard, Recht and Packard 2016 (arXiv 1408.3595), proposition 1.

    Raises:
        ValueError: an unknown method, or not 0 < smallest <= largest.

    >>> optimal_constants("sgd", 1.0, 3.0)
    Constants(lr=0.5, momentum=0.0, rate=0.5)
    """
    if not 0 < smallest <= largest:
        raise ValueError(f"curvatures must be 0 < smallest <= largest, not {smallest}, {largest}")
    if method == "sgd":
        rate = (largest - smallest) / (largest + smallest)
        return Constants(2 / (largest + smallest), 0.0, rate)
    if method == "momentum":
        low, high = math.sqrt(smallest), math.sqrt(largest)
        rate = (high - low) / (high + low)
        return Constants((2 / (high + low)) ** 2, rate**2, rate)
    if method == "nesterov":
        root = math.sqrt(3 * largest / smallest + 1)
        lr = 4 / (3 * largest + smallest)
        return Constants(lr, (root - 2) / (root + 2), 1 - 2 / root)
    raise ValueError(f"method {method!r} is unknown; choose one of sgd, momentum, nesterov")


def trajectory(
    method: str, curvature: Any, lr: float, steps: int, momentum: float = 0.0, start: Any = 1.0
) -> np.ndarray:
    """Exact x_0 ... x_steps of a method on sum(h x^2)/2, f64[steps + 1, *shape of curvature].

    Closed form x_t = c1 r1^t + c2 r2^t with r1, r2 the roots of r^2 - a r + c: heavy ball a = 1 + b
    - lr h, c = b; Nesterov a = (1+b)(1 - lr h), c = b (1 - lr h); x_1 = (1 - lr h) x_0 for heavy
    ball and (1 - (1+b) lr h) x_0 for Nesterov, whose buffer starts at zero (as in Optax). GD: b=0.

    Source: Lessard et al. 2016 (arXiv 1408.3595). ValueError for an unknown method.

    >>> trajectory("sgd", 1.0, 0.5, 3).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    h = np.asarray(curvature, np.float64)
    x0 = np.broadcast_to(np.asarray(start, np.float64), h.shape)
    t = np.arange(steps + 1, dtype=np.float64).reshape(-1, *(1,) * h.ndim)
    if method == "sgd":
        return x0 * (1 - lr * h) ** t
    if method == "momentum":
        a, c, first = 1 + momentum - lr * h, momentum + 0 * h, (1 - lr * h) * x0
    elif method == "nesterov":
        a = (1 + momentum) * (1 - lr * h)
        c, first = momentum * (1 - lr * h), (1 - (1 + momentum) * lr * h) * x0
    else:
        raise ValueError(f"method {method!r} is unknown; choose one of sgd, momentum, nesterov")
    root = np.sqrt((a * a - 4 * c).astype(np.complex128))
    r1, r2 = (a + root) / 2, (a - root) / 2
    # r1 = r2 has the limit t r^(t-1); near it the quotient loses digits, so the sum takes over.
    close = np.abs(r1 - r2) < 1e-5 * np.maximum(np.abs(r1), 1e-300)
    middle = (r1 + r2) / 2
    safe = np.where(close, 1, r1 - r2)
    lead = np.where(close, t * middle ** np.maximum(t - 1, 0), (r1**t - r2**t) / safe)
    before = np.concatenate([np.zeros_like(lead[:1]), lead[:-1]])
    path = np.real(first * lead - c * x0 * before)
    path[0] = x0
    return path
