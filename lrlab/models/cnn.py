"""A small convolutional network."""

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
    flag,
    images,
    kernel,
    normalized,
    rate,
    sizes,
    whole,
)
from lrlab.models.pooling import avg_pool, max_pool
from lrlab.types import Array

POOLS = ("max", "avg", "none")
MONOTONE = ("relu", "tanh", "elu", "leaky_relu", "softplus", "sigmoid", "identity")


class Cnn(nn.Module):
    """[N, H, W] or [N, H, W, C] (or signals [N, L]) -> [N, num_outputs]."""

    num_outputs: int
    channels: tuple[int, ...]
    kernel: int
    width: int
    activation: str
    pool: str
    bias: bool
    norm: str
    dropout: float
    kernel_init: str
    conv: str

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """Images f[N, H, W] or f[N, H, W, C] -> f[N, num_outputs]."""
        x = images(x)
        act = ACTIVATIONS[self.activation]
        for number, channels in enumerate(self.channels):
            x = nn.Conv(
                channels,
                kernel(x, self.kernel),
                use_bias=self.bias,
                kernel_init=INITIALIZERS[self.kernel_init],
                conv_general_dilated=convolution(self.conv),
                name=f"hidden_conv_{number}",
            )(x)
            x = normalized(x, self.norm, train, f"hidden_norm_{number}")
            window = (min(2, x.shape[1]), min(2, x.shape[2]))
            if self.pool == "max" and self.activation in MONOTONE:
                x = act(max_pool(x, window))  # the same numbers, from a quarter of the entries
            elif self.pool == "max":
                x = max_pool(act(x), window)
            else:
                x = act(x)
                x = avg_pool(x, window) if self.pool == "avg" else x
        x = x.reshape(x.shape[0], -1)
        if self.width:
            x = Dense(
                self.width,
                use_bias=self.bias,
                kernel_init=INITIALIZERS[self.kernel_init],
                name="hidden_dense",
            )(x)
            x = act(x)
        if self.dropout:
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return Dense(self.num_outputs, use_bias=self.bias, name="readout")(x)


def cnn(
    num_outputs: int,
    *,
    channels: int | Sequence[int] = (16, 32),
    kernel: int = 3,
    width: int = 64,
    activation: str = "relu",
    pool: str = "max",
    bias: bool = True,
    norm: str = "none",
    dropout: float = 0.0,
    init: str = "lecun_normal",
    conv: str = "auto",
) -> nn.Module:
    """Convolutional network: convolutions with 2x2 pooling, a dense layer of `width`, readout.

    `width=0` leaves the dense layer out. `conv` is "xla", or "auto" for the way that is fast under
    `vmap`; both compute the same.

    >>> cnn(10, channels=[8]).channels
    (8,)
    """
    return Cnn(
        num_outputs,
        channels=sizes("channels", channels),
        kernel=whole("kernel", kernel),
        width=whole("width", width, 0),
        activation=choice("activation", activation, ACTIVATIONS),
        pool=choice("pool", pool, POOLS),
        bias=flag("bias", bias),
        norm=choice("norm", norm, NORMS),
        dropout=rate("dropout", dropout),
        kernel_init=choice("init", init, INITIALIZERS),
        conv=choice("conv", conv, CONVOLUTIONS),
    )
