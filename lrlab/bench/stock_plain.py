"""The workloads' models as people write them in plain JAX: functions of a dict of arrays."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from lrlab.bench.workloads import Workload
from lrlab.types import Array, Model, Params, PyTree

Variables = dict[str, PyTree]


def _dense(p: Params, x: Array) -> Array:
    return x @ p["kernel"] + p["bias"]


def _conv(p: Params, x: Array, stride: int = 1) -> Array:
    y = lax.conv_general_dilated(
        x, p["kernel"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + p["bias"] if "bias" in p else y


def _layer_norm(p: Params, x: Array) -> Array:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-6) * p["scale"] + p["bias"]


def mlp(work: Workload, p: Params, x: Array) -> Array:
    """f[N, features] -> f[N, outputs]."""
    for number in range(len(work.model["width"])):
        x = jax.nn.relu(_dense(p[f"hidden_{number}"], x))
    return _dense(p["readout"], x)


def cnn(work: Workload, p: Params, x: Array) -> Array:
    """f[N, H, W] -> f[N, outputs]."""
    x = x[..., None]
    for number in range(len(work.model["channels"])):
        x = jax.nn.relu(_conv(p[f"hidden_conv_{number}"], x))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return _dense(p["readout"], jax.nn.relu(_dense(p["hidden_dense"], x.reshape(len(x), -1))))


def transformer(work: Workload, p: Params, x: Array) -> Array:
    """int[N, T] -> f[N, T, outputs]."""
    h = p["embedding"]["embedding"][x] + p["embedding_places"]
    n, t, width = h.shape
    allowed = jnp.tril(jnp.ones((t, t), bool))
    for number in range(work.model["depth"]):
        name = f"hidden_{number}"
        qkv = _dense(p[f"{name}_qkv"], _layer_norm(p[f"{name}_norm_attention"], h))
        q, k, v = jnp.moveaxis(qkv.reshape(n, t, 3, work.model["heads"], -1), 2, 0)
        scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) / jnp.sqrt(jnp.float32(q.shape[-1]))
        weights = jax.nn.softmax(jnp.where(allowed, scores, -jnp.inf))
        mixed = jnp.einsum("nhqk,nkhd->nqhd", weights, v).reshape(n, t, width)
        h = h + _dense(p[f"{name}_mix"], mixed)
        up = _dense(p[f"{name}_up"], _layer_norm(p[f"{name}_norm_mlp"], h))
        h = h + _dense(p[f"{name}_down"], jax.nn.gelu(up))
    return _dense(p["readout"], _layer_norm(p["hidden_norm"], h))


def resnet(work: Workload, variables: Variables, x: Array, train: bool) -> tuple[Array, Variables]:
    """f[N, H, W] -> f[N, outputs], and the variables with their new running statistics."""
    p, stats = variables["params"], dict(variables["batch_stats"])

    def conv(x: Array, name: str, stride: int = 1) -> Array:
        y, norm = _conv(p[f"hidden_{name}"], x, stride), f"hidden_{name}_norm"
        held = stats[norm]
        mean, variance = held["mean"], held["var"]
        if train:
            mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
            now = {"mean": mean, "var": variance}
            stats[norm] = {key: 0.9 * held[key] + 0.1 * now[key] for key in held}
        scale = lax.rsqrt(variance + 1e-5) * p[norm]["scale"]
        return (y - mean) * scale + p[norm]["bias"]

    x = jax.nn.relu(conv(x[..., None], "stem"))
    for stage in range(len(work.model["channels"])):
        name, stride = f"{stage}_0", 2 if stage else 1
        y = conv(jax.nn.relu(conv(x, f"{name}_a", stride)), f"{name}_b")
        x = conv(x, f"{name}_skip", stride) if f"hidden_{name}_skip" in p else x
        x = jax.nn.relu(x + y)
    return _dense(p["readout"], x.mean((1, 2))), {**variables, "batch_stats": stats}


def model(work: Workload, variables: Variables) -> Model:
    """The model of a workload with the variables of `lrlab.models` to start from."""

    def init(key: Array, x: Array) -> Variables:
        return jax.tree.map(jnp.asarray, variables)

    if work.kind == "resnet":
        return Model(init, lambda v, x, train, key: resnet(work, v, x, train))
    functions: dict[str, Callable[[Workload, Params, Array], Array]] = {
        "mlp": mlp, "cnn": cnn, "transformer": transformer,
    }  # fmt: skip
    run = functions[work.kind]
    return Model(init, lambda v, x, train, key: (run(work, v["params"], x), v))
