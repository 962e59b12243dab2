"""A linear model: least squares with "mse", logistic regression with a cross-entropy."""

from __future__ import annotations

import flax.linen as nn

from lrlab.models.dense import Dense
from lrlab.models.layers import INITIALIZERS, choice, flag, flattened
from lrlab.types import Array


class Linear(nn.Module):
    """[N, ...] -> [N, num_outputs]."""

    num_outputs: int
    bias: bool
    kernel_init: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f[N, ...] -> f[N, num_outputs]."""
        return Dense(
            self.num_outputs,
            use_bias=self.bias,
            kernel_init=INITIALIZERS[self.kernel_init],
            name="readout",
        )(flattened(x))


def linear(num_outputs: int, *, bias: bool = True, init: str = "lecun_normal") -> nn.Module:
    """Linear model: outputs = W x + b.

    >>> linear(3)
    Linear(
        # attributes
        num_outputs = 3
        bias = True
        kernel_init = 'lecun_normal'
    )
    """
    return Linear(num_outputs, flag("bias", bias), choice("init", init, INITIALIZERS))
