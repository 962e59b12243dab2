"""Distance over gradients: steps from the distance traveled. `lr` multiplies them (no unit)."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lrlab.optimizers.transforms import averaged, recorded, without_extra_args
from lrlab.types import Array, Params, PyTree, Scalar


class DistanceState(NamedTuple):
    """The starting point; the largest distance from it and the summed squared gradients, scalars
    (DoG) or one for each tensor (L-DoG); the step size of the last update.
    """

    start: Params
    max_dist: PyTree
    sum_sq: PyTree


def dog(
    lr: Scalar = 1.0,
    *,
    init_step: float = 1e-6,
    eps: float = 1e-8,
    average: bool = True,
    average_gamma: float = 8.0,
) -> optax.GradientTransformation:
    """DoG: the largest distance traveled over the root of the summed squared gradients.

    r = max(init_step (1 + |w_0|), max_t |w_t - w_0|); w <- w - lr r / sqrt(sum |g|^2 + eps) g (Ivgi
    et al. 2023, arXiv 2302.12022). Evaluation is at the polynomial-decay average a <- a + c (w -
    a), c = (1 + gamma) / (t + gamma) (Shamir and Zhang 2013, arXiv 1212.1824), unless `average` is
    false. Steps are in the parameters' unit over the gradient's; `init_step` = 1e-4 suits
    BatchNorm.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(dog(init_step=0.1))
    [-0.024, -0.2402]
    """
    return _averaged(recorded(scale_by_distance(lr, init_step, eps, False)), average, average_gamma)


def l_dog(
    lr: Scalar = 1.0,
    *,
    init_step: float = 1e-6,
    eps: float = 1e-8,
    average: bool = True,
    average_gamma: float = 8.0,
) -> optax.GradientTransformation:
    """L-DoG: DoG for each tensor by itself.

    DoG's formula with the distance and the gradients of one tensor at a time (Ivgi et al. 2023,
    arXiv 2302.12022); averaged like DoG. The step size recorded is the norm of the whole update
    over that of the gradient, in the parameters' unit over the gradient's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(l_dog(init_step=0.1))
    [-0.024, -0.2402]
    """
    return _averaged(recorded(scale_by_distance(lr, init_step, eps, True)), average, average_gamma)


def scale_by_distance(
    lr: Scalar, init_step: Scalar, eps: Scalar, layerwise: bool
) -> optax.GradientTransformation:
    """The update of DoG (`layerwise` false) or L-DoG, with the sign of an update."""

    def norms(tree: Params) -> PyTree:
        leaves = jax.tree.map(lambda leaf: optax.tree.norm(leaf), tree)
        return leaves if layerwise else optax.tree.norm(tree)

    def init(params: Params) -> DistanceState:
        start = jax.tree.map(lambda norm: init_step * (1 + norm), norms(params))
        zeros = jax.tree.map(jnp.zeros_like, start)
        return DistanceState(jax.tree.map(jnp.array, params), start, zeros)

    def update(grads: Params, state: DistanceState, params: Params) -> tuple[Params, DistanceState]:
        moved = norms(jax.tree.map(lambda p, p0: p - p0, params, state.start))
        max_dist = jax.tree.map(jnp.maximum, state.max_dist, moved)
        sum_sq = jax.tree.map(lambda s, n: s + n**2, state.sum_sq, norms(grads))
        step = jax.tree.map(lambda r, s: lr * r / jnp.sqrt(s + eps), max_dist, sum_sq)
        if not layerwise:
            step = jax.tree.map(lambda _: step, grads)
        updates = jax.tree.map(lambda a, g: -(a * g).astype(g.dtype), step, grads)
        return updates, DistanceState(state.start, max_dist, sum_sq)

    return without_extra_args(init, update)


def dowg(
    lr: Scalar = 1.0, *, init_estim_sq_dist: float | None = None, eps: float = 1e-4
) -> optax.GradientTransformation:
    """DoWG: distance over gradients weighted by the distance.

    r2 = max(r2, |w - w_0|^2), at first `init_estim_sq_dist` (eps unless given); v <- v + r2 |g|^2;
    w <- w - lr r2 / (sqrt(v) + eps) g (Khaled et al. 2023, arXiv 2305.16284). Steps are in the
    parameters' unit over the gradient's.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(dowg(init_estim_sq_dist=0.01))
    [-0.0099, -0.0995]
    """
    return recorded(optax.contrib.dowg(lr, init_estim_sq_dist, eps))


def _averaged(
    transformation: optax.GradientTransformation, average: bool, gamma: Scalar
) -> optax.GradientTransformation:
    if not average:
        return transformation

    def weight(count: Array) -> Array:
        return (1 + gamma) / (count + 1 + gamma)

    return averaged(transformation, weight)
