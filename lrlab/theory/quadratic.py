"""First-order methods on f(x) = h x^2 / 2: exact trajectories, rates and best constants."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

METHODS = ("sgd", "momentum", "nesterov", "ema", "nesterov_ema")
"""GD; heavy ball; Nesterov; and the last two with m <- b m + (1 - b) g, as in Adam and NAdam."""


class Constants(NamedTuple):
    """Best LR and momentum, and the factor by which the error shrinks per step (0 to 1)."""

    lr: float
    momentum: float
    rate: float


def optimal_constants(method: str, smallest: float, largest: float) -> Constants:
    """The constants with the fastest worst-case linear rate on curvatures [smallest, largest].

    k = largest / smallest. sgd: lr 2/(largest + smallest), rate (k-1)/(k+1). momentum: lr
    (2/(sqrt largest + sqrt smallest))^2, b = rate^2, rate (sqrt k - 1)/(sqrt k + 1). nesterov: lr
    4/(3 largest + smallest), b = (sqrt(3k+1) - 2)/(sqrt(3k+1) + 2), rate 1 - 2/sqrt(3k+1). ema and
    nesterov_ema: as momentum and nesterov, lr over 1 - b.

    Source: Polyak 1964; Lessard, Recht and Packard 2016 (arXiv 1408.3595), proposition 1.

    Raises:
        ValueError: an unknown method, or not 0 < smallest <= largest.

    >>> optimal_constants("sgd", 1.0, 3.0)
    Constants(lr=0.5, momentum=0.0, rate=0.5)
    """
    if not 0 < smallest <= largest < math.inf:
        raise ValueError(f"curvatures must be 0 < smallest <= largest, not {smallest}, {largest}")
    _check(method)
    if method == "sgd":
        rate = (largest - smallest) / (largest + smallest)
        return Constants(2 / (largest + smallest), 0.0, rate)
    if method in ("momentum", "ema"):
        low, high = math.sqrt(smallest), math.sqrt(largest)
        rate = (high - low) / (high + low)
        lr, momentum = (2 / (high + low)) ** 2, rate**2
    else:
        root = math.sqrt(3 * largest / smallest + 1)
        lr, momentum = 4 / (3 * largest + smallest), (root - 2) / (root + 2)
        rate = 1 - 2 / root
    return Constants(lr / (1 - momentum) if "ema" in method else lr, momentum, rate)


def convergence_rate(
    method: str,
    curvature: ArrayLike,
    lr: ArrayLike,
    momentum: ArrayLike = 0.0,
) -> np.ndarray:
    """Factor by which the error shrinks per step in the long run, f64; above 1 it grows.

    The larger of |r1|, |r2|, the roots of r^2 - a r + c (see `trajectory`): 1 exactly at the
    threshold of stability, `lrlab.theory.max_lr`. The arguments broadcast; without unit. The worst
    mode of a spectrum: `convergence_rate(...).max()`.

    Source: Lessard et al. 2016 (arXiv 1408.3595); O'Donoghue and Candes 2012 (arXiv 1204.3982).

    >>> convergence_rate("sgd", [1.0, 3.0], 0.5).tolist()
    [0.5, 0.5]
    >>> round(float(convergence_rate("momentum", 1.0, 3.8, 0.9)), 12)
    1.0
    """
    a, c, _ = _recurrence(method, curvature, lr, momentum)
    inside = a * a - 4 * c
    # Where both roots are complex their size is sqrt(c); the square root would lose digits.
    real = (np.abs(a) + np.sqrt(np.maximum(inside, 0))) / 2
    return np.where(inside < 0, np.sqrt(np.maximum(c, 0)), real)[()]


def trajectory(
    method: str,
    curvature: ArrayLike,
    lr: ArrayLike,
    steps: int,
    momentum: ArrayLike = 0.0,
    start: ArrayLike = 1.0,
) -> np.ndarray:
    """Exact x_0 ... x_steps of a method on sum(h x^2)/2, f64[steps + 1, *shape of the arguments].

    Closed form x_t = c1 r1^t + c2 r2^t with r1, r2 the roots of r^2 - a r + c: heavy ball a = 1 + b
    - lr h, c = b; Nesterov a = (1+b)(1 - lr h), c = b (1 - lr h); x_1 = (1 - lr h) x_0 for heavy
    ball and (1 - (1+b) lr h) x_0 for Nesterov, whose buffer starts at zero (as in Optax). GD: b=0.
    ema, nesterov_ema: as momentum and nesterov at lr (1 - b), without Adam's bias correction.
    `curvature`, `lr`, `momentum` and `start` broadcast.

    Source: Lessard et al. 2016 (arXiv 1408.3595). ValueError for an unknown method.

    >>> trajectory("sgd", 1.0, 0.5, 3).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    a, c, first = _recurrence(method, curvature, lr, momentum)
    x0 = np.asarray(start, np.float64) + 0 * a
    t = np.arange(steps + 1, dtype=np.float64).reshape(-1, *(1,) * x0.ndim)
    if method == "sgd":
        return x0 * a**t
    root = np.sqrt((a * a - 4 * c).astype(np.complex128))
    r1, r2 = (a + root) / 2, (a - root) / 2
    # r1 = r2 has the limit t r^(t-1); near it the quotient loses digits, so the sum takes over.
    close = np.abs(r1 - r2) < 1e-5 * np.maximum(np.abs(r1), 1e-300)
    middle = (r1 + r2) / 2
    safe = np.where(close, 1, r1 - r2)
    lead = np.where(close, t * middle ** np.maximum(t - 1, 0), (r1**t - r2**t) / safe)
    before = np.concatenate([np.zeros_like(lead[:1]), lead[:-1]])
    path = np.real(first * x0 * lead - c * x0 * before)
    path[0] = x0
    return path


def _check(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown; choose one of {', '.join(METHODS)}")


def _recurrence(
    method: str, curvature: ArrayLike, lr: ArrayLike, momentum: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, c of x_{t+1} = a x_t - c x_{t-1}, and x_1 / x_0; f64, of the arguments' common shape."""
    _check(method)
    b = np.asarray(0.0 if method == "sgd" else momentum, np.float64)
    rate = np.asarray(lr, np.float64) * (1 - b if "ema" in method else 1.0)
    push = rate * np.asarray(curvature, np.float64)
    b = b + 0 * push
    if "nesterov" in method:
        return (1 + b) * (1 - push), b * (1 - push), 1 - (1 + b) * push
    return 1 + b - push, b, 1 - push
