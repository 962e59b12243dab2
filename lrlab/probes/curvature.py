"""Curvature of a loss by Hessian-vector products: top eigenvalues, trace, along the gradient."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from lrlab.core.errors import FieldError
from lrlab.rng import key as named_key
from lrlab.types import Params, PyTree

Loss = Callable[..., jax.Array]
"""`loss(params, *args) -> scalar`."""

Linear = Callable[[jax.Array], jax.Array]
"""A linear map of vectors, f[n] -> f[n]."""


SPENT_ROUNDING = 100
"""Units of rounding: a vector whose rest is no longer than that is spent."""


def _lanczos(product: Linear, start: jax.Array, products: int, k: int) -> jax.Array:
    """Top k eigenvalues f[k], descending, of a symmetric linear map, from `products` products.

    Band Lanczos (Ruhe 1979): k starting vectors, so that an eigenvalue of multiplicity up to k is
    found as often as it is there; every new vector is orthogonalized twice against all before it.
    A vector that is spent (its rest is at rounding: an invariant space is complete) makes way for a
    random one, orthogonal to the rest. The eigenvalues are those of the projected map, whose
    entries are inner products, not the recurrence's: neither restarts nor rounding add false ones.
    """
    size, dtype = start.size, start.dtype
    tiny = SPENT_ROUNDING * jnp.finfo(dtype).eps

    def orthogonal(vector: jax.Array, basis: jax.Array) -> jax.Array:
        for _ in range(2):
            vector = vector - basis.T @ (basis @ vector)
        return vector

    def unit(vector: jax.Array) -> jax.Array:
        norm = jnp.linalg.norm(vector)
        return vector / jnp.where(norm > 0, norm, 1)

    def fresh(number: int | jax.Array, basis: jax.Array) -> jax.Array:
        vector = jax.random.normal(named_key(0, "restart", number), (size,), dtype)
        return unit(orthogonal(unit(vector), basis))

    def body(i: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        basis, projected, scale = carry
        mapped = product(basis[i])
        projected = projected.at[:, i].set(basis @ mapped)
        scale = jnp.maximum(scale, jnp.linalg.norm(mapped))
        rest = orthogonal(mapped, basis)
        spent = jnp.linalg.norm(rest) <= tiny * scale
        rest = unit(orthogonal(unit(rest), basis))
        new = jnp.where(spent, fresh(i + k, basis), rest)
        place = jnp.minimum(i + k, products - 1)
        return basis.at[place].set(jnp.where(i + k < products, new, basis[place])), projected, scale

    basis = jnp.zeros((products, size), dtype).at[0].set(unit(start))
    for number in range(1, k):
        basis = basis.at[number].set(fresh(number, basis))
    _, projected, _ = jax.lax.fori_loop(
        0, products, body, (basis, jnp.zeros((products, products), dtype), jnp.zeros((), dtype))
    )
    upper = jnp.triu(projected)
    matrix = upper + upper.T - jnp.diag(jnp.diag(upper))
    # A lane that has diverged gives nan here, and must not stop the eigenvalues of the others.
    good = jnp.isfinite(matrix).all()
    values = jnp.linalg.eigvalsh(jnp.where(good, matrix, 0.0))[::-1][:k]
    return jnp.where(good, values, jnp.nan)


def top_eigenvalues(
    product: Linear,
    like: jax.Array,
    *,
    k: int = 1,
    iterations: int = 32,
    key: jax.Array | None = None,
) -> jax.Array:
    """Top k eigenvalues f[k], largest first, of a symmetric map `product(f[n]) -> f[n]`.

    `like`: an array f[n] whose size and dtype count. As `sharpness`, without a loss; cost
    min(iterations x k, n) products.

    >>> import jax.numpy as jnp
    >>> top_eigenvalues(lambda v: v * jnp.array([1.0, 5.0]), jnp.zeros(2)).round(4).tolist()
    [5.0]
    """
    products = _products(like.size, k, iterations)
    key = named_key(0, "sharpness") if key is None else key
    return _lanczos(product, jax.random.normal(key, like.shape, like.dtype), products, k)


def _flat(loss: Loss, params: Params, args: tuple[PyTree, ...]) -> tuple[jax.Array, Linear]:
    """The parameters as one vector, and the loss as a function of it."""
    flat, unravel = ravel_pytree(params)
    return flat, lambda vector: loss(unravel(vector), *args)


def _products(size: int, k: int, iterations: int) -> int:
    if not 1 <= k <= size:
        raise FieldError(
            "k", f"k is {k}: it must be from 1 to the number of parameters, here {size}"
        )
    if iterations < 1:
        raise FieldError("iterations", f"iterations must be at least 1, got {iterations}")
    return min(iterations * k, size)


def sharpness(
    loss: Loss,
    params: Params,
    *args: PyTree,
    k: int = 1,
    iterations: int = 32,
    key: jax.Array | None = None,
) -> jax.Array:
    """Top k Hessian eigenvalues of `loss(params, *args)`, f[k], largest first, dtype of `params`.

    Band Lanczos with full reorthogonalization; exact where iterations x k reaches the number of
    parameters. Largest means most positive: a spectrum below 0 gives the value nearest to 0. Cost:
    min(iterations x k, parameters) Hessian-vector products, about 2 gradient evaluations each: 64 k
    by default; memory iterations x k x parameters numbers. `key` draws the first vector. Unit:
    loss / parameter^2. nan where a product is not finite. Can be vmapped over `params` and `args`.

    Source: Lanczos 1950; Ruhe 1979 (Math. Comp. 33:680); Cohen et al. 2021 (arXiv 2103.00065).

    Raises:
        ValueError: k is not from 1 to the number of parameters, or `iterations` is below 1.

    >>> import jax.numpy as jnp
    >>> h = jnp.array([3.0, 1.0])
    >>> sharpness(lambda x: 0.5 * jnp.sum(h * x**2), jnp.ones(2), k=2).round(4).tolist()
    [3.0, 1.0]
    """
    return preconditioned_sharpness(loss, params, None, *args, k=k, iterations=iterations, key=key)


def preconditioned_sharpness(
    loss: Loss,
    params: Params,
    preconditioner: PyTree | None,
    *args: PyTree,
    k: int = 1,
    iterations: int = 32,
    key: jax.Array | None = None,
) -> jax.Array:
    """Top k eigenvalues f[k] of P^-1/2 H P^-1/2, P diagonal and above 0, a tree like `params`.

    For Adam P = (1 - b1^t) (sqrt(v / (1 - b2^t)) + eps), as the probe `stability` has it: stable
    below 38 / lr at b1 = 0.9. Without 1 - b1^t, which is the bias correction of the first moment,
    the first updates look more stable than they are (10 times at t = 1). An infinite entry of P
    holds its parameter still. Cost and errors as `sharpness`. `preconditioner=None`: the Hessian
    itself. Source: Cohen et al. 2022 (arXiv 2207.14484).

    >>> import jax.numpy as jnp
    >>> x, p = jnp.ones(2), jnp.array([2.0, 0.5])
    >>> preconditioned_sharpness(lambda x: 0.5 * jnp.sum(x**2), x, p).round(4).tolist()
    [2.0]
    """
    flat, function = _flat(loss, params, args)
    scale: float | jax.Array = 1.0
    if preconditioner is not None:
        scale = ravel_pytree(preconditioner)[0].astype(flat.dtype) ** -0.5

    def product(vector: jax.Array) -> jax.Array:
        return scale * jax.jvp(jax.grad(function), (flat,), (scale * vector,))[1]

    return top_eigenvalues(product, flat, k=k, iterations=iterations, key=key)


def hessian_trace(
    loss: Loss, params: Params, *args: PyTree, samples: int = 16, key: jax.Array | None = None
) -> jax.Array:
    """Unbiased estimate of the Hessian's trace, a scalar, from random signs (Hutchinson 1990).

    Cost: `samples` Hessian-vector products, about 2 gradient evaluations each. Exact for a diagonal
    Hessian H, else of variance 2 (|H|_F^2 - sum H_ii^2) / samples. Unit: loss / parameter^2.

    >>> import jax.numpy as jnp
    >>> float(hessian_trace(lambda x: jnp.sum(x**2), jnp.ones(3)))
    6.0
    """
    flat, function = _flat(loss, params, args)
    base = named_key(0, "trace") if key is None else key

    def body(i: jax.Array, total: jax.Array) -> jax.Array:
        signs = jax.random.rademacher(jax.random.fold_in(base, i), flat.shape, flat.dtype)
        return total + signs @ jax.jvp(jax.grad(function), (flat,), (signs,))[1]

    return jax.lax.fori_loop(0, samples, body, jnp.zeros((), flat.dtype)) / samples


def gradient_curvature(loss: Loss, params: Params, *args: PyTree) -> tuple[jax.Array, jax.Array]:
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
