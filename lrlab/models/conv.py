"""A convolution that is fast on CPU, forward and backward, and stays it when lanes are vmapped.

`vmap` over weights turns XLA's convolution into a grouped one, whose gradients are slow on CPU, and
its gradient by the kernel is not fast there either. `conv_primitive` does both better.

For anyone's own model it is one line, in Linen and NNX alike:
`nn.Conv(16, (3, 3), conv_general_dilated=lrlab.models.conv.conv_general_dilated)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.typing import DTypeLike

from lrlab.models.conv_primitive import Geometry, convolve
from lrlab.models.depthwise import depthwise
from lrlab.models.platform import on_cpu
from lrlab.types import Array

MAX_TAPS = 49
"""Kernels with more taps go to XLA: so many small products would not be faster."""

MAX_GROUPS = 8
"""More groups of several channels than this go to XLA."""


def left_to_xla(
    lhs: Array | ShapedArray,
    rhs: Array | ShapedArray,
    dimension_numbers: lax.ConvDimensionNumbers,
    lhs_dilation: Sequence[int] | None,
    feature_group_count: int,
    batch_group_count: int,
    preferred_element_type: DTypeLike | None,
) -> str | None:
    """Why a convolution is not done here, where it is not; only shapes and dtypes are read."""
    taps = math.prod(rhs.shape[axis] for axis in dimension_numbers.rhs_spec[2:])
    if lhs_dilation is not None and any(d != 1 for d in lhs_dilation):
        return "a transposed convolution"
    alone = _is_depthwise(lhs, dimension_numbers, feature_group_count)
    if batch_group_count != 1 or (feature_group_count > MAX_GROUPS and not alone):
        return f"more than {MAX_GROUPS} groups"
    if taps > MAX_TAPS:
        return f"a kernel of more than {MAX_TAPS} taps"
    if not 1 <= lhs.ndim - 2 <= 3:
        return "not one to three spatial axes"
    floats = jnp.issubdtype(lhs.dtype, jnp.floating) and lhs.dtype == rhs.dtype
    if not floats or preferred_element_type not in (None, lhs.dtype):
        return "no floats of one dtype"
    return None


def conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: lax.ConvGeneralDilatedDimensionNumbers = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
    **options: Any,
) -> Array:
    """`jax.lax.conv_general_dilated`, equal to rounding, by shifted matrix products on CPU.

    Takes and gives what `jax.lax.conv_general_dilated` does, in any number of spatial dimensions.
    Grouped convolutions are one product per group, those of each channel by itself a sum over taps
    (`lrlab.models.depthwise`). On accelerators, for dilated inputs (transposed convolutions), batch
    groups, large kernels and many groups of several channels, it is XLA's convolution.

    >>> x, w = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 5))
    >>> numbers = ("NHWC", "HWIO", "NHWC")
    >>> y = conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers)
    >>> bool(jnp.allclose(y, lax.conv_general_dilated(x, w, (1, 1), "SAME",
    ...                                               dimension_numbers=numbers)))
    True
    """
    spatial = lhs.ndim - 2
    strides = tuple(window_strides)
    dilation = (1,) * spatial if rhs_dilation is None else tuple(rhs_dilation)
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    why = left_to_xla(
        lhs,
        rhs,
        numbers,
        lhs_dilation,
        feature_group_count,
        batch_group_count,
        preferred_element_type,
    )
    if why is not None or options or not on_cpu():
        return lax.conv_general_dilated(
            lhs,
            rhs,
            strides,
            padding,
            lhs_dilation,
            dilation,
            numbers,
            feature_group_count,
            batch_group_count,
            precision,
            preferred_element_type,
            **options,
        )
    x, w, geometry = _channels_last(lhs, rhs, numbers, strides, padding, dilation, precision)
    groups = feature_group_count
    if _is_depthwise(lhs, numbers, groups):
        return _as_wanted(depthwise(x, w[..., 0, :], geometry), numbers)
    parts = zip(jnp.split(x, groups, -1), jnp.split(w, groups, -1), strict=True)
    each = [convolve(part, kernel, geometry) for part, kernel in parts]
    return _as_wanted(each[0] if groups == 1 else jnp.concatenate(each, -1), numbers)


def _is_depthwise(
    lhs: Array | ShapedArray, numbers: lax.ConvDimensionNumbers, feature_group_count: int
) -> bool:
    """Whether each channel of several is convolved by itself; only shapes are read."""
    return feature_group_count == lhs.shape[numbers.lhs_spec[1]] > 1


def _channels_last(
    lhs: Array,
    rhs: Array,
    numbers: lax.ConvDimensionNumbers,
    strides: tuple[int, ...],
    padding: str | Sequence[tuple[int, int]],
    dilation: tuple[int, ...],
    precision: lax.PrecisionLike,
) -> tuple[Array, Array, Geometry]:
    """Images [N, spatial..., in], the kernel [taps..., in of a group, out], and the rest."""
    x = jnp.transpose(lhs, (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1]))
    w = jnp.transpose(rhs, (*numbers.rhs_spec[2:], numbers.rhs_spec[1], numbers.rhs_spec[0]))
    taps = tuple(w.shape[:-2])
    reach = [(size - 1) * d + 1 for size, d in zip(taps, dilation, strict=True)]
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:-1], reach, strides, padding)
    if any(min(pair) < 0 for pair in padding):  # cuts the image
        cut = [(min(low, 0), min(high, 0), 0) for low, high in padding]
        x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *cut, (0, 0, 0)])
    geometry = Geometry(
        size=tuple(x.shape[1:-1]),
        taps=taps,
        strides=strides,
        padding=tuple((max(low, 0), max(high, 0)) for low, high in padding),
        dilation=dilation,
        precision=lax.Precision(precision) if isinstance(precision, str) else precision,
    )
    return x, w, geometry


def _as_wanted(y: Array, numbers: lax.ConvDimensionNumbers) -> Array:
    """From [N, spatial..., C] to where the caller wants each of them."""
    order = (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1])
    return jnp.transpose(y, [order.index(axis) for axis in range(len(order))])
