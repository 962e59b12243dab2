"""Objectives with known answers: quadratics, Rosenbrock's valley, the noisy quadratic model."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.core.errors import FieldError
from lrlab.tasks.task import Task
from lrlab.types import Array

SPECTRA = ("log", "linear", "power", "equal", "two")
STARTS = ("normal", "ones")

Start = Callable[[Array], Array]
"""`init(key) -> x`, f[dim]."""

Loss = Callable[[Array, Array | None], Array]
"""`loss(x, key) -> scalar`; the key is the noise of an update."""

Expected = Callable[[Array], Array]
"""`expected(x) -> scalar`: the loss without noise."""


def quadratic(
    *,
    spectrum: str | Sequence[float] = "log",
    dim: int = 10,
    largest: float = 1.0,
    condition: float = 100.0,
    start: str = "normal",
) -> Task:
    """Quadratic: loss(x) = 1/2 sum_i lambda_i x_i^2, with the spectrum lambda given.

    Gradient descent gives x_i(k) = (1 - lr lambda_i)^k x_i(0), stable below 2 / max lambda.
    `spectrum` lists the lambda, or names how `dim` of them go from `largest` down to
    `largest / condition`: "log", "linear", "two" (half each), "power" (largest / i), or "equal".
    `start`: "normal" (standard, per seed) or "ones".

    >>> quadratic(spectrum=[4.0, 1.0]).source["spectrum"]
    [4.0, 1.0]
    """
    values = eigenvalues(spectrum, dim, largest, condition)
    _one_of("start", start, STARTS)
    init, loss = _quadratic(tuple(values), start)
    source = {"objective": "quadratic", "spectrum": values, "start": start}
    return Task.objective("quadratic", init, loss, source=source)


@functools.lru_cache(maxsize=256)
def _quadratic(values: tuple[float, ...], start: str) -> tuple[Start, Loss]:
    spectrum = np.array(values)

    def init(key: Array) -> Array:
        shape = spectrum.shape
        return jnp.ones(shape) if start == "ones" else jax.random.normal(key, shape)

    def quadratic_loss(x: Array, key: Array | None) -> Array:
        return 0.5 * jnp.sum(jnp.asarray(spectrum, x.dtype) * x**2)

    return init, quadratic_loss


def rosenbrock(*, dim: int = 2, a: float = 1.0, b: float = 100.0, spread: float = 0.1) -> Task:
    """Rosenbrock's valley: sum_i b (x_{i+1} - x_i^2)^2 + (a - x_i)^2 (Rosenbrock 1960).

    Starts at (-1.2, 1, -1.2, ...) plus `spread` times a standard normal, so that seeds differ.

    >>> rosenbrock().metrics["loss"]
    'min'
    """
    if isinstance(dim, bool) or not isinstance(dim, int) or dim < 2:
        raise FieldError(
            "dim", f"rosenbrock: dim must be a whole number of at least 2, got {dim!r}"
        )
    init, loss = _rosenbrock(dim, _finite("a", a), _finite("b", b), _finite("spread", spread))
    source = {"objective": "rosenbrock", "dim": dim, "a": a, "b": b, "spread": spread}
    return Task.objective("rosenbrock", init, loss, source=source)


@functools.lru_cache(maxsize=256)
def _rosenbrock(dim: int, a: float, b: float, spread: float) -> tuple[Start, Loss]:
    begin = np.where(np.arange(dim) % 2 == 0, -1.2, 1.0)

    def init(key: Array) -> Array:
        drawn = jax.random.normal(key, (dim,))
        return jnp.asarray(begin, drawn.dtype) + spread * drawn

    def rosenbrock_loss(x: Array, key: Array | None) -> Array:
        return jnp.sum(b * (x[1:] - x[:-1] ** 2) ** 2 + (a - x[:-1]) ** 2)

    return init, rosenbrock_loss


def noisy_quadratic(
    *,
    spectrum: str | Sequence[float] = "power",
    dim: int = 100,
    largest: float = 1.0,
    condition: float = 100.0,
    noise: float = 1.0,
    batch: int = 1,
    start: str = "normal",
) -> Task:
    """Noisy quadratic model: gradients lambda_i x_i + noise of variance lambda_i noise^2 / batch.

    Zhang et al. 2019, arXiv 1907.04164 (there: dim 10,000, lambda_i = 1 / i). Evaluated is the
    noiseless loss 1/2 sum_i lambda_i x_i^2. One SGD step takes E[x_i^2] to
    (1 - lr lambda_i)^2 E[x_i^2] + lr^2 lambda_i noise^2 / batch.

    >>> noisy_quadratic(dim=3).source["spectrum"]
    [1.0, 0.5, 0.3333333333333333]
    """
    values = eigenvalues(spectrum, dim, largest, condition)
    _one_of("start", start, STARTS)
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise FieldError(
            "batch", f"noisy_quadratic: batch must be a whole number from 1, got {batch!r}"
        )
    if min(values) < 0:
        raise FieldError("spectrum", "noisy_quadratic: the spectrum must not be negative")
    init, loss, expected = _noisy(tuple(values), start, _finite("noise", noise), batch)
    source = {
        "objective": "noisy_quadratic",
        "spectrum": values,
        "noise": noise,
        "batch": batch,
        "start": start,
    }
    return Task.objective("noisy_quadratic", init, loss, expected=expected, source=source)


@functools.lru_cache(maxsize=256)
def _noisy(
    values: tuple[float, ...], start: str, noise: float, batch: int
) -> tuple[Start, Loss, Expected]:
    init, exact = _quadratic(values, start)
    spread = np.sqrt(np.array(values)) * (noise / math.sqrt(batch))

    def noisy_quadratic_loss(x: Array, key: Array) -> Array:
        force = jnp.asarray(spread, x.dtype) * jax.random.normal(key, x.shape, x.dtype)
        return exact(x, key) + jnp.sum(force * x)

    def expected(x: Array) -> Array:
        return exact(x, None)

    return init, noisy_quadratic_loss, expected


def eigenvalues(
    spectrum: str | Sequence[float], dim: int, largest: float, condition: float
) -> list[float]:
    """The spectrum as a list of floats, largest first where it is named.

    Raises:
        ValueError: no such name, not finite, or a condition below 1.

    >>> eigenvalues("log", 3, 1.0, 100.0)
    [1.0, 0.1, 0.01]
    """
    if not isinstance(spectrum, str):
        values = [_finite("spectrum", value) for value in spectrum]
        if not values:
            raise FieldError("spectrum", "spectrum must hold at least one number")
        return values
    _one_of("spectrum", spectrum, SPECTRA)
    if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
        raise FieldError("dim", f"dim must be a whole number of at least 1, got {dim!r}")
    if _finite("condition", condition) < 1 or _finite("largest", largest) <= 0:
        raise FieldError(
            "condition",
            f"needs condition >= 1 and largest > 0, got {condition} and {largest}",
            also="largest",
        )
    smallest = largest / condition
    if spectrum == "equal" or dim == 1:
        return [float(largest)] * dim
    if spectrum == "power":
        return [largest / (i + 1) for i in range(dim)]
    if spectrum == "two":
        return [float(largest)] * (dim - dim // 2) + [smallest] * (dim // 2)
    space = np.geomspace if spectrum == "log" else np.linspace
    return [float(value) for value in space(largest, smallest, dim)]


def _one_of(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise FieldError(option, f"{option} must be one of {', '.join(known)}, got {value!r}")


def _finite(option: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FieldError(option, f"{option} must be a finite number, got {value!r}")
    return float(value)
