"""One convolution as a JAX primitive of its own, whose gradients and `vmap` stay fast on CPU.

The primitive is that of a trilinear form (see `trilinear`): F(x, w) is the convolution, X(w, g) its
gradient by the input, W(x, g) by the kernel. Its rules:

- `vmap`: where the kernel is shared, lanes are more examples of one convolution. Where each lane
  has its own, lanes go one after another. XLA would make one grouped convolution out of them, whose
  gradients take up to 35 times as long on CPU; and one lane's convolution is enough for a core.
- F and X: XLA's convolution with many channels; with few, sums of shifted images.
- W: XLA's kernel gradient is slow. Here the patches of a few images at a time, which stay in a
  core's cache, meet the gradient in a matrix product.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lrlab.models.trilinear import GIVEN, trilinear
from lrlab.types import Array

CHANNELS = 16
"""XLA's convolution is the fastest from so many channels on, on both sides."""

FEW = 32
"""Up to so many taps times input channels, with at most four of these, a convolution is a sum of
shifted images: elementwise work, for which no patches are copied."""

PATCH_BYTES = 2**20
"""What the patches of the images in one product may take: about a core's cache."""


class Geometry(NamedTuple):
    """What a convolution is, beside its numbers: x [N, *size, C], w [*taps, C, O], y and g
    [N, *out, O]. `padding`: (low, high), both at least 0, for each spatial axis; `precision` as
    `jax.lax.dot_general` takes it."""

    size: tuple[int, ...]
    taps: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    precision: lax.PrecisionLike = None

    def out(self) -> tuple[int, ...]:
        """The spatial shape of y."""
        reach = ((k - 1) * d + 1 for k, d in zip(self.taps, self.dilation, strict=True))
        return tuple(
            max(0, (n + low + high - r) // s + 1)
            for n, (low, high), r, s in zip(
                self.size, self.padding, reach, self.strides, strict=True
            )
        )


def convolve(x: Array, w: Array, geometry: Geometry) -> Array:
    """F(x, w): x [N, *size, C], w [*taps, C, O] -> y [N, *out, O].

    >>> geometry = Geometry((4, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    >>> y = convolve(jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 5)), geometry)
    >>> y.shape, float(y[0, 1, 1, 0])
    ((1, 4, 4, 5), 18.0)
    """
    return convolve_p.bind(x, w, gives="y", form=geometry)


def _forward(x: Array, w: Array, geometry: Geometry) -> Array:
    """F(x, w)."""
    channels, outputs = w.shape[-2:]
    if 0 in (shape := (x.shape[0], *geometry.out(), outputs)):
        return jnp.zeros(shape, x.dtype)
    if min(channels, outputs) >= CHANNELS and math.prod(geometry.taps) > 1:
        axes = "DHW"[-len(geometry.size) :]
        return lax.conv_general_dilated(
            x,
            w,
            geometry.strides,
            geometry.padding,
            rhs_dilation=geometry.dilation,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
            precision=geometry.precision,
        )
    if channels <= 4 and math.prod(geometry.taps) * channels <= FEW:
        taps = w.reshape(-1, channels, outputs)
        terms = [
            view[..., channel, None] * tap[channel]
            for view, tap in zip(_views(x, geometry), taps, strict=True)
            for channel in range(channels)
        ]
        return sum(terms[1:], terms[0])
    return _product(x, w, geometry)


def _product(x: Array, w: Array, geometry: Geometry) -> Array:
    """F(x, w) as one product of the patches with the kernel."""
    patches = _patches(x, geometry)
    kernel = w.reshape(-1, w.shape[-1])
    contracted = (((patches.ndim - 1,), (0,)), ((), ()))
    return lax.dot_general(patches, kernel, contracted, geometry.precision)


def _by_input(w: Array, g: Array, geometry: Geometry) -> Array:
    """X(w, g): the transpose of F in x."""
    reach = [(k - 1) * d for k, d in zip(geometry.taps, geometry.dilation, strict=True)]
    padding = tuple((r - a, r - b) for r, (a, b) in zip(reach, geometry.padding, strict=True))
    if 0 not in g.shape and set(geometry.strides) == {1} and min(min(p) for p in padding) >= 0:
        # A convolution of g with the kernel turned round and its channels exchanged.
        turned = jnp.swapaxes(jnp.flip(w, tuple(range(len(reach)))), -1, -2)
        back = geometry._replace(size=tuple(g.shape[1:-1]), padding=padding)
        return _forward(g, turned, back)
    shape = jax.ShapeDtypeStruct((g.shape[0], *geometry.size, w.shape[-2]), g.dtype)
    if 0 in g.shape:
        return jnp.zeros(shape.shape, shape.dtype)
    return jax.linear_transpose(lambda x: _product(x, w, geometry), shape)(g)[0]


def _by_kernel(x: Array, g: Array, geometry: Geometry) -> Array:
    """W(x, g): the transpose of F in w."""
    channels, outputs, examples = x.shape[-1], g.shape[-1], x.shape[0]
    inner = math.prod(geometry.taps) * channels
    shape = (*geometry.taps, channels, outputs)
    if 0 in g.shape or inner == 0:
        return jnp.zeros(shape, x.dtype)

    def of(x: Array, g: Array) -> Array:
        patches = _patches(x, geometry).reshape(-1, inner)
        if outputs >= inner:  # turning the gradient costs more than it gives
            rows = g.reshape(-1, outputs)
            return lax.dot_general(patches, rows, (((0,), (0,)), ((), ())), geometry.precision).T
        # As in `lrlab.models.dense`: XLA's CPU kernels want the contracted axis of the left factor
        # last, and without the barriers the transpositions would be folded into the product again.
        turned = lax.optimization_barrier(g.reshape(-1, outputs).T)
        contracted = (((1,), (0,)), ((), ()))
        product = lax.dot_general(turned, patches, contracted, geometry.precision)
        return lax.optimization_barrier(product)

    image_bytes = math.prod(geometry.out()) * inner * x.dtype.itemsize
    fit = max(1, min(examples, PATCH_BYTES // image_bytes))
    together = next(count for count in range(fit, 0, -1) if examples % count == 0)
    if together == examples:
        return of(x, g).T.reshape(shape)
    xs, gs = (value.reshape(-1, together, *value.shape[1:]) for value in (x, g))
    zero = jnp.zeros((outputs, inner), x.dtype)
    added = lax.fori_loop(0, len(xs), lambda i, total: total + of(xs[i], gs[i]), zero)
    return added.T.reshape(shape)


def _patches(x: Array, geometry: Geometry) -> Array:
    """[N, *out, taps * C]: what each output sees."""
    views = _views(x, geometry)
    return views[0] if len(views) == 1 else jnp.concatenate(views, -1)


def _views(x: Array, geometry: Geometry) -> list[Array]:
    """The image as each tap sees it, [N, *out, C] each."""
    if any(low or high for low, high in geometry.padding):
        pads = [(0, 0, 0), *((low, high, 0) for low, high in geometry.padding), (0, 0, 0)]
        x = lax.pad(x, jnp.zeros((), x.dtype), pads)
    steps = list(zip(geometry.out(), geometry.strides, strict=True))
    views = []
    for tap in np.ndindex(*geometry.taps):
        begin = [index * d for index, d in zip(tap, geometry.dilation, strict=True)]
        end = [b + (n - 1) * s + 1 for b, (n, s) in zip(begin, steps, strict=True)]
        limits = (x.shape[0], *end, x.shape[-1])
        views.append(lax.slice(x, (0, *begin, 0), limits, (1, *geometry.strides, 1)))
    return views


def _batched(args: tuple[Array, Array], axes: tuple[int | None, int | None], *, gives: str,
             form: Geometry) -> tuple[Array, int]:  # fmt: skip
    a, b = (
        arg if axis is None else jnp.moveaxis(arg, axis, 0)
        for arg, axis in zip(args, axes, strict=True)
    )
    over = [name for name, axis in zip(GIVEN[gives], axes, strict=True) if axis is not None]
    one = functools.partial(convolve_p.bind, gives=gives, form=form)
    if "w" not in (*over, gives):
        # The kernel is shared: the lanes are more examples.
        lanes = (a if axes[0] is not None else b).shape[0]
        a, b = (
            arg if axis is None else arg.reshape(-1, *arg.shape[2:])
            for arg, axis in zip((a, b), axes, strict=True)
        )
        result = one(a, b)
        return result.reshape(lanes, -1, *result.shape[1:]), 0
    if len(over) == 2:
        return lax.map(lambda pair: one(*pair), (a, b)), 0
    if axes[0] is not None:
        return lax.map(lambda lane: one(lane, b), a), 0
    return lax.map(lambda lane: one(a, lane), b), 0


convolve_p = trilinear(
    "lrlab_convolve", {"y": _forward, "x": _by_input, "w": _by_kernel}, batched=_batched
)
