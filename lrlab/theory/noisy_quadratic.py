"""The noisy quadratic model: exact expected loss of SGD, steps to a target, best LR per batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Best(NamedTuple):
    """`lr`: the LR of the grid that needs the fewest `steps`; `all_steps` f64[L], inf = never."""

    lr: float
    steps: float
    all_steps: np.ndarray


def noisy_quadratic_loss(
    spectrum: Any, lr: Any, steps: Any, batch: float, noise: Any = None, start: Any = 1.0
) -> np.ndarray:
    """Expected loss 1/2 sum h E[theta^2] after `steps` updates at a constant LR, in one expression.

    E[theta_i^2]_t = r^t (start - v) + v with r = (1 - lr h)^2 and v = lr^2 (noise/batch) / (1 - r);
    the gradient is h theta plus noise of variance `noise`/`batch` (default noise = h).

    Args:
        spectrum: h f[D], above 0. lr, steps: scalars or arrays that broadcast; the result has
            their shape, f64, unit of loss. start: E[theta_i^2] at step 0, scalar or f[D].

    Source: Zhang et al. 2019 (arXiv 1907.04164), equation 2.

    >>> round(float(noisy_quadratic_loss([1.0, 0.5], 0.1, 10, batch=4)), 6)
    0.158245
    """
    h = np.asarray(spectrum, np.float64)
    c = (h if noise is None else np.asarray(noise, np.float64)) / batch
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
    spectrum: Any, schedule: Any, batch: Any, noise: Any = None, start: Any = 1.0
) -> np.ndarray:
    """Expected loss before each update and after the last, f64[T + 1], for any schedule f[T].

    Exact recursion E_{t+1} = (1 - lr_t h)^2 E_t + lr_t^2 noise / batch_t; `batch` scalar or f[T].
    Source as `noisy_quadratic_loss`.

    >>> noisy_quadratic_trace([1.0], [0.5, 0.5], batch=4).round(6).tolist()
    [0.5, 0.15625, 0.070312]
    """
    h = np.asarray(spectrum, np.float64)
    c = h if noise is None else np.asarray(noise, np.float64)
    etas = np.asarray(schedule, np.float64)
    batches = np.broadcast_to(np.asarray(batch, np.float64), etas.shape)
    second = np.broadcast_to(np.asarray(start, np.float64), h.shape)
    losses = [0.5 * np.sum(h * second)]
    for eta, size in zip(etas, batches, strict=True):
        second = (1 - eta * h) ** 2 * second + eta**2 * c / size
        losses.append(0.5 * np.sum(h * second))
    return np.asarray(losses)


def noisy_quadratic_steps(
    spectrum: Any,
    lr: float,
    batch: float,
    target: float,
    noise: Any = None,
    start: Any = 1.0,
    limit: float = 2.0**40,
) -> float:
    """Fewest updates at constant `lr` after which the expected loss is at most `target`; or inf.

    Doubling, then bisection, over the closed form: about 2 log2(steps) sums over the spectrum.
    Every mode moves monotonically to its steady value when the start is at one common side of all
    of them; else the first crossing is found at the doubling's resolution.
    Source: Zhang et al. 2019 (arXiv 1907.04164), section 4.

    >>> noisy_quadratic_steps([1.0], 0.1, batch=8, target=0.1)
    8.0
    """
    h = np.asarray(spectrum, np.float64)

    def loss(t: float) -> float:
        return float(noisy_quadratic_loss(h, lr, t, batch, noise, start))

    if loss(0) <= target:
        return 0.0
    if not 0 < lr < 2 / h.max():
        return np.inf
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


def noisy_quadratic_best(
    spectrum: Any, lrs: Any, batch: float, target: float, noise: Any = None, start: Any = 1.0
) -> Best:
    """The LR of the grid `lrs` that reaches `target` in the fewest steps at this batch size.

    Source: Zhang et al. 2019 (arXiv 1907.04164), figure 2. ValueError where none reaches it.

    >>> noisy_quadratic_best([1.0, 0.5], [0.01, 0.1, 1.0], batch=16, target=0.1)[:2]
    (1.0, 2.0)
    """
    grid = np.asarray(lrs, np.float64)
    needed = np.array(
        [noisy_quadratic_steps(spectrum, lr, batch, target, noise, start) for lr in grid]
    )
    best = int(np.argmin(needed))
    if not np.isfinite(needed[best]):
        raise ValueError(f"no learning rate of the grid reaches a loss of {target}")
    return Best(float(grid[best]), float(needed[best]), needed)
