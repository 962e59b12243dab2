"""The workloads' models as people write them in Flax NNX: the library's own layers alone."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from flax import nnx

from lrlab.bench.workloads import Workload
from lrlab.types import Array


class Mlp(nnx.Module):
    """[N, features] -> [N, outputs]."""

    def __init__(self, sizes: tuple[int, ...], rngs: nnx.Rngs) -> None:
        self.depth = len(sizes) - 2
        for number in range(self.depth):
            layer = nnx.Linear(sizes[number], sizes[number + 1], rngs=rngs)
            setattr(self, f"hidden_{number}", layer)
        self.readout = nnx.Linear(sizes[-2], sizes[-1], rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """f[N, features] -> f[N, outputs]."""
        for number in range(self.depth):
            x = nnx.relu(getattr(self, f"hidden_{number}")(x))
        return self.readout(x)


class Cnn(nnx.Module):
    """[N, H, W] -> [N, outputs]."""

    def __init__(
        self, side: int, channels: tuple[int, ...], width: int, outputs: int, rngs: nnx.Rngs
    ) -> None:
        self.depth = len(channels)
        for number, (before, after) in enumerate(zip((1, *channels), channels, strict=False)):
            layer = nnx.Conv(before, after, (3, 3), rngs=rngs)
            setattr(self, f"hidden_conv_{number}", layer)
        flat = (side >> self.depth) ** 2 * channels[-1]
        self.hidden_dense = nnx.Linear(flat, width, rngs=rngs)
        self.readout = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """f[N, H, W] -> f[N, outputs]."""
        x = x[..., None]
        for number in range(self.depth):
            x = nnx.relu(getattr(self, f"hidden_conv_{number}")(x))
            x = nnx.max_pool(x, (2, 2), (2, 2))
        return self.readout(nnx.relu(self.hidden_dense(x.reshape(len(x), -1))))


class Resnet(nnx.Module):
    """[N, H, W] -> [N, outputs]; a block per stage."""

    def __init__(self, channels: tuple[int, ...], outputs: int, rngs: nnx.Rngs) -> None:
        def conv(name: str, before: int, after: int, size: int, stride: int) -> None:
            layer = nnx.Conv(before, after, (size, size), stride, use_bias=False, rngs=rngs)
            setattr(self, f"hidden_{name}", layer)
            norm = nnx.BatchNorm(after, momentum=0.9, rngs=rngs)
            setattr(self, f"hidden_{name}_norm", norm)

        self.stages = len(channels)
        conv("stem", 1, channels[0], 3, 1)
        before = channels[0]
        for stage, after in enumerate(channels):
            stride, name = 2 if stage else 1, f"{stage}_0"
            conv(f"{name}_a", before, after, 3, stride)
            conv(f"{name}_b", after, after, 3, 1)
            if stride > 1 or before != after:
                conv(f"{name}_skip", before, after, 1, stride)
            before = after
        self.readout = nnx.Linear(before, outputs, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """f[N, H, W] -> f[N, outputs]."""

        def conv(x: Array, name: str) -> Array:
            return getattr(self, f"hidden_{name}_norm")(getattr(self, f"hidden_{name}")(x))

        x = nnx.relu(conv(x[..., None], "stem"))
        for stage in range(self.stages):
            y = conv(nnx.relu(conv(x, f"{stage}_0_a")), f"{stage}_0_b")
            x = conv(x, f"{stage}_0_skip") if hasattr(self, f"hidden_{stage}_0_skip") else x
            x = nnx.relu(x + y)
        return self.readout(x.mean((1, 2)))


class Transformer(nnx.Module):
    """Bytes [N, T] -> [N, T, outputs]."""

    def __init__(
        self, context: int, width: int, depth: int, heads: int, outputs: int, rngs: nnx.Rngs
    ) -> None:
        self.depth = depth
        self.embedding_places = nnx.Param(jnp.zeros((context, width)))
        self.embedding = nnx.Embed(outputs, width, rngs=rngs)
        for number in range(depth):
            layers = {
                "norm_attention": nnx.LayerNorm(width, rngs=rngs),
                "attention": nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs),
                "norm_mlp": nnx.LayerNorm(width, rngs=rngs),
                "up": nnx.Linear(width, 4 * width, rngs=rngs),
                "down": nnx.Linear(4 * width, width, rngs=rngs),
            }
            for name, layer in layers.items():
                setattr(self, f"hidden_{number}_{name}", layer)
        self.hidden_norm = nnx.LayerNorm(width, rngs=rngs)
        self.readout = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """int[N, T] -> f[N, T, outputs]."""
        mask = nnx.make_causal_mask(x)
        h = self.embedding(x) + self.embedding_places
        for number in range(self.depth):

            def layer(name: str, number: int = number) -> Callable[..., Array]:
                return getattr(self, f"hidden_{number}_{name}")

            h = h + layer("attention")(layer("norm_attention")(h), mask=mask)
            h = h + layer("down")(nnx.gelu(layer("up")(layer("norm_mlp")(h))))
        return self.readout(self.hidden_norm(h))


def factory(work: Workload, x: np.ndarray, outputs: int) -> Callable[[nnx.Rngs], nnx.Module]:
    """What makes the module of a workload for inputs `x`."""
    options = work.model
    if work.kind == "mlp":
        return lambda rngs: Mlp((x.shape[1], *options["width"], outputs), rngs)
    if work.kind == "cnn":
        channels, width = tuple(options["channels"]), options["width"]
        return lambda rngs: Cnn(x.shape[1], channels, width, outputs, rngs)
    if work.kind == "resnet":
        return lambda rngs: Resnet(tuple(options["channels"]), outputs, rngs)
    width, depth, heads = options["width"], options["depth"], options["heads"]
    return lambda rngs: Transformer(x.shape[1], width, depth, heads, outputs, rngs)
