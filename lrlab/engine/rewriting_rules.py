"""What equations of a traced program become: dense layers, biases, convolutions, pooling."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import JaxprEqn

from lrlab.engine.jaxprs import array_of, shape_of
from lrlab.models import conv, pooling
from lrlab.models.dense import LARGE, biased, dense, laid_out

SCATTERED = "windows that overlap or are padded, or no images [N, H, W, C]"
"""Why windows are left to XLA."""


class Rule(NamedTuple):
    """What an equation becomes: `function` of its own inputs, and the axis of its result that
    counts features (None: it is no dense layer)."""

    function: Callable[..., Array]
    features: int | None = None


def product(equation: JaxprEqn, kernel: int | None) -> Rule | str:
    """The rule of a `dot_general`, or why there is none. `kernel`: which factor holds weights alone
    (0 or 1; None: neither does, or both).

    Linen, NNX, Haiku and `x @ w` contract the last axis of x [..., in] with the first one of w;
    PyTorch's way, x w^T, with the last one; Equinox has w x, [out, in] by [in], which `vmap` over
    examples makes [out, in] by [N, in].
    """
    contracted, batch = equation.params["dimension_numbers"]
    if batch[0]:
        return "a product of several matrices at once"
    if kernel is None:
        return "no factor is a kernel alone"
    x, w = (array_of(equation.invars[place]) for place in (1 - kernel, kernel))
    by_x, by_w = (tuple(contracted[place]) for place in (1 - kernel, kernel))
    depth = len(by_x)
    last = tuple(range(x.ndim - depth, x.ndim))
    if x.ndim == 2 and by_x == (0,):
        last = by_x
    turned = by_w == tuple(range(w.ndim - depth, w.ndim)) != tuple(range(depth))
    if not depth or by_x != last or not (turned or by_w == tuple(range(depth))):
        return "not the product of examples with a matrix"
    if depth == x.ndim or depth == w.ndim:
        return "a product with a vector"
    if w.size >= LARGE:
        return f"a kernel of {LARGE:,} weights or more"
    inner = math.prod(w.shape[axis] for axis in by_w)
    shapes = (jax.ShapeDtypeStruct((math.prod(x.shape) // max(1, inner), inner), x.dtype),
              jax.ShapeDtypeStruct((inner, w.size // max(1, inner)), w.dtype))  # fmt: skip
    if not laid_out(*shapes) or equation.params["preferred_element_type"] not in (None, x.dtype):
        return "no floats of one dtype"
    precision = equation.params["precision"]

    def layer(left: Array, right: Array) -> Array:
        rows, weights = (left, right)[1 - kernel], (left, right)[kernel]
        rows = rows.T if by_x == (0,) and rows.ndim == 2 else rows
        examples = rows.shape[: rows.ndim - depth]
        outer = weights.shape[:-depth] if turned else weights.shape[depth:]
        matrix = weights.reshape(-1, inner).T if turned else weights.reshape(inner, -1)
        y = dense(rows.reshape(*examples, inner), matrix, precision=precision)
        y = y.reshape(*examples, *outer)
        if kernel == 1:
            return y
        return jnp.moveaxis(y, range(len(examples)), range(len(outer), y.ndim))

    outer = w.ndim - depth
    features = None if outer != 1 else x.ndim - depth if kernel == 1 else 0
    return Rule(layer, features)


def bias(features: int) -> Callable[[Array, Array], Array]:
    """The sum of a dense layer's result [N, out] (or [out, N]) and its bias [out]."""
    if features == 1:
        return biased
    return lambda y, b: biased(y.T, b).T


def convolution(equation: JaxprEqn) -> Rule | str:
    """The rule of a `conv_general_dilated`, or why there is none."""
    options = equation.params
    lhs, rhs = map(array_of, equation.invars)
    decide = ("dimension_numbers", "lhs_dilation", "feature_group_count", "batch_group_count",
              "preferred_element_type")  # fmt: skip
    why = conv.left_to_xla(lhs, rhs, **{name: options[name] for name in decide})
    names = (*decide, "window_strides", "padding", "rhs_dilation", "precision")
    given = {name: options[name] for name in names}
    return why or Rule(functools.partial(conv.conv_general_dilated, **given))


def largest_of_windows(equation: JaxprEqn) -> Rule | str:
    """The rule of a maximum over windows, or why there is none."""
    window = _window(equation)
    if window is None:
        return SCATTERED
    return Rule(lambda x: pooling.max_pool(x, window))


def sum_of_windows(equation: JaxprEqn) -> Rule | str:
    """The rule of a sum over windows, or why there is none."""
    window = _window(equation)
    if window is None:
        return SCATTERED
    return Rule(lambda x: pooling.sum_pool(x, window))


def _window(equation: JaxprEqn) -> tuple[int, int] | None:
    """(rows, columns) of windows that lie side by side and cover the images [N, H, W, C]."""
    options, shape = equation.params, shape_of(equation.invars[0])
    window = tuple(options["window_dimensions"])
    plain = (
        len(shape) == 4
        and window[0] == window[3] == 1
        and tuple(options["window_strides"]) == window
        and not any(low or high for low, high in options["padding"])
        and all(step == 1 for step in (*options["base_dilation"], *options["window_dilation"]))
        and shape[1] % window[1] == 0 == shape[2] % window[2]
        and jnp.issubdtype(array_of(equation.invars[0]).dtype, jnp.floating)
    )
    return (window[1], window[2]) if plain else None


RULES: dict[str, Callable[[JaxprEqn], Rule | str]] = {
    "conv_general_dilated": convolution,
    "reduce_window_max": largest_of_windows,
    "reduce_window_sum": sum_of_windows,
}
"""By primitive; products, which need to know what is a kernel, are apart."""
