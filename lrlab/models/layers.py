"""What several architectures share: options by name, their checks, normalization, convolution."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.core.synonyms import did_you_mean
from lrlab.models.conv import conv_general_dilated
from lrlab.types import Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": nn.relu,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "tanh": jnp.tanh,
    "elu": nn.elu,
    "leaky_relu": nn.leaky_relu,
    "softplus": nn.softplus,
    "sigmoid": nn.sigmoid,
    "identity": lambda x: x,
}
INITIALIZERS: dict[str, Callable[..., Array]] = {
    "lecun_normal": nn.initializers.lecun_normal(),
    "lecun_uniform": nn.initializers.lecun_uniform(),
    "he_normal": nn.initializers.he_normal(),
    "he_uniform": nn.initializers.he_uniform(),
    "glorot_normal": nn.initializers.glorot_normal(),
    "glorot_uniform": nn.initializers.glorot_uniform(),
    "orthogonal": nn.initializers.orthogonal(),
    "zeros": nn.initializers.zeros_init(),
}
NORMS = ("none", "batch", "group", "layer", "rms")
CONVOLUTIONS = ("auto", "xla")


def choice(option: str, value: object, known: Collection[str]) -> str:
    """`value`, or a FieldError that lists what the option can be."""
    if not isinstance(value, str) or value not in known:
        hint = did_you_mean(str(value), known)
        raise FieldError(option, f"{option} must be one of {', '.join(known)}, got {value!r}{hint}")
    return value


MAX_DEPTH = 1000
"""Layers in a row: each is traced, so that more would only look like a program that hangs."""


def whole(option: str, value: object, least: int = 1, most: int | None = None) -> int:
    """`value`, where it is a whole number from `least` to `most`; else a FieldError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FieldError(
            option, f"{option} must be a whole number of at least {least}, got {value!r}"
        )
    if most is not None and value > most:
        raise FieldError(option, f"{option} must be at most {most:,}, got {value:,}")
    return value


def rate(option: str, value: object) -> float:
    """`value`, where it is a number from 0 to below 1; else a FieldError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise FieldError(option, f"{option} must be at least 0 and below 1, got {value!r}")
    return float(value)


def flag(option: str, value: object) -> bool:
    """`value`, where it is true or false; else a FieldError."""
    if not isinstance(value, bool):
        raise FieldError(option, f"{option} must be true or false, got {value!r}")
    return value


def sizes(option: str, value: int | Sequence[int], count: int | None = None) -> tuple[int, ...]:
    """Layer sizes: one number for `count` layers, or one number each.

    >>> sizes("width", 64, 2), sizes("width", [32, 16])
    ((64, 64), (32, 16))
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        listed = tuple(whole(option, item) for item in value)
        if count is not None and count != len(listed):
            raise FieldError(
                option,
                f"{option} = {list(value)} lists {len(listed)} layers, but depth = {count}; "
                "give one of them",
            )
        if not listed:
            raise FieldError(option, f"{option} must list at least one layer")
        return listed
    return (whole(option, value),) * (1 if count is None else count)


def normalized(x: Array, kind: str, train: bool, name: str) -> Array:
    """`x` normalized over the batch, groups of at most 8 channels, or features; as named."""
    if kind == "batch":
        return nn.BatchNorm(use_running_average=not train, momentum=0.9, name=name)(x)
    if kind == "group":
        return nn.GroupNorm(num_groups=math.gcd(x.shape[-1], 8), name=name)(x)
    if kind == "layer":
        return nn.LayerNorm(name=name)(x)
    if kind == "rms":
        return nn.RMSNorm(name=name)(x)
    return x


def floating(x: Array) -> Array:
    """Integers (raw pixels) as floats of JAX's current precision; floats as they are."""
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))


def flattened(x: Array) -> Array:
    """[N, ...] as floats [N, features]."""
    return floating(x).reshape(x.shape[0], -1)


def images(x: Array) -> Array:
    """[N, H, W, C] from that, from [N, H, W], or from signals [N, L] as images of one row."""
    x = floating(x)
    if x.ndim == 2:
        return x[:, None, :, None]
    if x.ndim == 3:
        return x[..., None]
    if x.ndim != 4:
        raise ValueError(
            f"this model takes images [N, H, W] or [N, H, W, C], or signals [N, L]; got {x.shape}"
        )
    return x


def kernel(x: Array, size: int) -> tuple[int, int]:
    """The kernel's rows and columns; a signal has one row."""
    return (min(size, 1) if x.shape[1] == 1 else size, size)


def convolution(name: str) -> Callable[..., Array]:
    """What `nn.Conv` runs: "xla", or "auto" for the way that stays fast under `vmap`."""
    if name == "auto":
        return conv_general_dilated
    return jax.lax.conv_general_dilated
