"""Curvature of a loss by Hessian-vector products: top eigenvalues, trace, along the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from lrlab.rng import key as named_key


def _lanczos(product: Callable[[Any], Any], start: Any, iterations: int, k: int) -> Any:
    """Top k eigenvalues f[k], descending, of a symmetric linear map, by full reorthogonalization.

    An exhausted Krylov space (a residual at rounding) goes on from a fresh orthogonal direction
    with a zero coupling, so the tridiagonal matrix splits instead of filling up with noise.
    """
    size, dtype = start.size, start.dtype
    tiny = 100 * jnp.finfo(dtype).eps

    def orthogonal(vector: Any, basis: Any) -> Any:
        for _ in range(2):
            vector = vector - basis.T @ (basis @ vector)
        return vector

    def body(i: Any, carry: Any) -> Any:
        basis, diagonal, off, scale = carry
        mapped = product(basis[i])
        diagonal = diagonal.at[i].set(basis[i] @ mapped)
        scale = jnp.maximum(scale, jnp.linalg.norm(mapped))
        rest = orthogonal(mapped, basis)
        length = jnp.linalg.norm(rest)
        spent = length <= tiny * scale
        fresh = jax.random.normal(named_key(0, "restart", i), (size,), dtype)
        rest = jnp.where(spent, orthogonal(fresh / jnp.linalg.norm(fresh), basis), rest)
        norm = jnp.linalg.norm(rest)
        rest = orthogonal(rest / jnp.where(norm > 0, norm, 1), basis)
        rest = rest / jnp.maximum(jnp.linalg.norm(rest), jnp.finfo(dtype).tiny)
        more = i + 1 < iterations
        basis = basis.at[jnp.minimum(i + 1, iterations - 1)].set(
            jnp.where(more, rest, basis[iterations - 1])
        )
        off = off.at[i].set(jnp.where(spent, 0, length))
        return basis, diagonal, off, scale

    basis = jnp.zeros((iterations, size), dtype).at[0].set(start / jnp.linalg.norm(start))
    zeros = jnp.zeros(iterations, dtype)
    _, diagonal, off, _ = jax.lax.fori_loop(
        0, iterations, body, (basis, zeros, zeros, jnp.zeros((), dtype))
    )
    matrix = jnp.diag(diagonal) + jnp.diag(off[:-1], 1) + jnp.diag(off[:-1], -1)
    # A lane that has diverged gives nan here, and must not stop the eigenvalues of the others.
    good = jnp.isfinite(matrix).all()
    values = jnp.linalg.eigvalsh(jnp.where(good, matrix, 0.0))[::-1][:k]
    return jnp.where(good, values, jnp.nan)


def _flat(loss: Callable[..., Any], params: Any, args: tuple[Any, ...]) -> Any:
    flat, unravel = ravel_pytree(params)
    return flat, lambda vector: loss(unravel(vector), *args)


def _checked(size: int, k: int, iterations: int) -> int:
    if not 1 <= k <= min(size, iterations):
        raise ValueError(f"k is {k}: it must be from 1 to min(iterations, parameters), "
                         f"here {min(size, iterations)}")  # fmt: skip
    return min(iterations, size)


def sharpness(
    loss: Callable[..., Any],
    params: Any,
    *args: Any,
    k: int = 1,
    iterations: int = 32,
    key: Any = None,
) -> Any:
    """Top k Hessian eigenvalues of `loss(params, *args)`, f[k], largest first, dtype of `params`.

    Lanczos with full reorthogonalization. Cost: min(iterations, parameters) Hessian-vector
    products, about 2 gradient evaluations each: 64 by default; memory iterations x parameters.
    `key` draws the first vector. Unit: loss / parameter^2. nan where a product is not finite.

    Source: Lanczos 1950; Cohen et al. 2021 (arXiv 2103.00065). ValueError for a k out of range.

    >>> import jax.numpy as jnp
    >>> h = jnp.array([3.0, 1.0])
    >>> sharpness(lambda x: 0.5 * jnp.sum(h * x**2), jnp.ones(2), k=2).round(4).tolist()
    [3.0, 1.0]
    """
    return preconditioned_sharpness(loss, params, None, *args, k=k, iterations=iterations, key=key)


def preconditioned_sharpness(
    loss: Callable[..., Any],
    params: Any,
    preconditioner: Any,
    *args: Any,
    k: int = 1,
    iterations: int = 32,
    key: Any = None,
) -> Any:
    """Top k eigenvalues f[k] of P^-1/2 H P^-1/2, P diagonal and above 0, a tree like `params`.

    For Adam P = sqrt(v / (1 - b2^t)) + eps: stable below 38 / lr at b1 = 0.9. Cost as `sharpness`.
    Source: Cohen et al. 2022 (arXiv 2207.14484). `preconditioner=None`: the Hessian itself.

    >>> import jax.numpy as jnp
    >>> x, p = jnp.ones(2), jnp.array([2.0, 0.5])
    >>> preconditioned_sharpness(lambda x: 0.5 * jnp.sum(x**2), x, p).round(4).tolist()
    [2.0]
    """
    flat, function = _flat(loss, params, args)
    iterations = _checked(flat.size, k, iterations)
    scale: Any = 1.0
    if preconditioner is not None:
        scale = ravel_pytree(preconditioner)[0].astype(flat.dtype) ** -0.5

    def product(vector: Any) -> Any:
        return scale * jax.jvp(jax.grad(function), (flat,), (scale * vector,))[1]

    start = jax.random.normal(
        named_key(0, "sharpness") if key is None else key, flat.shape, flat.dtype
    )
    return _lanczos(product, start, iterations, k)


def hessian_trace(
    loss: Callable[..., Any], params: Any, *args: Any, samples: int = 16, key: Any = None
) -> Any:
    """Unbiased estimate of the Hessian's trace, a scalar, from random signs (Hutchinson 1990).

    Cost: `samples` Hessian-vector products, about 2 gradient evaluations each. Exact for a diagonal
    Hessian. Unit: loss / parameter^2.

    >>> import jax.numpy as jnp
    >>> float(hessian_trace(lambda x: jnp.sum(x**2), jnp.ones(3)))
    6.0
    """
    flat, function = _flat(loss, params, args)
    base = named_key(0, "trace") if key is None else key

    def body(i: Any, total: Any) -> Any:
        signs = jax.random.rademacher(jax.random.fold_in(base, i), flat.shape, flat.dtype)
        return total + signs @ jax.jvp(jax.grad(function), (flat,), (signs,))[1]

    return jax.lax.fori_loop(0, samples, body, jnp.zeros((), flat.dtype)) / samples


def gradient_curvature(loss: Callable[..., Any], params: Any, *args: Any) -> tuple[Any, Any]:
    """Gradient norm, and the curvature g.Hg/g.g along the gradient (0 where the gradient is 0).

    Cost: one Hessian-vector product, about 2 gradient evaluations.

    >>> import jax.numpy as jnp
    >>> norm, curvature = gradient_curvature(lambda x: 2 * jnp.sum(x**2), jnp.array([3.0, 4.0]))
    >>> float(norm), float(curvature)
    (20.0, 4.0)
    """
    flat, function = _flat(loss, params, args)
    gradient = jax.grad(function)(flat)
    mapped = jax.jvp(jax.grad(function), (flat,), (gradient,))[1]
    squared = gradient @ gradient
    curvature = jnp.where(squared > 0, gradient @ mapped / jnp.where(squared > 0, squared, 1), 0)
    return jnp.sqrt(squared), curvature
