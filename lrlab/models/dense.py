"""Dense layers that are fast on CPU, above all where lanes are vmapped: the same numbers, laid out
for XLA's kernels.

XLA's CPU kernels want the contracted axis last in the left factor and first in the right one, and
many numbers in a row in the result; otherwise they take up to three times as long. `Dense`
therefore computes with the examples last: y^T [out, N] = w^T x^T + b. All three products of a layer
then are what the kernels want, the lanes' kernels stand below each other as one matrix, and
activations, biases and the loss are vectors over the examples, even where a layer has ten outputs.
Where a layer follows another, the transpositions between them cancel out in XLA.

For anyone's own model: `lrlab.models.dense.Dense` in place of `nn.Dense` (the same parameters), or,
in Linen and NNX alike, one line, which makes only the kernel's gradient faster:
`nn.Dense(64, dot_general=lrlab.models.dense.dot_general)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax
from jax.core import ShapedArray
from jax.typing import DTypeLike

from lrlab.models.platform import on_cpu
from lrlab.models.trilinear import trilinear
from lrlab.types import Array

LARGE = 2**17
"""From so many weights on, XLA's own product is as fast, and another layout is not: rows lie too
far apart for the caches."""

LONG = 256
"""Rows of more inputs are left as they are: turning them costs more than it gives."""

FEW = 32
"""Fewer examples are left in rows: they make poor vectors."""


class Dense(nn.Module):
    """`nn.Dense`, [..., in] -> [..., features], with the same parameters `kernel` and `bias`.

    >>> import jax
    >>> x = jnp.ones((3, 4))
    >>> variables = Dense(5).init(jax.random.key(0), x)
    >>> jax.tree.map(jnp.shape, variables["params"])
    {'bias': (5,), 'kernel': (4, 5)}
    >>> bool(jnp.allclose(Dense(5).apply(variables, x), nn.Dense(5).apply(variables, x)))
    True
    """

    features: int
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    bias_init: Callable[..., Array] = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f[..., in] -> f[..., features]."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        bias = self.param("bias", self.bias_init, (self.features,)) if self.use_bias else None
        return dense(*promote_dtype(x, kernel, bias))


def dense(x: Array, w: Array, b: Array | None = None, precision: lax.PrecisionLike = None) -> Array:
    """`x [..., in] @ w [in, out] + b [out]`; see above.

    >>> dense(jnp.ones((2, 3)), jnp.ones((3, 4)), jnp.ones(4)).shape
    (2, 4)
    """
    if x.ndim == 2 and len(x) >= FEW and len(w) <= LONG and _known(x, w):
        y = dense_p.bind(x, w, gives="y", form=Form(examples_last=True, precision=precision))
        return y if b is None else biased(y, b)
    y = dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())), precision)
    return y if b is None else y + b


def biased(y: Array, b: Array) -> Array:
    """`y [N, out] + b [out]` for the result of `dense`.

    >>> biased(jnp.ones((2, 3)), jnp.arange(3.0))[0]
    Array([1., 2., 3.], dtype=float32)
    """
    if y.ndim != 2 or len(y) < FEW:
        return y + b
    return (y.T + _columns(b, len(y))).T


def laid_out(x: Array | ShapedArray, w: Array | ShapedArray) -> bool:
    """Whether a product of these shapes [..., in], [in, out] and dtypes is laid out here, on CPU.

    >>> from jax.core import ShapedArray
    >>> laid_out(ShapedArray((64, 8), jnp.float32), ShapedArray((8, 4), jnp.float32))
    True
    """
    return (
        x.ndim >= 2
        and w.ndim == 2
        and w.size < LARGE
        and jnp.issubdtype(x.dtype, jnp.floating)
        and x.dtype == w.dtype
        and math.prod(x.shape) * math.prod(w.shape) > 0
    )


def dot_general(
    lhs: Array,
    rhs: Array,
    dimension_numbers: lax.DotDimensionNumbers,
    precision: lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
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
    dense_layer = (
        tuple(contracted_lhs) == (lhs.ndim - 1,)
        and tuple(contracted_rhs) == (0,)
        and not tuple(batch_lhs) + tuple(batch_rhs)
        and _known(lhs, rhs)
        and preferred_element_type in (None, lhs.dtype)
        and not options
    )
    if not dense_layer:
        return lax.dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type,
                               **options)  # fmt: skip
    rows = lhs.reshape(-1, lhs.shape[-1])
    value = lax.Precision(precision) if isinstance(precision, str) else precision
    y = dense_p.bind(rows, rhs, gives="y", form=Form(precision=value))
    return y.reshape(*lhs.shape[:-1], rhs.shape[-1])


def _known(x: Array, w: Array) -> bool:
    """Whether `x @ w` is a product that is laid out here."""
    return on_cpu() and laid_out(x, w)


class Form(NamedTuple):
    """How the three products of a layer are computed; x [N, in], w [in, out], y and g [N, out].

    `examples_last`: all of them transposed, for layers between which nothing needs rows; otherwise
    only the kernel's gradient is. `shared_input`: lanes have their own kernels, but one x.
    `precision` as `jax.lax.dot_general` takes it.
    """

    examples_last: bool = False
    shared_input: bool = False
    precision: lax.PrecisionLike = None


# Without the barriers, XLA would fold the transpositions into the products again.
_fixed = lax.optimization_barrier


def _times(a: Array, b: Array, form: Form, contracted: tuple[int, int] = (1, 0)) -> Array:
    numbers = (((contracted[0],), (contracted[1],)), ((), ()))
    return _fixed(lax.dot_general(a, b, numbers, form.precision))


def _forward(x: Array, w: Array, form: Form) -> Array:
    if form.examples_last:
        return _times(_fixed(w.T), _fixed(x.T), form).T
    return lax.dot_general(x, w, (((1,), (0,)), ((), ())), form.precision)


def _by_input(w: Array, g: Array, form: Form) -> Array:
    if form.examples_last:
        return _times(_fixed(w), _fixed(g.T), form).T
    return lax.dot_general(g, w, (((1,), (1,)), ((), ())), form.precision)


def _by_kernel(x: Array, g: Array, form: Form) -> Array:
    if not form.examples_last:
        if g.shape[1] >= x.shape[1]:  # turning it costs more than it gives
            return lax.dot_general(x, g, (((0,), (0,)), ((), ())), form.precision)
        return _times(_fixed(g.T), x, form).T
    if form.shared_input or x.shape[1] > g.shape[1]:
        # The lanes' gradients below each other; or the longer side where the kernel has vectors.
        return _times(_fixed(g.T), _fixed(x.T), form, (1, 1)).T
    return _times(_fixed(x.T), _fixed(g.T), form, (1, 1))


_COMPUTE = {"y": _forward, "x": _by_input, "w": _by_kernel}


def _batched(
    args: tuple[Array, Array], axes: tuple[int | None, int | None], *, gives: str, form: Form
) -> tuple[Array, int]:
    form = form._replace(shared_input=gives == "w" and axes[0] is None)
    return jax.vmap(partial(_COMPUTE[gives], form=form), axes)(*args), 0


dense_p = trilinear("lrlab_dense", _COMPUTE, batched=_batched)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _columns(b: Array, examples: int) -> Array:
    """b [out] for every example: [out, N]."""
    return jnp.broadcast_to(b[:, None], (b.size, examples))


@_columns.defjvp
def _columns_jvp(
    examples: int, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    # Transposed, this sums over the examples of just the array that the products take.
    return _columns(*primals, examples), _fixed(_columns(*tangents, examples))
