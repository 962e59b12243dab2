"""A small residual convolutional network, with running statistics or without."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn

from lrlab.models.dense import Dense
from lrlab.models.layers import (
    ACTIVATIONS,
    CONVOLUTIONS,
    INITIALIZERS,
    NORMS,
    choice,
    convolution,
    images,
    kernel,
    normalized,
    sizes,
    whole,
)
from lrlab.types import Array


class Resnet(nn.Module):
    """[N, H, W] or [N, H, W, C] (or signals [N, L]) -> [N, num_outputs]."""

    num_outputs: int
    channels: tuple[int, ...]
    blocks: int
    activation: str
    norm: str
    kernel_init: str
    conv: str

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """Images f[N, H, W] or f[N, H, W, C] -> f[N, num_outputs]."""
        act = ACTIVATIONS[self.activation]

        def conv(x: Array, channels: int, size: int, stride: int, name: str) -> Array:
            return nn.Conv(
                channels,
                kernel(x, size),
                strides=(min(stride, x.shape[1]), stride),
                use_bias=self.norm == "none",
                kernel_init=INITIALIZERS[self.kernel_init],
                conv_general_dilated=convolution(self.conv),
                name=f"hidden_{name}",
            )(x)

        def norm(x: Array, name: str) -> Array:
            return normalized(x, self.norm, train, f"hidden_{name}")

        x = act(norm(conv(images(x), self.channels[0], 3, 1, "stem"), "stem_norm"))
        for stage, channels in enumerate(self.channels):
            for block in range(self.blocks):
                name = f"{stage}_{block}"
                stride = 2 if stage > 0 and block == 0 else 1
                y = act(norm(conv(x, channels, 3, stride, f"{name}_a"), f"{name}_a_norm"))
                y = norm(conv(y, channels, 3, 1, f"{name}_b"), f"{name}_b_norm")
                if x.shape != y.shape:
                    x = norm(conv(x, channels, 1, stride, f"{name}_skip"), f"{name}_skip_norm")
                x = act(x + y)
        return Dense(self.num_outputs, name="readout")(x.mean((1, 2)))


def resnet(
    num_outputs: int,
    *,
    channels: int | Sequence[int] = (16, 32, 64),
    blocks: int = 1,
    activation: str = "relu",
    norm: str = "batch",
    init: str = "he_normal",
    conv: str = "auto",
) -> nn.Module:
    """Residual network (He et al. 2016, arXiv 1512.03385): `blocks` per stage, one stage a channel.

    Stages after the first halve the image; the mean over the image is read out. With
    `norm="batch"` running statistics travel with the model; "group" has none.

    >>> resnet(10, norm="group").channels
    (16, 32, 64)
    """
    return Resnet(
        num_outputs,
        channels=sizes("channels", channels),
        blocks=whole("blocks", blocks),
        activation=choice("activation", activation, ACTIVATIONS),
        norm=choice("norm", norm, NORMS),
        kernel_init=choice("init", init, INITIALIZERS),
        conv=choice("conv", conv, CONVOLUTIONS),
    )
