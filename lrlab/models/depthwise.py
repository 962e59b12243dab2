"""Convolutions of each channel by itself, on CPU.

In a loop, where lanes train, networks of such layers took 9 and 60 times as long with XLA's
convolution as with the sum over taps here (`experiments/benchmarks`, "Depthwise convolutions"). The
sum is all elementwise: `vmap` and gradients need nothing of their own.
"""

from __future__ import annotations

import numpy as np
from jax import lax
from jax import numpy as jnp

from lrlab.models.conv_primitive import Geometry
from lrlab.types import Array


def depthwise(x: Array, w: Array, geometry: Geometry) -> Array:
    """Images `x` [N, spatial..., C] by `w` [taps..., C * m], m results of each channel beside each
    other: [N, spatial..., C * m]. Floats shorter than float32 are added up in float32.

    >>> one = Geometry((3,), (2,), (1,), ((0, 0),), (1,))
    >>> depthwise(jnp.array([[[1.0], [2.0], [4.0]]]), jnp.array([[1.0], [-1.0]]), one)[0, :, 0]
    Array([-1., -2.], dtype=float32)
    """
    dtype, channels = jnp.promote_types(x.dtype, jnp.float32), x.shape[-1]
    padded = jnp.pad(x, [(0, 0), *geometry.padding, (0, 0)]).astype(dtype)
    kernel = w.reshape(*geometry.taps, channels, -1).astype(dtype)
    sizes = zip(padded.shape[1:-1], geometry.taps, geometry.dilation, strict=True)
    ends = [size - (taps - 1) * step for size, taps, step in sizes]
    if min(ends) <= 0:  # the kernel is larger than the image
        places = [-(-max(end, 0) // step) for end, step in zip(ends, geometry.strides, strict=True)]
        return jnp.zeros((len(x), *places, w.shape[-1]), x.dtype)
    total: Array = jnp.zeros((), dtype)
    for tap in np.ndindex(*geometry.taps):
        start = [place * step for place, step in zip(tap, geometry.dilation, strict=True)]
        shifted = lax.slice(
            padded,
            (0, *start, 0),
            (len(x), *(first + end for first, end in zip(start, ends, strict=True)), channels),
            (1, *geometry.strides, 1),
        )
        total = total + shifted[..., None] * kernel[tap]
    return total.reshape(*total.shape[:-2], -1).astype(x.dtype)
