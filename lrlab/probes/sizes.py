"""Probes of sizes: weights, the next update against them, the way from initialization."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lrlab.probes.lane import by_layer, next_update, ratio
from lrlab.types import Array, LaneView


def weight_norm(lane: LaneView) -> dict[str, Array]:
    """Euclidean norm of all parameters, and of each layer; no gradient evaluation.

    `weight_norm`, and `weight_norm.<layer>` where there are several.

    >>> from lrlab.probes.toy import bowl
    >>> float(weight_norm(bowl([1.0] * 4))["weight_norm"])
    2.0
    """
    return _with_layers("weight_norm", {k: _norm(v) for k, v in by_layer(lane.params).items()})


def update_to_weight(lane: LaneView) -> dict[str, Array]:
    """Norm of the next update over that of the weights, in all and per layer; at most 1 gradient
    evaluation.

    The update is the optimizer's own, learning rate and momentum included, for a random batch of
    the run's size. Healthy values are often near 1e-3. nan where the weights are 0.

    >>> from lrlab.probes.toy import bowl
    >>> round(float(update_to_weight(bowl([1.0, 1.0], lr=0.1))["update_to_weight"]), 4)
    0.1
    """
    updates, weights = by_layer(next_update(lane)[1]), by_layer(lane.params)
    ratios = {layer: ratio(_norm(updates[layer]), _norm(weights[layer])) for layer in weights}
    whole = ratio(_norm(*updates.values()), _norm(*weights.values()))
    return _named("update_to_weight", ratios, whole)


def angular_update(lane: LaneView) -> dict[str, Array]:
    """Angle that the next update turns the weights by, in radians, in all and per layer; at most 1
    gradient evaluation.

    What counts where a normalization makes the length of the weights irrelevant: in equilibrium
    about sqrt(2 LR weight_decay) for SGD. nan where the weights are 0 before or after.

    Source: Wan et al. 2021 (arXiv 2006.08419).

    >>> from lrlab.probes.toy import bowl
    >>> round(float(angular_update(bowl([10.0, 0.0], lr=0.1))["angular_update"]), 4)
    0.7854
    """
    updates, weights = by_layer(next_update(lane)[1]), by_layer(lane.params)
    angles = {layer: _angle(w, w + updates[layer]) for layer, w in weights.items()}
    before, step = (jnp.concatenate(list(v.values())) for v in (weights, updates))
    return _named("angular_update", angles, _angle(before, before + step))


def distance(lane: LaneView) -> dict[str, Array]:
    """Distance of the weights from initialization, in all and per layer, and over their norm there;
    no gradient evaluation.

    `distance`, `distance.<layer>`, `relative_distance` (nan where the weights began at 0).

    >>> from lrlab.probes.toy import bowl
    >>> float(distance(bowl([1.0] * 4, at=2.0, start=1.0))["relative_distance"])
    1.0
    """
    start = lane.initial()[0]
    way = jax.tree.map(lambda now, then: now - then, lane.params, start)
    distances = _with_layers("distance", {k: _norm(v) for k, v in by_layer(way).items()})
    initial = _norm(*by_layer(start).values())
    return {**distances, "relative_distance": ratio(distances["distance"], initial)}


def _with_layers(name: str, layers: dict[str, Array]) -> dict[str, Array]:
    """Norms of layers, and the norm of all."""
    return _named(name, layers, _norm(jnp.stack(list(layers.values()))))


def _named(name: str, layers: dict[str, Array], whole: Array) -> dict[str, Array]:
    if len(layers) < 2:
        return {name: whole}
    return {name: whole, **{f"{name}.{layer}": value for layer, value in layers.items()}}


def _norm(*vectors: Array) -> Array:
    return jnp.sqrt(sum((jnp.sum(vector**2) for vector in vectors), start=jnp.zeros(())))


def _angle(before: Array, after: Array) -> Array:
    """The angle between two vectors, accurate where it is small (Kahan)."""
    a, b = _norm(before), _norm(after)
    there = (a > 0) & (b > 0)
    u, v = (x / jnp.where(there, n, 1) for x, n in ((before, a), (after, b)))
    return jnp.where(there, 2 * jnp.arctan2(_norm(u - v), _norm(u + v)), jnp.nan)
