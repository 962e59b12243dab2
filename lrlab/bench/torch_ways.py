"""The PyTorch ways: a plain loop per learning rate, and torch.func ensembling.

Imports PyTorch and NumPy only, so that it runs in an environment without JAX. Parameters come from
the same file as everyone's, renamed and transposed once.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from lrlab.bench.workloads import Arrays, Workload

Run = Callable[[], np.ndarray]

Params = dict[str, torch.Tensor]

Moments = tuple[torch.Tensor, torch.Tensor]
"""Running mean and variance of a normalization, one value per channel."""

Stats = Callable[[str, int], Moments] | None
"""(name of a normalization, channels) -> its moments; None: there are none."""

Forward = Callable[[Params, torch.Tensor, Stats], torch.Tensor]


def prepare(work: Workload, way: str, inputs: Arrays) -> Run:
    """The run of a PyTorch way, with the number of threads that trains one lane fastest."""
    params = parameters(work, inputs)
    x, y = torch.tensor(inputs["x"]), torch.tensor(inputs["y"]).long()
    rows = [torch.tensor(row).long() for row in inputs["indices"]]
    rates = [float(lr) for lr in inputs["lr"]]
    kinds = {"mlp": mlp, "cnn": cnn, "resnet": resnet, "transformer": transformer}
    forward: Forward = kinds[work.kind]
    make = _loop if way == "torch-loop" else _ensemble

    def run() -> np.ndarray:
        return make(work, forward, params, x, y, rows, rates)

    return _fastest_threads(lambda: make(work, forward, params, x, y, rows[:5], rates[:2]), run)


def _fastest_threads(sample: Callable[[], np.ndarray], run: Run) -> Run:
    best, fewest = torch.get_num_threads(), float("inf")
    for threads in {1, torch.get_num_threads()}:
        torch.set_num_threads(threads)
        sample()
        began = time.perf_counter()
        sample()
        if time.perf_counter() - began < fewest:
            best, fewest = threads, time.perf_counter() - began
    torch.set_num_threads(best)
    return run


def parameters(work: Workload, inputs: Arrays) -> Params:
    """Flax's arrays in PyTorch's layouts: dense [out, in], convolutions [out, in, h, w]."""
    result: Params = {}
    for name in inputs:
        if not name.startswith("params/"):
            continue
        leaf, array = name.removeprefix("params/"), inputs[name]
        if leaf.endswith("/kernel") and array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif leaf == "hidden_dense/kernel" and work.kind == "cnn":
            channels = work.model["channels"][-1]
            side = int((array.shape[0] // channels) ** 0.5)
            array = array.reshape(side, side, channels, -1).transpose(3, 2, 0, 1)
            array = array.reshape(array.shape[0], -1)
        elif leaf.endswith("/kernel"):
            array = array.T
        result[leaf] = torch.tensor(np.ascontiguousarray(array))
    return result


def _dense(p: Params, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, p[f"{name}/kernel"], p[f"{name}/bias"])


def mlp(p: Params, x: torch.Tensor, stats: Stats) -> torch.Tensor:
    """`lrlab.models.mlp` of the same parameters."""
    x, layer = x.reshape(x.shape[0], -1), 0
    while f"hidden_{layer}/kernel" in p:
        x, layer = F.relu(_dense(p, f"hidden_{layer}", x)), layer + 1
    return _dense(p, "readout", x)


def cnn(p: Params, x: torch.Tensor, stats: Stats) -> torch.Tensor:
    """`lrlab.models.cnn` of the same parameters."""
    x, layer = x[:, None], 0
    while f"hidden_conv_{layer}/kernel" in p:
        name = f"hidden_conv_{layer}"
        x = F.conv2d(x, p[f"{name}/kernel"], p[f"{name}/bias"], padding="same")
        x, layer = F.max_pool2d(F.relu(x), 2), layer + 1
    return _dense(p, "readout", F.relu(_dense(p, "hidden_dense", x.flatten(1))))


def resnet(p: Params, x: torch.Tensor, stats: Stats) -> torch.Tensor:
    """`lrlab.models.resnet` of the same parameters."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, variance = (None, None) if stats is None else stats(name, x.shape[1])
        scale, bias = p[f"{name}/scale"], p[f"{name}/bias"]
        return F.batch_norm(x, mean, variance, scale, bias, True, 0.1, 1e-5)

    def conv(x: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        kernel = p[f"{name}/kernel"]
        size = kernel.shape[-1]
        if stride > 1 and size > 1:  # as XLA pads "SAME" at stride 2
            odd = x.shape[-1] % 2
            return F.conv2d(F.pad(x, (odd, 1, odd, 1)), kernel, stride=stride)
        return F.conv2d(x, kernel, stride=stride, padding=size // 2)

    x = F.relu(norm(conv(x[:, None], "hidden_stem", 1), "hidden_stem_norm"))
    stage = 0
    while f"hidden_{stage}_0_a/kernel" in p:
        name, stride = f"hidden_{stage}_0", 2 if stage else 1
        y = F.relu(norm(conv(x, f"{name}_a", stride), f"{name}_a_norm"))
        y = norm(conv(y, f"{name}_b", 1), f"{name}_b_norm")
        if f"{name}_skip/kernel" in p:
            x = norm(conv(x, f"{name}_skip", stride), f"{name}_skip_norm")
        x, stage = F.relu(x + y), stage + 1
    return _dense(p, "readout", x.mean((2, 3)))


def transformer(p: Params, x: torch.Tensor, stats: Stats, heads: int = 4) -> torch.Tensor:
    """`lrlab.models.transformer` of the same parameters."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], p[f"{name}/scale"], p[f"{name}/bias"], 1e-6)

    h = F.embedding(x, p["embedding/embedding"]) + p["embedding_places"]
    n, t, width = h.shape
    layer = 0
    while f"hidden_{layer}_qkv/kernel" in p:
        name = f"hidden_{layer}"
        qkv = _dense(p, f"{name}_qkv", norm(h, f"{name}_norm_attention"))
        q, k, v = qkv.reshape(n, t, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + _dense(p, f"{name}_mix", mixed.transpose(1, 2).reshape(n, t, width))
        up = F.gelu(_dense(p, f"{name}_up", norm(h, f"{name}_norm_mlp")), approximate="tanh")
        h, layer = h + _dense(p, f"{name}_down", up), layer + 1
    return _dense(p, "readout", norm(h, "hidden_norm"))


def _loss(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), y.reshape(-1))


def _loop(
    work: Workload,
    forward: Forward,
    start: Params,
    x: torch.Tensor,
    y: torch.Tensor,
    rows: list[torch.Tensor],
    rates: list[float],
) -> np.ndarray:
    columns = []
    for lr in rates:
        p = {name: leaf.clone().requires_grad_() for name, leaf in start.items()}
        if work.optimizer == "adam":
            optimizer: torch.optim.Optimizer = torch.optim.Adam(list(p.values()), lr=lr)
        else:
            optimizer = torch.optim.SGD(list(p.values()), lr=lr, momentum=0.9)
        running: dict[str, Moments] = {}

        def stats(name: str, channels: int, running: dict[str, Moments] = running) -> Moments:
            if name not in running:
                running[name] = torch.zeros(channels), torch.ones(channels)
            return running[name]

        losses = []
        for row in rows:
            loss = _loss(forward(p, x[row], stats), y[row])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        columns.append(torch.stack(losses))
    return torch.stack(columns, 1).numpy()


def _ensemble(
    work: Workload,
    forward: Forward,
    start: Params,
    x: torch.Tensor,
    y: torch.Tensor,
    rows: list[torch.Tensor],
    rates: list[float],
) -> np.ndarray:
    """Stacked parameters, vmapped gradients, the optimizer's formula on stacked tensors.

    Running statistics cannot be updated in place under vmap: they are left out (less work than the
    other ways do).
    """
    lanes = len(rates)
    p = {name: leaf.expand(lanes, *leaf.shape).clone() for name, leaf in start.items()}
    lr = {name: torch.tensor(rates).reshape(-1, *[1] * (v.ndim - 1)) for name, v in p.items()}
    m = {name: torch.zeros_like(leaf) for name, leaf in p.items()}
    v = {name: torch.zeros_like(leaf) for name, leaf in p.items()}

    def loss(p: Params, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return _loss(forward(p, x, None), y)

    grads_of = torch.func.vmap(torch.func.grad_and_value(loss), in_dims=(0, None, None))
    losses = []
    for step, row in enumerate(rows, 1):
        grads, value = grads_of(p, x[row], y[row])
        losses.append(value)
        for name, g in grads.items():
            if work.optimizer == "adam":
                m[name].lerp_(g, 0.1)
                v[name].mul_(0.999).addcmul_(g, g, value=0.001)
                size = (v[name] / (1 - 0.999**step)).sqrt_().add_(1e-8)
                p[name].sub_(lr[name] * (m[name] / (1 - 0.9**step)) / size)
            else:
                m[name].mul_(0.9).add_(g)
                p[name].sub_(lr[name] * m[name])
    return torch.stack(losses).numpy()
