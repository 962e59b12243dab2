"""What equations of a traced program become: dense layers, biases, convolutions, pooling, and what
cross-entropies are made of."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import ShapedArray
from jax.extend.core import JaxprEqn
from jax.lax import GatherScatterMode

from lrlab.engine.jaxprs import array_of
from lrlab.models import conv, pooling
from lrlab.models.dense import FEW, LARGE, LONG, biased, dense, laid_out


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
    if 0 in (*x.shape, *w.shape):
        return "a product of nothing"
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
    if math.prod(equation.params["window_dimensions"]) > pooling.MAX_ENTRIES:
        return f"windows of more than {pooling.MAX_ENTRIES} entries"
    return _pooled(equation, pooling.max_pool)


def sum_of_windows(equation: JaxprEqn) -> Rule | str:
    """The rule of a sum over windows, or why there is none."""
    return _pooled(equation, pooling.sum_pool)


def _pooled(equation: JaxprEqn, pool: Callable[[Array, tuple[int, int]], Array]) -> Rule | str:
    """`pool`, which takes [N, H, W, C], over whichever axes the windows have."""
    options, x = equation.params, array_of(equation.invars[0])
    window = tuple(options["window_dimensions"])
    wide = [axis for axis, size in enumerate(window) if size > 1]
    side_by_side = (
        tuple(options["window_strides"]) == window
        and not any(low or high for low, high in options["padding"])
        and all(step == 1 for step in (*options["base_dilation"], *options["window_dilation"]))
        and all(x.shape[axis] % window[axis] == 0 for axis in wide)
    )
    if not side_by_side:
        return "windows that overlap, are padded or leave a rest"
    if len(wide) not in (1, 2) or x.ndim < 3 or not jnp.issubdtype(x.dtype, jnp.floating):
        return "not windows of one or two axes over images of floats"
    rest = [axis for axis in range(x.ndim) if axis not in wide]
    order = [*rest[:-1], *wide, rest[-1]]
    size = tuple(x.shape[axis] // window[axis] for axis in order)
    height, *more = (window[axis] for axis in wide)
    images = (-1, *(x.shape[axis] for axis in wide), *[1] * (2 - len(wide)), x.shape[rest[-1]])

    def pooled(x: Array) -> Array:
        y = pool(jnp.transpose(x, order).reshape(images), (height, *more) if more else (height, 1))
        return jnp.transpose(y.reshape(size), [order.index(axis) for axis in range(x.ndim)])

    return Rule(pooled)


def over_features(equation: JaxprEqn) -> Rule | None:
    """The rule of a sum or a maximum over the features of examples [N, features], which dense
    layers leave with the examples last."""
    x = array_of(equation.invars[0])
    if not _few_features(x) or tuple(equation.params["axes"]) != (1,):
        return None
    primitive, options = equation.primitive, {**equation.params, "axes": (0,)}
    return Rule(lambda x: primitive.bind(x.T, **options))


def one_of_features(equation: JaxprEqn) -> Rule | None:
    """The rule of taking one feature of each example [N, features], as cross-entropies do: a sum of
    which all terms but one are zero. Gathers are slow on CPU, and their gradients scatter."""
    x, places = map(array_of, equation.invars)
    options = equation.params
    numbers, fill = options["dimension_numbers"], options["fill_value"]
    one_each = (
        _few_features(x)
        and places.shape == (x.shape[0], 1, 1)
        and tuple(numbers.operand_batching_dims)
        == (0,)
        == tuple(numbers.start_indices_batching_dims)
        and tuple(numbers.start_index_map) == (1,) == tuple(numbers.collapsed_slice_dims)
        and options["mode"] == GatherScatterMode.FILL_OR_DROP
    )
    if not one_each:
        return None

    def taken(x: Array, places: Array) -> Array:
        place, features = places[:, 0, 0], x.shape[1]
        mine = jnp.arange(features, dtype=place.dtype)[:, None] == place
        y = jnp.where(mine, x.T, 0).sum(0, dtype=x.dtype)
        missing = jnp.asarray(jnp.nan if fill is None else fill, x.dtype)
        return jnp.where((place >= 0) & (place < features), y, missing)[:, None]

    return Rule(taken)


def _few_features(x: ShapedArray) -> bool:
    """Whether an array may be what a dense layer leaves with the examples last: floats
    [N, features]."""
    floats = jnp.issubdtype(x.dtype, jnp.floating)
    return x.ndim == 2 and x.shape[0] >= FEW and 1 < x.shape[1] <= LONG and floats


RULES: dict[str, Callable[[JaxprEqn], Rule | str | None]] = {
    "conv_general_dilated": convolution,
    "gather": one_of_features,
    "reduce_max": over_features,
    "reduce_sum": over_features,
    "reduce_window_max": largest_of_windows,
    "reduce_window_sum": sum_of_windows,
}
"""By primitive; products, which need to know what is a kernel, are apart."""
