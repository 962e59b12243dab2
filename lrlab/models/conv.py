"""A convolution that stays fast on CPU when lanes are vmapped: shifted matrix products.

`vmap` over weights turns XLA's convolution into a grouped one, whose gradients are slow on CPU; the
plain one is not fast there either. Here the kernel's taps are matrix products of shifted views of
the input, forward and (through differentiation) backward, and `vmap` makes those batched products.

For anyone's own model it is one line, in Linen and NNX alike:
`nn.Conv(16, (3, 3), conv_general_dilated=lrlab.models.conv.conv_general_dilated)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from lrlab.models.platform import on_cpu
from lrlab.types import Array

MAX_TAPS = 49
"""Kernels with more taps go to XLA: so many small products would not be faster."""

STACKED = 160
"""Up to so many taps times input channels all taps are one product; above, those of one row are.
Longer inner products run nearer to the machine's peak, until the stacked input leaves the cache."""


def conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    **options: Any,
) -> Array:
    """`jax.lax.conv_general_dilated`, equal to rounding, by shifted matrix products on CPU.

    Takes and gives what `jax.lax.conv_general_dilated` does, in any number of spatial dimensions.
    Grouped convolutions are one product per group. On accelerators, for dilated inputs (transposed
    convolutions), batch groups, large kernels and many groups, it is XLA's convolution.

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
    taps = [rhs.shape[axis] for axis in numbers.rhs_spec[2:]]
    known = (
        on_cpu()
        and (lhs_dilation is None or all(d == 1 for d in lhs_dilation))
        and batch_group_count == 1
        and int(np.prod(taps)) <= MAX_TAPS
        and feature_group_count <= 8
        and spatial >= 1
        and jnp.issubdtype(lhs.dtype, jnp.floating)
        and not options
    )
    if not known:
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
    x = jnp.transpose(lhs, (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1]))
    w = jnp.transpose(rhs, (*numbers.rhs_spec[2:], numbers.rhs_spec[1], numbers.rhs_spec[0]))
    reach = [(size - 1) * d + 1 for size, d in zip(taps, dilation, strict=True)]
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:-1], reach, strides, padding)
    pads = [(0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)]
    if any(low or high for low, high, _ in pads):
        x = lax.pad(x, jnp.zeros((), x.dtype), pads)
    out = tuple(
        max(0, (size - r) // s + 1)
        for size, r, s in zip(x.shape[1:-1], reach, strides, strict=True)
    )
    options = {"precision": precision, "preferred_element_type": preferred_element_type}
    groups = feature_group_count
    if groups == 1:
        y = _shifted(x, w, out, strides, dilation, options)
    else:
        parts = zip(jnp.split(x, groups, -1), jnp.split(w, groups, -1), strict=True)
        y = jnp.concatenate([_shifted(a, b, out, strides, dilation, options) for a, b in parts], -1)
    # From [N, spatial..., C] to where the caller wants each of them.
    order = (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1])
    return jnp.transpose(y, [order.index(axis) for axis in range(len(order))])


def _shifted(
    x: Array,
    w: Array,
    out: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    options: dict[str, Any],
) -> Array:
    """The convolution of padded x [N, spatial..., C] with w [taps..., C, O]; [N, out..., O]."""
    if 0 in out:
        return jnp.zeros((x.shape[0], *out, w.shape[-1]), x.dtype)
    together = w.ndim - 2 if np.prod(w.shape[:-1]) <= STACKED else 1
    split = w.shape[: w.ndim - 2 - together]
    total = None
    for outer in np.ndindex(*split):
        views = []
        for inner in np.ndindex(*w.shape[len(split) : -2]):
            begin = [index * d for index, d in zip((*outer, *inner), dilation, strict=True)]
            end = [b + (n - 1) * s + 1 for b, n, s in zip(begin, out, strides, strict=True)]
            views.append(
                lax.slice(x, (0, *begin, 0), (x.shape[0], *end, x.shape[-1]), (1, *strides, 1))
            )
        stacked = views[0] if len(views) == 1 else jnp.concatenate(views, -1)
        rows = stacked.reshape(-1, stacked.shape[-1])
        part = jnp.dot(rows, w[outer].reshape(rows.shape[-1], -1), **options)
        total = part if total is None else total + part
    assert total is not None
    return total.reshape(x.shape[0], *out, w.shape[-1])
