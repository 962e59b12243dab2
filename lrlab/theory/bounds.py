"""The last-iterate bound of a schedule, its best base learning rate, and better schedules."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class ScheduleBound(NamedTuple):
    """`lr`: the base LR that minimizes the bound; `bound`: its value there, in units of loss."""

    lr: float
    bound: float


def _terms(schedule: ArrayLike, gradient_norms: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    eta = np.asarray(schedule, np.float64)
    if eta.ndim != 1 or eta.size == 0:
        raise ValueError(f"schedule must be a non-empty vector, not of shape {eta.shape}")
    if not (np.isfinite(eta).all() and (eta >= 0).all()):
        raise ValueError("schedule must be finite and not negative")
    if eta[-1] == 0:
        raise ValueError(
            "schedule ends in 0, where the bound is infinite; cut zeros off its end (a schedule "
            "that falls to zero has its first zero after the last step)"
        )
    norms = np.asarray(gradient_norms, np.float64)
    if norms.shape not in ((), eta.shape):
        raise ValueError(f"gradient_norms have shape {norms.shape}, the schedule {eta.shape}")
    if not (np.isfinite(norms).all() and (norms >= 0).all()):
        raise ValueError("gradient_norms must be finite and not negative")
    return eta, np.broadcast_to(norms, eta.shape)


def _parts(eta: np.ndarray, norms: np.ndarray) -> tuple[float, float]:
    """The bound at base LR c is distance^2 A / c + B c; returns A, B."""
    tail = np.cumsum(eta[::-1])[::-1]
    noise = np.cumsum((eta**2 * norms**2)[::-1])[::-1]
    extra = 0.5 * np.sum(eta[:-1] / tail[1:] * noise[:-1] / tail[:-1])
    return 0.5 / tail[0], float(noise[0] / (2 * tail[0]) + extra)


def last_iterate_bound(
    schedule: ArrayLike,
    gradient_norms: ArrayLike = 1.0,
    distance: float = 1.0,
    base_lr: float = 1.0,
) -> float:
    """Bound on E f(x_T) - f* of SGD's last iterate on a convex loss, for any schedule.

    D^2/(2 S_1) + sum eta^2 g^2/(2 S_1) + 1/2 sum_{k<T} (eta_k/S_{k+1}) (sum_{t>=k} eta_t^2
    g_t^2)/S_k with S_k = sum_{t>=k} eta_t and eta = base_lr x schedule.

    Args:
        schedule: f[T], not negative, last value above 0. gradient_norms: g, the norms of the
            subgradients (or bounds on them), scalar or f[T].
        distance: D = |x_1 - x*|. Unit of the result: loss, when LR x g^2 is one.

    Source: Schaipp et al. 2025 (arXiv 2501.18965); theorem of Defazio et al. 2023 (2310.07831).

    >>> round(last_iterate_bound([1.0] * 400, base_lr=0.0181758951), 9)
    0.137544808
    """
    if not base_lr > 0:
        raise ValueError(f"base_lr must be above 0, not {base_lr}")
    a, b = _parts(*_terms(schedule, gradient_norms))
    return float(distance**2 * a / base_lr + b * base_lr)


def optimal_base_lr(
    schedule: ArrayLike, gradient_norms: ArrayLike = 1.0, distance: float = 1.0
) -> ScheduleBound:
    """The base LR that minimizes `last_iterate_bound`, closed form: D sqrt(A/B), bound 2 D sqrt(AB)

    where the bound at base LR c is D^2 A/c + B c. Arguments, source and errors as there.

    >>> best = optimal_base_lr([1 - k / 400 for k in range(400)])
    >>> round(best.lr, 8), round(best.bound, 8)
    (0.04956313, 0.10062987)
    """
    if not distance > 0:
        raise ValueError(f"distance must be above 0, not {distance}")
    a, b = _parts(*_terms(schedule, gradient_norms))
    if b == 0:
        raise ValueError("all gradient norms are 0: any learning rate is optimal")
    return ScheduleBound(distance * math.sqrt(a / b), 2 * distance * math.sqrt(a * b))


def bound_gradient(
    schedule: ArrayLike,
    gradient_norms: ArrayLike = 1.0,
    distance: float = 1.0,
) -> np.ndarray:
    """Derivative of `last_iterate_bound` (base LR 1) by each value of the schedule, f64[T].

    Exact, O(T): reverse mode through the two suffix sums. Source as there.

    >>> bound_gradient([0.1, 0.1]).round(6).tolist()
    [-11.5, -12.5]
    """
    eta, norms = _terms(schedule, gradient_norms)
    power = norms**2
    s = np.cumsum(eta[::-1])[::-1]
    n = np.cumsum((eta**2 * power)[::-1])[::-1]
    ds, dn, direct = np.zeros_like(eta), np.zeros_like(eta), np.zeros_like(eta)
    ds[0] -= (distance**2 + n[0]) / (2 * s[0] ** 2)
    dn[0] += 1 / (2 * s[0])
    e, now, after, noise = eta[:-1], s[:-1], s[1:], n[:-1]
    direct[:-1] += noise / (2 * after * now)
    ds[1:] -= e * noise / (2 * after**2 * now)
    ds[:-1] -= e * noise / (2 * after * now**2)
    dn[:-1] += e / (2 * after * now)
    return direct + np.cumsum(ds) + 2 * eta * power * np.cumsum(dn)


def optimize_schedule(
    schedule: ArrayLike,
    gradient_norms: ArrayLike = 1.0,
    distance: float = 1.0,
    steps: int = 1000,
    rate: float = 0.02,
) -> np.ndarray:
    """Gradient descent (Adam on the log of each value) on the schedule itself, f64[T].

    Starts at `schedule` times its optimal base LR and returns the best schedule seen, base LR
    included; its bound is never above that of the start. Source: Schaipp et al. 2025, section 5.

    >>> found = optimize_schedule([1.0] * 50, steps=300)
    >>> bool(last_iterate_bound(found) < 0.9 * optimal_base_lr([1.0] * 50).bound)
    True
    """
    eta, norms = np.asarray(schedule, np.float64), gradient_norms
    _terms(eta, norms)
    eta = np.maximum(eta, 1e-6 * eta.max()) * optimal_base_lr(eta, norms, distance).lr
    log, best = np.log(eta), eta
    lowest = last_iterate_bound(eta, norms, distance)
    m, v = np.zeros_like(log), np.zeros_like(log)
    for step in range(1, steps + 1):
        eta = np.exp(log)
        g = bound_gradient(eta, norms, distance) * eta
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        unbiased = np.sqrt(v / (1 - 0.99**step)) + 1e-12
        falling = rate * (1 - (step - 1) / steps)
        log = log - falling * (m / (1 - 0.9**step)) / unbiased
        value = last_iterate_bound(np.exp(log), norms, distance)
        if value < lowest:
            lowest, best = value, np.exp(log)
    return best
