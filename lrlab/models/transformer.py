"""A decoder-only transformer on bytes."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.models.dense import Dense
from lrlab.models.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    MAX_DEPTH,
    NORMS,
    choice,
    flag,
    normalized,
    rate,
    whole,
)
from lrlab.types import Array


class Transformer(nn.Module):
    """Tokens int[N, T] below `num_outputs` -> [N, T, num_outputs], each from tokens up to it."""

    num_outputs: int
    width: int
    depth: int
    heads: int
    mlp_ratio: int
    activation: str
    bias: bool
    norm: str
    dropout: float
    kernel_init: str
    head_base: int | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """Tokens int[N, T] -> f[N, T, num_outputs]."""
        if x.ndim != 2 or not jnp.issubdtype(x.dtype, jnp.integer):
            raise ValueError(
                f"the transformer takes tokens int[N, T], got {x.dtype}{list(x.shape)}; "
                "use data such as stdlib or text:PATH"
            )

        def dense(x: Array, size: int, name: str) -> Array:
            init = INITIALIZERS[self.kernel_init]
            layer = Dense(size, use_bias=self.bias, kernel_init=init, name=name)
            return layer(x)

        def drop(x: Array) -> Array:
            return nn.Dropout(self.dropout, deterministic=not train)(x) if self.dropout else x

        def norm(x: Array, name: str) -> Array:
            return normalized(x, self.norm, train, f"hidden_{name}")

        length = x.shape[1]
        small = nn.initializers.normal(0.02)
        places = self.param("embedding_places", small, (length, self.width))
        h = nn.Embed(self.num_outputs, self.width, embedding_init=small, name="embedding")(x)
        h = drop(h + places)
        for number in range(self.depth):
            name = f"hidden_{number}"
            qkv = dense(norm(h, f"{number}_norm_attention"), 3 * self.width, f"{name}_qkv")
            mixed = causal_attention(qkv, self.heads, self.head_base)
            h = h + drop(dense(mixed, self.width, f"{name}_mix"))
            up = dense(norm(h, f"{number}_norm_mlp"), self.mlp_ratio * self.width, f"{name}_up")
            h = h + drop(dense(ACTIVATIONS[self.activation](up), self.width, f"{name}_down"))
        return dense(norm(h, "norm"), self.num_outputs, "readout")


def causal_attention(qkv: Array, heads: int, head_base: int | None = None) -> Array:
    """Softmax(q k^T / sqrt(d)) v over earlier places; [N, T, 3 width] -> [N, T, width].

    With `head_base` b the logits are q k^T sqrt(b) / d: muP's 1/d, equal to 1/sqrt(d) at d = b.
    """
    n, t, _ = qkv.shape
    q, k, v = jnp.moveaxis(qkv.reshape(n, t, 3, heads, -1), 2, 0)
    size = q.shape[-1]
    divisor = jnp.sqrt(size) if head_base is None else size / jnp.sqrt(head_base)
    scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) / jnp.asarray(divisor).astype(q.dtype)
    allowed = jnp.tril(jnp.ones((t, t), bool))
    weights = jax.nn.softmax(jnp.where(allowed, scores, jnp.finfo(scores.dtype).min))
    return jnp.einsum("nhqk,nkhd->nqhd", weights, v).reshape(n, t, -1)


def transformer(
    num_outputs: int = 256,
    *,
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    mlp_ratio: int = 4,
    activation: str = "gelu",
    bias: bool = True,
    norm: str = "layer",
    dropout: float = 0.0,
    init: str = "lecun_normal",
    head_base: int | None = None,
) -> nn.Module:
    """Transformer decoder on bytes, pre-norm, learned places (Radford et al. 2019, GPT-2).

    The context is the data's window. `width` must be a multiple of `heads`. `head_base`: the head
    size at which attention divided by the head size (as muP wants it) equals the usual one.

    >>> transformer(256, width=32, heads=2).depth
    2
    """
    if whole("width", width) % whole("heads", heads):
        raise FieldError(
            "heads", f"width must be a multiple of heads, got {width} and {heads}", also="width"
        )
    return Transformer(
        num_outputs,
        width=width,
        depth=whole("depth", depth, most=MAX_DEPTH),
        heads=heads,
        mlp_ratio=whole("mlp_ratio", mlp_ratio),
        activation=choice("activation", activation, ACTIVATIONS),
        bias=flag("bias", bias),
        norm=choice("norm", norm, [kind for kind in NORMS if kind != "batch"]),
        dropout=rate("dropout", dropout),
        kernel_init=choice("init", init, INITIALIZERS),
        head_base=None if head_base is None else whole("head_base", head_base),
    )
