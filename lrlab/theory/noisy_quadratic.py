"""The noisy quadratic model: exact expected loss of SGD and heavy ball, steps to a target, best LR
against batch size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lrlab.theory.stability import max_lr


class Best(NamedTuple):
    """`lr`: the LR of the grid that needs the fewest `steps`; `all_steps` f64[L], inf = never."""

    lr: float
    steps: float
    all_steps: np.ndarray


class Scaling(NamedTuple):
    """Best LR f64[B] and the steps f64[B] that it needs, for each of `batches` f64[B]."""

    batches: np.ndarray
    lr: np.ndarray
    steps: np.ndarray


def noisy_quadratic_loss(
    spectrum: ArrayLike,
    lr: ArrayLike,
    steps: ArrayLike,
    batch: ArrayLike,
    noise: ArrayLike | None = None,
    start: ArrayLike = 1.0,
) -> np.ndarray:
    """Expected loss 1/2 sum h E[theta^2] after `steps` updates at a constant LR, in one expression.

    E[theta_i^2]_t = r^t (start - v) + v with r = (1 - lr h)^2 and v = lr^2 (noise/batch) / (1 - r);
    the gradient is h theta plus noise of variance `noise`/`batch` (default noise = h).

    Args:
        spectrum: h f[D], above 0. lr, steps, batch: scalars or arrays that broadcast; the result
            has their shape, f64, unit of loss. noise, start: the gradient's variance for one
            example (default: h) and E[theta_i^2] at step 0, scalars or f[D].

    Source: Zhang et al. 2019 (arXiv 1907.04164), equation 2.

    >>> round(float(noisy_quadratic_loss([1.0, 0.5], 0.1, 10, batch=4)), 6)
    0.158245
    """
    h = np.asarray(spectrum, np.float64)
    c = h if noise is None else np.asarray(noise, np.float64)
    c = c / np.asarray(batch, np.float64)[..., None]
    lr, steps = np.asarray(lr, np.float64)[..., None], np.asarray(steps, np.float64)[..., None]
    with np.errstate(all="ignore"):
        r = (1 - lr * h) ** 2
        gap = lr * h * (2 - lr * h)  # 1 - r without cancellation
        power = np.where(
            r > 0, np.exp(steps * np.log1p(-np.minimum(gap, 1 - 1e-300))), (steps == 0) * 1.0
        )
        power = np.where(gap > 0.5, r**steps, power)
        steady = (
            lr
            * lr
            * c
            * np.where(np.abs(gap) > 1e-300, (1 - power) / np.where(gap == 0, 1, gap), steps)
        )
        return 0.5 * np.sum(h * (power * np.asarray(start, np.float64) + steady), axis=-1)


def noisy_quadratic_trace(
    spectrum: ArrayLike,
    schedule: ArrayLike,
    batch: ArrayLike,
    noise: ArrayLike | None = None,
    start: ArrayLike = 1.0,
    momentum: float = 0.0,
) -> np.ndarray:
    """Expected loss before each update and after the last, f64[T + 1], for any schedule f[T].

    Exact recursion; without momentum E' = (1 - lr h)^2 E + lr^2 noise / batch. With heavy ball
    (m' = b m + g, theta' = theta - lr m') of E = E[theta^2], C = E[theta m], M = E[m^2]:
      M' = b^2 M + 2 b h C + h^2 E + noise / batch,
      E' = E - 2 lr (b C + h E) + lr^2 M', C' = b C + h E - lr M'.
    `batch`: scalar or f[T]. Source as `noisy_quadratic_loss`.

    >>> noisy_quadratic_trace([1.0], [0.5, 0.5], batch=4).round(6).tolist()
    [0.5, 0.15625, 0.070312]
    """
    h = np.asarray(spectrum, np.float64)
    c = h if noise is None else np.asarray(noise, np.float64)
    etas = np.asarray(schedule, np.float64)
    batches = np.broadcast_to(np.asarray(batch, np.float64), etas.shape)
    second = np.broadcast_to(np.asarray(start, np.float64), h.shape)
    cross, speed = np.zeros_like(h), np.zeros_like(h)
    losses = [0.5 * np.sum(h * second)]
    for eta, size in zip(etas, batches, strict=True):
        speed = momentum**2 * speed + 2 * momentum * h * cross + h**2 * second + c / size
        mixed = momentum * cross + h * second
        second = second - 2 * eta * mixed + eta**2 * speed
        cross = mixed - eta * speed
        losses.append(0.5 * np.sum(h * second))
    return np.asarray(losses)


def noisy_quadratic_steps(
    spectrum: ArrayLike,
    lr: float,
    batch: float,
    target: float,
    noise: ArrayLike | None = None,
    start: ArrayLike = 1.0,
    limit: float = 2.0**40,
    momentum: float = 0.0,
) -> float:
    """Fewest updates at constant `lr` after which the expected loss is at most `target`; or inf.

    Doubling, then bisection: over the closed form, about 2 log2(steps) sums over the spectrum, or
    with heavy-ball momentum over powers of each mode's linear map. Exact where the expected loss
    falls until it reaches the target; where it swings, a crossing is found at the doubling's
    resolution. Searches up to `limit` updates.
    Source: Zhang et al. 2019 (arXiv 1907.04164), section 4.

    >>> noisy_quadratic_steps([1.0], 0.1, batch=8, target=0.1)
    8.0
    >>> noisy_quadratic_steps([1.0, 0.01], 0.1, batch=64, target=0.05, momentum=0.9)
    4.0
    """
    h = np.asarray(spectrum, np.float64)
    if 0.5 * np.sum(h * np.asarray(start, np.float64)) <= target:
        return 0.0
    if not 0 < lr < max_lr("momentum", h.max(), momentum):
        return np.inf
    if momentum:
        return _heavy_ball_steps(h, lr, batch, target, noise, start, limit, momentum)

    def loss(t: float) -> float:
        return float(noisy_quadratic_loss(h, lr, t, batch, noise, start))

    c = (h if noise is None else np.asarray(noise, np.float64)) / batch
    floor = 0.5 * np.sum(h * lr * c / (h * (2 - lr * h)))
    high = 1.0
    while loss(high) > target:
        high *= 2
        if high > limit or (floor >= target and high * lr * h.min() > 50):
            return np.inf
    low = high / 2 if high > 1 else 0.0
    while high - low > 1:
        middle = np.floor((low + high) / 2)
        low, high = (low, middle) if loss(middle) <= target else (middle, high)
    return float(high)


def _heavy_ball_steps(
    h: np.ndarray,
    lr: float,
    batch: float,
    target: float,
    noise: ArrayLike | None,
    start: ArrayLike,
    limit: float,
    momentum: float,
) -> float:
    """As `noisy_quadratic_steps`, by powers of the maps of (E, C, M, 1), f64[D, 4, 4]."""
    c = (h if noise is None else np.broadcast_to(np.asarray(noise, np.float64), h.shape)) / batch
    b, one = momentum, np.ones_like(h)
    speed = np.stack([h**2, 2 * b * h, b**2 * one, c], -1)
    mixed = np.stack([h, b * one, 0 * h, 0 * h], -1)
    kept = np.stack([one, 0 * h, 0 * h, 0 * h], -1)
    last = np.stack([0 * h, 0 * h, 0 * h, one], -1)
    once = np.stack([kept - 2 * lr * mixed + lr**2 * speed, mixed - lr * speed, speed, last], -2)
    state = np.stack([np.broadcast_to(np.asarray(start, float), h.shape), 0 * h, 0 * h, one], -1)

    def after(power: np.ndarray, state: np.ndarray) -> np.ndarray:
        return np.einsum("dij,dj->di", power, state)

    def reached(state: np.ndarray) -> bool:
        return bool(0.5 * np.sum(h * state[:, 0]) <= target)

    powers = [once]
    while not reached(after(powers[-1], state)):
        if 2.0 ** len(powers) > limit:
            return np.inf
        powers.append(powers[-1] @ powers[-1])
    steps = 0
    for number in reversed(range(len(powers) - 1)):
        ahead = after(powers[number], state)
        if not reached(ahead):
            steps, state = steps + 2**number, ahead
    return float(steps + 1)


def noisy_quadratic_best(
    spectrum: ArrayLike,
    lrs: ArrayLike,
    batch: float,
    target: float,
    noise: ArrayLike | None = None,
    start: ArrayLike = 1.0,
    momentum: float = 0.0,
) -> Best:
    """The LR of the grid `lrs` that reaches `target` in the fewest steps at this batch size.

    Source: Zhang et al. 2019 (arXiv 1907.04164), figure 2. ValueError where none reaches it.

    >>> noisy_quadratic_best([1.0, 0.5], [0.01, 0.1, 1.0], batch=16, target=0.1)[:2]
    (1.0, 2.0)
    """
    grid = np.asarray(lrs, np.float64)
    needed = np.array(
        [
            noisy_quadratic_steps(spectrum, lr, batch, target, noise, start, momentum=momentum)
            for lr in grid
        ]
    )
    best = int(np.argmin(needed))
    if not np.isfinite(needed[best]):
        raise ValueError(f"no learning rate of the grid reaches a loss of {target}")
    return Best(float(grid[best]), float(needed[best]), needed)


def noisy_quadratic_scaling(
    spectrum: ArrayLike,
    batches: ArrayLike,
    target: float,
    lrs: ArrayLike | None = None,
    noise: ArrayLike | None = None,
    start: ArrayLike = 1.0,
    momentum: float = 0.0,
) -> Scaling:
    """Steps to the target and the LR that needs the fewest, against batch size.

    The best LR grows with the batch size and the steps fall in proportion, until the critical batch
    size; beyond it neither moves. `lrs`: the grid; None for 120 values over four decades up to the
    threshold of stability. Source and errors as `noisy_quadratic_best`.

    >>> found = noisy_quadratic_scaling([1.0, 0.1], [1, 4, 1024, 4096], target=0.01)
    >>> bool(found.lr[1] > 3 * found.lr[0]), bool(found.steps[3] == found.steps[2])
    (True, True)
    """
    if lrs is None:
        largest = max_lr("momentum", float(np.max(spectrum)), momentum)
        lrs = largest * np.geomspace(1e-4, 0.999, 120)
    sizes = np.atleast_1d(np.asarray(batches, np.float64))
    best = [
        noisy_quadratic_best(spectrum, lrs, size, target, noise, start, momentum) for size in sizes
    ]
    return Scaling(sizes, np.array([b.lr for b in best]), np.array([b.steps for b in best]))
