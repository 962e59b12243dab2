"""Probes at evaluation points: each `(task, params, model, optimizer, data, hyper, key) -> dict`.

All look at the first `CHUNK` examples of the training split (the whole of a smaller one), with the
loss of training and a fixed key.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lrlab.probes import curvature

CHUNK = 1024


def _loss(task: Any, model: Any, data: Any, key: Any) -> Any:
    part = jax.tree.map(lambda leaf: leaf[:CHUNK], data)
    return lambda params: task.loss(params, model, part, key)[0]


def sharpness(
    task: Any, params: Any, model: Any, optimizer: Any, data: Any, hyper: Any, key: Any
) -> dict[str, Any]:
    """Top Hessian eigenvalue, and it times LR / 2 (1: the edge of GD); 64 gradient evaluations."""
    top = curvature.sharpness(_loss(task, model, data, key), params)[0]
    return {"sharpness": top, "sharpness_times_lr_half": top * hyper["lr"] / 2}


def hessian_trace(
    task: Any, params: Any, model: Any, optimizer: Any, data: Any, hyper: Any, key: Any
) -> dict[str, Any]:
    """Trace of the Hessian, estimated from 16 random directions; 32 gradient evaluations."""
    return {"hessian_trace": curvature.hessian_trace(_loss(task, model, data, key), params)}


def gradient(
    task: Any, params: Any, model: Any, optimizer: Any, data: Any, hyper: Any, key: Any
) -> dict[str, Any]:
    """Gradient norm and the curvature along the gradient; 2 gradient evaluations."""
    norm, along = curvature.gradient_curvature(_loss(task, model, data, key), params)
    return {"gradient_norm": norm, "gradient_curvature": along}


def weight_norm(
    task: Any, params: Any, model: Any, optimizer: Any, data: Any, hyper: Any, key: Any
) -> dict[str, Any]:
    """Euclidean norm of all parameters; no gradient evaluation."""
    return {"weight_norm": jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params)))}
