"""Minibatch SGD in linear regression: the expected loss at every step, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np


def regression_risk(
    inputs: Any, targets: Any, schedule: Any, batch: int, start: Any = None
) -> np.ndarray:
    """Expected full-data loss before each update and after the last, f64[T + 1], any schedule f[T].

    Loss = mean over examples of (x.w - y)^2 / 2. Each update takes the mean gradient over `batch`
    examples drawn *with replacement* from the finite data set (inputs f[N, D], targets f[N]); the
    only assumption. With e = w - w* (w* least squares), residual r_n at w*, H = mean x x^T, and
    A = E[e e^T], m = E[e], the exact recursion per step at LR a is
      m' = (I - a H) m,
      A' = A - a (H A + A H) + a^2 ((1 - 1/batch) H A H + 1/batch mean_n x x^T q_n),
      q_n = x_n^T A x_n + 2 r_n x_n.m + r_n^2;
    loss = (trace(H A) + mean r^2) / 2. The expected minibatch loss equals it. Cost O(N D^2) a step.

    Source: second moments as in Feng and Tu 2021; Paquette et al. 2021 (arXiv 2102.04396) treat
    the limit.

    Raises:
        ValueError: shapes that do not fit, or a batch below 1.

    >>> x, y = np.array([[1.0], [2.0]]), np.array([1.0, 1.0])
    >>> regression_risk(x, y, [0.1], batch=1).round(6).tolist()
    [0.5, 0.30625]
    """
    x, y = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"inputs must be [N, D] and targets [N], not {x.shape} and {y.shape}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    count, dim = x.shape
    hessian = x.T @ x / count
    solution = np.linalg.lstsq(x, y, rcond=None)[0]
    residual = x @ solution - y
    mean = (np.zeros(dim) if start is None else np.asarray(start, np.float64)) - solution
    second = np.outer(mean, mean)
    rest = np.mean(residual**2)
    losses = [0.5 * (np.sum(hessian * second) + rest)]
    for lr in np.asarray(schedule, np.float64):
        q = np.einsum("nd,de,ne->n", x, second, x, optimize=True)
        q = q + 2 * residual * (x @ mean) + residual**2
        noise = (x.T * q) @ x / count
        product = hessian @ second
        second = (
            second
            - lr * (product + product.T)
            + lr**2 * ((1 - 1 / batch) * product @ hessian + noise / batch)
        )
        mean = mean - lr * hessian @ mean
        losses.append(0.5 * (np.sum(hessian * second) + rest))
    return np.asarray(losses)
