"""The workloads' models as people write them in Equinox: the library's own layers alone, for one
example, vmapped over the batch."""

# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from lrlab.bench.workloads import Workload
from lrlab.types import Array, Model, Params


class Mlp(eqx.Module):
    """[features] -> [outputs]."""

    hidden: list[eqx.nn.Linear]
    readout: eqx.nn.Linear

    def __call__(self, x: Array) -> Array:
        """f[features] -> f[outputs]."""
        for layer in self.hidden:
            x = jax.nn.relu(layer(x))
        return self.readout(x)


class Cnn(eqx.Module):
    """[H, W] -> [outputs]."""

    hidden: list[eqx.nn.Conv2d]
    pool: eqx.nn.MaxPool2d
    dense: eqx.nn.Linear
    readout: eqx.nn.Linear

    def __call__(self, x: Array) -> Array:
        """f[H, W] -> f[outputs]."""
        x = x[None]
        for layer in self.hidden:
            x = self.pool(jax.nn.relu(layer(x)))
        return self.readout(jax.nn.relu(self.dense(x.ravel())))


class Block(eqx.Module):
    """Attention and two dense layers, each after a LayerNorm and added to what goes in."""

    norm_attention: eqx.nn.LayerNorm
    attention: eqx.nn.MultiheadAttention
    norm_mlp: eqx.nn.LayerNorm
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __call__(self, h: Array, mask: Array) -> Array:
        """f[T, width], bool[T, T] -> f[T, width]."""
        y = jax.vmap(self.norm_attention)(h)
        h = h + self.attention(y, y, y, mask)
        y = jax.vmap(self.up)(jax.vmap(self.norm_mlp)(h))
        return h + jax.vmap(self.down)(jax.nn.gelu(y))


class Transformer(eqx.Module):
    """Bytes [T] -> [T, outputs]."""

    places: Array
    embedding: eqx.nn.Embedding
    blocks: list[Block]
    norm: eqx.nn.LayerNorm
    readout: eqx.nn.Linear

    def __call__(self, x: Array) -> Array:
        """int[T] -> f[T, outputs]."""
        mask = jnp.tril(jnp.ones((len(x), len(x)), bool))
        h = jax.vmap(self.embedding)(x) + self.places
        for block in self.blocks:
            h = block(h, mask)
        return jax.vmap(self.readout)(jax.vmap(self.norm)(h))


KINDS = ("mlp", "cnn", "transformer")
"""The kinds of models that are written here: Equinox's BatchNorm has statistics of its own kind."""


def model(work: Workload, params: Params) -> Model:
    """The model of a workload with the parameters of `lrlab.models` to start from."""
    made = {"mlp": _mlp, "cnn": _cnn, "transformer": _transformer}[work.kind](work, params)
    start, static = eqx.partition(made, eqx.is_inexact_array)
    return Model(
        lambda key, x: start,
        lambda params, x, train, key: (jax.vmap(eqx.combine(params, static))(x), params),
    )


def _linear(layer: Mapping[str, np.ndarray]) -> eqx.nn.Linear:
    inputs, outputs = layer["kernel"].shape
    bias = "bias" in layer
    made = eqx.nn.Linear(inputs, outputs, use_bias=bias, key=jax.random.key(0))
    made = eqx.tree_at(lambda linear: linear.weight, made, jnp.asarray(layer["kernel"].T))
    if bias:
        made = eqx.tree_at(lambda linear: linear.bias, made, jnp.asarray(layer["bias"]))
    return made


def _norm(layer: Mapping[str, np.ndarray]) -> eqx.nn.LayerNorm:
    made = eqx.nn.LayerNorm(layer["scale"].shape, eps=1e-6)
    values = jnp.asarray(layer["scale"]), jnp.asarray(layer["bias"])
    return eqx.tree_at(lambda norm: (norm.weight, norm.bias), made, values)


def _mlp(work: Workload, params: Params) -> Mlp:
    hidden = [_linear(params[f"hidden_{number}"]) for number in range(len(work.model["width"]))]
    return Mlp(hidden, _linear(params["readout"]))


def _cnn(work: Workload, params: Params) -> Cnn:
    hidden = []
    for number, channels in enumerate(work.model["channels"]):
        layer = params[f"hidden_conv_{number}"]
        before = layer["kernel"].shape[2]
        made = eqx.nn.Conv2d(before, channels, 3, padding=1, key=jax.random.key(0))
        values = jnp.asarray(layer["kernel"].transpose(3, 2, 0, 1)), layer["bias"][:, None, None]
        values = jax.tree.map(jnp.asarray, values)
        hidden.append(eqx.tree_at(lambda conv: (conv.weight, conv.bias), made, values))
    kernel = params["hidden_dense"]["kernel"]
    channels = work.model["channels"][-1]
    side = round((kernel.shape[0] // channels) ** 0.5)
    kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
    dense = {**params["hidden_dense"], "kernel": kernel.reshape(-1, kernel.shape[-1])}
    pool = eqx.nn.MaxPool2d(2, 2)
    return Cnn(hidden, pool, _linear(dense), _linear(params["readout"]))


def _transformer(work: Workload, params: Params) -> Transformer:
    width, heads = work.model["width"], work.model["heads"]
    blocks = []
    for number in range(work.model["depth"]):
        parts = {
            name.removeprefix(f"hidden_{number}_"): layer
            for name, layer in params.items()
            if name.startswith(f"hidden_{number}_")
        }
        attention = eqx.nn.MultiheadAttention(
            heads, width, use_query_bias=True, use_key_bias=True, use_value_bias=True,
            use_output_bias=True, key=jax.random.key(0),
        )  # fmt: skip
        kernels = np.split(parts["qkv"]["kernel"], 3, 1)
        biases = np.split(parts["qkv"]["bias"], 3)
        three = [
            _linear({"kernel": kernel, "bias": bias})
            for kernel, bias in zip(kernels, biases, strict=True)
        ]
        attention = eqx.tree_at(
            lambda it: (it.query_proj, it.key_proj, it.value_proj, it.output_proj),
            attention,
            (*three, _linear(parts["mix"])),
        )
        up, down = _linear(parts["up"]), _linear(parts["down"])
        norms = _norm(parts["norm_attention"]), _norm(parts["norm_mlp"])
        blocks.append(Block(norms[0], attention, norms[1], up, down))
    embedding = eqx.nn.Embedding(weight=jnp.asarray(params["embedding"]["embedding"]))
    return Transformer(
        jnp.asarray(params["embedding_places"]), embedding, blocks, _norm(params["hidden_norm"]),
        _linear(params["readout"]),
    )  # fmt: skip
