"""A fully connected network."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn

from lrlab.models.dense import Dense
from lrlab.models.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    MAX_DEPTH,
    NORMS,
    choice,
    flag,
    flattened,
    normalized,
    rate,
    sizes,
    whole,
)
from lrlab.types import Array


class Mlp(nn.Module):
    """[N, ...] -> [N, num_outputs]; parameters `hidden_0`, ..., `readout`."""

    num_outputs: int
    widths: tuple[int, ...]
    activation: str
    bias: bool
    norm: str
    dropout: float
    kernel_init: str
    readout_init: str
    residual: bool = False

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """f[N, ...] -> f[N, num_outputs]."""
        x = flattened(x)
        for number, width in enumerate(self.widths):
            branch = self.residual and x.shape[-1] == width and number > 0
            start = x
            if branch:  # before the layer, so that the sum grows freely
                x = normalized(x, self.norm, train, f"hidden_norm_{number}")
            x = Dense(
                width,
                use_bias=self.bias,
                kernel_init=INITIALIZERS[self.kernel_init],
                name=f"hidden_{number}",
            )(x)
            if not branch:
                x = normalized(x, self.norm, train, f"hidden_norm_{number}")
            x = ACTIVATIONS[self.activation](x)
            if self.dropout:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
            x = start + x if branch else x
        return Dense(
            self.num_outputs,
            use_bias=self.bias,
            kernel_init=INITIALIZERS[self.readout_init],
            name="readout",
        )(x)


def mlp(
    num_outputs: int,
    *,
    width: int | Sequence[int] = 128,
    depth: int | None = None,
    activation: str = "relu",
    bias: bool = True,
    norm: str = "none",
    dropout: float = 0.0,
    init: str = "lecun_normal",
    readout_init: str = "lecun_normal",
    residual: bool = False,
) -> nn.Module:
    """Multilayer perceptron: `depth` hidden layers (2) of `width`, or widths as listed.

    Each layer: dense, norm, activation, dropout. Inputs of any shape are flattened. With `residual`
    a layer between equal widths is a branch: x + dropout(activation(dense(norm(x)))).

    >>> mlp(10, width=[32, 16]).widths, mlp(10, width=8, depth=3).widths
    ((32, 16), (8, 8, 8))
    """
    if depth is not None:
        whole("depth", depth, most=MAX_DEPTH)
    listed = isinstance(width, Sequence)
    return Mlp(
        num_outputs,
        widths=sizes("width", width, depth if depth is not None or listed else 2),
        activation=choice("activation", activation, ACTIVATIONS),
        bias=flag("bias", bias),
        norm=choice("norm", norm, NORMS),
        dropout=rate("dropout", dropout),
        kernel_init=choice("init", init, INITIALIZERS),
        readout_init=choice("readout_init", readout_init, INITIALIZERS),
        residual=flag("residual", residual),
    )
