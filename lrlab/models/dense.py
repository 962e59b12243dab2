"""A dense layer's product whose weight gradient is fast on CPU: the same numbers, better layouts.

The gradient of `x @ w` by `w` contracts the examples, the leading axis of both factors. XLA's CPU
kernels want the contracted axis of the left factor last and the result as it comes; otherwise they
take up to three times as long. Here the gradient that flows back is laid out anew before the
product and the result after it, which costs little beside the product.

For anyone's own model it is one line, in Linen and NNX alike:
`nn.Dense(64, dot_general=lrlab.models.dense.dot_general)`.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from lrlab.models.platform import on_cpu
from lrlab.types import Array

LARGE = 2**17
"""From so many weights on, XLA's own product is as fast and laying the gradient out anew is not: it
is read across rows that lie too far apart for the caches."""

_STOCK: contextvars.ContextVar[bool] = contextvars.ContextVar("stock", default=False)


@contextlib.contextmanager
def stock() -> Iterator[None]:
    """What is traced inside runs `lax.dot_general` as it is: what a plain `nn.Dense` would do. For
    comparisons, such as the benchmark's."""
    token = _STOCK.set(True)
    try:
        yield
    finally:
        _STOCK.reset(token)


def dot_general(
    lhs: Array,
    rhs: Array,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    **options: Any,
) -> Array:
    """`jax.lax.dot_general`, equal to rounding, with a faster gradient for dense layers on CPU.

    Takes and gives what `jax.lax.dot_general` does. What is not `[..., in] @ [in, out]`, and every
    product on an accelerator, is `lax.dot_general` itself.

    >>> x, w = jnp.ones((2, 3, 4)), jnp.ones((4, 5))
    >>> dot_general(x, w, (((2,), (0,)), ((), ()))).shape
    (2, 3, 5)
    """
    (contracted_lhs, contracted_rhs), (batch_lhs, batch_rhs) = dimension_numbers
    dense = (
        on_cpu()
        and not _STOCK.get()
        and rhs.ndim == 2
        and rhs.size < LARGE
        and lhs.ndim >= 2
        and tuple(contracted_lhs) == (lhs.ndim - 1,)
        and tuple(contracted_rhs) == (0,)
        and not tuple(batch_lhs) + tuple(batch_rhs)
        and jnp.issubdtype(lhs.dtype, jnp.floating)
        and lhs.dtype == rhs.dtype
        and math.prod(lhs.shape) > 0
        and not options
    )
    if dense:
        return product(lhs, rhs, precision, preferred_element_type)
    return lax.dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type,
                           **options)  # fmt: skip


def product(x: Array, w: Array, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """`x [..., in] @ w [in, out]`; see above.

    >>> product(jnp.ones((2, 3)), jnp.ones((3, 4))).shape
    (2, 4)
    """
    return _product(x, w, precision, preferred_element_type)


def _plain(x: Array, w: Array, precision: Any, element: Any) -> Array:
    return lax.dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())), precision, element)


# Only the derivative by the weights is written differently, and as a product that is linear in
# them: JAX transposes it for gradients, and can still differentiate it, forward and again.
@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _product(x: Array, w: Array, precision: Any, element: Any) -> Array:
    return _plain(x, w, precision, element)


@partial(_product.defjvp, symbolic_zeros=True)
def _product_jvp(precision: Any, element: Any, primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    y = _product(x, w, precision, element)
    parts = []
    if not isinstance(dx, SymbolicZero):
        parts.append(_plain(dx, w, precision, element))
    if not isinstance(dw, SymbolicZero):
        # Transposed, this is barrier(barrier(g^T) @ x)^T. Without the barriers XLA folds the
        # transpositions into the product again.
        rows = x.reshape(-1, x.shape[-1])
        turned = lax.optimization_barrier(dw.T)
        back = lax.dot_general(turned, rows, (((1,), (1,)), ((), ())), precision, element)
        parts.append(lax.optimization_barrier(back).T.reshape(y.shape))
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)
