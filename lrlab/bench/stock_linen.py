"""The workloads' models as people write them in Flax Linen: the library's own layers alone."""

from __future__ import annotations

import flax.linen as nn
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from lrlab.bench.workloads import Workload
from lrlab.types import Array, Params


class Mlp(nn.Module):
    """[N, features] -> [N, outputs]."""

    outputs: int
    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f[N, features] -> f[N, outputs]."""
        for number, width in enumerate(self.widths):
            x = nn.relu(nn.Dense(width, name=f"hidden_{number}")(x))
        return nn.Dense(self.outputs, name="readout")(x)


class Cnn(nn.Module):
    """[N, H, W] -> [N, outputs]."""

    outputs: int
    channels: tuple[int, ...]
    width: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f[N, H, W] -> f[N, outputs]."""
        x = x[..., None]
        for number, channels in enumerate(self.channels):
            x = nn.relu(nn.Conv(channels, (3, 3), name=f"hidden_conv_{number}")(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(nn.Dense(self.width, name="hidden_dense")(x.reshape(len(x), -1)))
        return nn.Dense(self.outputs, name="readout")(x)


class Resnet(nn.Module):
    """[N, H, W] -> [N, outputs]; a block per stage."""

    outputs: int
    channels: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """f[N, H, W] -> f[N, outputs]."""

        def conv(x: Array, channels: int, size: int, stride: int, name: str) -> Array:
            kernel = (size, size)
            x = nn.Conv(channels, kernel, stride, use_bias=False, name=f"hidden_{name}")(x)
            norm = nn.BatchNorm(not train, momentum=0.9, name=f"hidden_{name}_norm")
            return norm(x)

        x = nn.relu(conv(x[..., None], self.channels[0], 3, 1, "stem"))
        for stage, channels in enumerate(self.channels):
            stride, name = 2 if stage else 1, f"{stage}_0"
            y = nn.relu(conv(x, channels, 3, stride, f"{name}_a"))
            y = conv(y, channels, 3, 1, f"{name}_b")
            if x.shape != y.shape:
                x = conv(x, channels, 1, stride, f"{name}_skip")
            x = nn.relu(x + y)
        return nn.Dense(self.outputs, name="readout")(x.mean((1, 2)))


class Transformer(nn.Module):
    """Bytes [N, T] -> [N, T, outputs]."""

    outputs: int
    width: int
    depth: int
    heads: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """int[N, T] -> f[N, T, outputs]."""
        mask = nn.make_causal_mask(x)
        places = self.param("embedding_places", nn.initializers.zeros, (x.shape[1], self.width))
        h = nn.Embed(self.outputs, self.width, name="embedding")(x) + places
        for number in range(self.depth):
            name = f"hidden_{number}"
            y = nn.LayerNorm(name=f"{name}_norm_attention")(h)
            attention = nn.MultiHeadDotProductAttention(self.heads, name=f"{name}_attention")
            h = h + attention(y, mask=mask)
            y = nn.LayerNorm(name=f"{name}_norm_mlp")(h)
            y = nn.gelu(nn.Dense(4 * self.width, name=f"{name}_up")(y))
            h = h + nn.Dense(self.width, name=f"{name}_down")(y)
        return nn.Dense(self.outputs, name="readout")(nn.LayerNorm(name="hidden_norm")(h))


def module(work: Workload, outputs: int) -> nn.Module:
    """The module of a workload."""
    options = work.model
    if work.kind == "mlp":
        return Mlp(outputs, tuple(options["width"]))
    if work.kind == "cnn":
        return Cnn(outputs, tuple(options["channels"]), options["width"])
    if work.kind == "resnet":
        return Resnet(outputs, tuple(options["channels"]))
    return Transformer(outputs, options["width"], options["depth"], options["heads"])


def attention_apart(params: Params, heads: int) -> Params:
    """The parameters of `lrlab.models.transformer` with its one product for queries, keys and
    values as the three that `nn.MultiHeadDotProductAttention` has; others as they are.

    >>> kernel = {"kernel": np.zeros((4, 12)), "bias": np.zeros(12)}
    >>> mix = {"kernel": np.zeros((4, 4)), "bias": np.zeros(4)}
    >>> params = attention_apart({"hidden_0_qkv": kernel, "hidden_0_mix": mix}, heads=2)
    >>> params["hidden_0_attention"]["key"]["kernel"].shape
    (4, 2, 2)
    """
    result: dict[tuple[str, ...], object] = {}
    for (layer, *rest), leaf in flatten_dict(params).items():
        array = np.asarray(leaf)
        name, _, kind = layer.rpartition("_")
        if kind == "qkv":
            parts = array.reshape(*array.shape[:-1], 3, heads, -1)
            for number, part in enumerate(("query", "key", "value")):
                place = (f"{name}_attention", part, *rest)
                result[place] = parts.take(number, axis=-3)
        elif kind == "mix":
            wanted = (heads, -1, array.shape[-1]) if rest == ["kernel"] else array.shape
            result[(f"{name}_attention", "out", *rest)] = array.reshape(wanted)
        else:
            result[(layer, *rest)] = leaf
    return unflatten_dict(result)
