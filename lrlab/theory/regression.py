"""Minibatch SGD in linear regression: the expected loss at every step, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def regression_risk(
    inputs: ArrayLike,
    targets: ArrayLike,
    schedule: ArrayLike,
    batch: int,
    start: ArrayLike | None = None,
    replacement: bool = True,
) -> np.ndarray:
    """Expected full-data loss before each update and after the last, f64[T + 1], any schedule f[T].

    Loss = mean over examples of (x.w - y)^2 / 2. Each update takes the mean gradient over `batch`
    examples of the finite data set (inputs f[N, D], targets f[N]), drawn independently at every
    step, with replacement or without; the only assumption. (Epochs of a shuffled data set are
    neither: their batches depend on one another.) With e = w - w* (w* least squares), residual
    r_n at w*, H = mean x x^T, A = E[e e^T], m = E[e], the exact recursion per step at LR a is
      m' = (I - a H) m,
      A' = A - a (H A + A H) + a^2 ((1 - s) H A H + s mean_n x x^T q_n),
      q_n = x_n^T A x_n + 2 r_n x_n.m + r_n^2,
    s = 1/batch, or (N - batch) / (batch (N - 1)) without replacement: 0 for the full batch.
    loss = (trace(H A) + mean r^2) / 2. The expected minibatch loss equals it. Cost O(N D^2) a step.

    Args:
        start: w before the first update, f[D]; zeros by default.

    Source: Bach and Moulines 2013 (arXiv 1306.2119) for the second moments; Paquette et al. 2021
    (arXiv 2102.04396) treat the limit.

    Raises:
        ValueError: shapes that do not fit, a batch below 1, or larger than the data where examples
            are drawn without replacement.

    >>> x, y = np.array([[1.0], [2.0]]), np.array([1.0, 1.0])
    >>> regression_risk(x, y, [0.1], batch=1).round(6).tolist()
    [0.5, 0.30625]
    """
    x, y = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"inputs must be [N, D] and targets [N], not {x.shape} and {y.shape}")
    count, dim = x.shape
    if batch < 1 or (not replacement and batch > count):
        raise ValueError(f"batch must be from 1 to {count} (any with replacement), not {batch}")
    share = 1 / batch if replacement else (count - batch) / (batch * max(1, count - 1))
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
            + lr**2 * ((1 - share) * product @ hessian + share * noise)
        )
        mean = mean - lr * hessian @ mean
        losses.append(0.5 * (np.sum(hessian * second) + rest))
    return np.asarray(losses)


def gaussian_regression_risk(
    spectrum: ArrayLike,
    schedule: ArrayLike,
    batch: ArrayLike,
    noise: float = 0.0,
    start: ArrayLike = 1.0,
) -> np.ndarray:
    """Expected loss of one-pass SGD on Gaussian regression, f64[T + 1], any schedule f[T].

    x ~ N(0, H) with eigenvalues h = `spectrum` f[D], y = x.w* + N(0, noise^2), `batch` fresh
    examples at every step (scalar or f[T]), loss E (x.w - y)^2 / 2 before each update and after the
    last. With E_i = E[(w - w*)_i^2] along the eigenvectors, exact at LR a and batch B:
      E_i' = (1 - 2 a h_i + a^2 h_i^2 (1 + 1/B)) E_i + a^2/B h_i (sum_j h_j E_j + noise^2),
    loss = (sum_i h_i E_i + noise^2) / 2. `start`: E_i at first, scalar or f[D]. O(D) a step.

    Source: Bach and Moulines 2013 (arXiv 1306.2119); the streaming limit of Paquette et al. 2021
    (arXiv 2102.04396). ValueError for a batch below 1 or a negative spectrum.

    >>> gaussian_regression_risk([1.0, 0.5], [0.5], batch=2, noise=1.0).round(6).tolist()
    [1.25, 1.03125]
    """
    h = np.asarray(spectrum, np.float64)
    etas = np.asarray(schedule, np.float64)
    batches = np.broadcast_to(np.asarray(batch, np.float64), etas.shape)
    if h.ndim != 1 or (h < 0).any() or (batches < 1).any():
        raise ValueError("spectrum must be a vector without negative values, batches from 1")
    second = np.broadcast_to(np.asarray(start, np.float64), h.shape)
    losses = [0.5 * (h @ second + noise**2)]
    for a, size in zip(etas, batches, strict=True):
        shrink = 1 - 2 * a * h + a**2 * h**2 * (1 + 1 / size)
        second = shrink * second + a**2 / size * h * (h @ second + noise**2)
        losses.append(0.5 * (h @ second + noise**2))
    return np.asarray(losses)
